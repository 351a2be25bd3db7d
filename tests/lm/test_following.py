"""An adapter that follows its owner: predict first, learn in small steps, know nothing later."""

from pathlib import Path

import numpy as np
import pytest

from selflow.core.settings import LoraSettings
from selflow.core.steps import Step
from selflow.lm.data import AgentData
from selflow.lm.following import EVERY_STEPS, follow
from selflow.lm.loaded import LoadedBase, add_adapter, load_base
from selflow.lm.lora import LoraRun
from selflow.lm.scoring import Floats, bits, score_steps
from tests.lm.worlds import planted_steps, shuffled_targets, single, small_base

NAMES = sorted({label for step in planted_steps(200, 7) for label in step.labels})
FIRST, RATE = 160, 0.03


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A base, and an agent that was trained on the first steps of a stream."""
    base = small_base(tmp_path_factory.mktemp("following") / "base", NAMES)
    data = AgentData(planted_steps(FIRST, 7), range(120), range(120, FIRST))
    run = LoraRun(base, data, LoraSettings(epochs=1), {"learning_rate": RATE}, 1)
    run.advance(1.0)
    run.export(base.parent / "agent")
    return base, base.parent / "agent"


def loaded_from(folders: tuple[Path, Path]) -> LoadedBase:
    loaded = load_base(folders[0])
    for name in ("follows", "stands"):
        add_adapter(loaded, name, folders[1])
    return loaded


def followed(folders: tuple[Path, Path], steps: list[Step]) -> tuple[LoadedBase, Floats]:
    loaded = loaded_from(folders)
    is_own = [True] * len(steps)
    p, _ = follow(loaded, "follows", steps, is_own, FIRST, learning_rate=RATE, seed=3)
    return loaded, p


def test_later_steps_change_no_earlier_score(folders: tuple[Path, Path]) -> None:
    steps = planted_steps(FIRST + 70, 7)
    since = FIRST + 45
    scrambled = [*steps[:since], *shuffled_targets(steps[since:], 5)]
    known, other = followed(folders, steps)[1], followed(folders, scrambled)[1]

    assert known[: since - FIRST].tobytes() == other[: since - FIRST].tobytes()
    assert known[EVERY_STEPS * 4 :].tobytes() != other[EVERY_STEPS * 4 :].tobytes()


def test_each_step_is_predicted_before_it_is_learned(folders: tuple[Path, Path]) -> None:
    steps = planted_steps(FIRST + 2 * EVERY_STEPS, 7)
    loaded, p = followed(folders, steps)
    frozen, _ = score_steps(loaded, "stands", steps, FIRST, len(steps))

    assert np.allclose(p[:EVERY_STEPS], frozen[:EVERY_STEPS], rtol=1e-5)
    assert not np.allclose(p[EVERY_STEPS:], frozen[EVERY_STEPS:], rtol=1e-3)


def test_following_a_new_habit_saves_bits(folders: tuple[Path, Path]) -> None:
    habit = single([NAMES[index % 3] for index in range(160)])
    steps = [*planted_steps(FIRST, 7), *habit]
    loaded, p = followed(folders, steps)
    frozen, _ = score_steps(loaded, "stands", steps, FIRST, len(steps))
    truth = [loaded.encoder.members(step) for step in steps[FIRST:]]
    follows, stands = (
        bits(each, 1.0 - each.sum(axis=1), truth)[80:].mean() for each in (p, frozen)
    )

    assert follows < stands - 0.2


def test_steps_of_other_patterns_teach_nothing(folders: tuple[Path, Path]) -> None:
    steps, loaded = planted_steps(FIRST + 40, 7), loaded_from(folders)
    is_own = [False] * len(steps)
    p, _ = follow(loaded, "follows", steps, is_own, FIRST, learning_rate=RATE, seed=3)
    frozen, _ = score_steps(loaded, "stands", steps, FIRST, len(steps))

    assert np.allclose(p, frozen, rtol=1e-5)

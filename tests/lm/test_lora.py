"""An agent's training: it can stop at any step, learns where there is something to learn, and says
when it fails.
"""

import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from selflow.core.clock import SystemClock
from selflow.core.content_hash import folder_sha256
from selflow.core.errors import ArtifactError, ShapeError, TrainingDivergedError
from selflow.core.settings import LmSettings, LoraSettings
from selflow.core.steps import Step, event_label
from selflow.lm.base import grow_tiny
from selflow.lm.data import AgentData
from selflow.lm.loaded import load_base
from selflow.lm.lora import LoraRun
from selflow.lm.scoring import score_next
from tests.lm.worlds import at, planted_steps, shuffled_targets, small_base, work

KNOWN = tuple(event_label("file.modify", f"src/part{i}.py") for i in range(12))
STEPS = work(4, 300)
DATA = AgentData(STEPS, range(0, 240, 2), range(240, 300))
FAST = {"learning_rate": 0.01}
PLANTED = 3_000


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_base(tmp_path_factory.mktemp("lora") / "base", KNOWN)


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Step]]:
    """A stream with a rule, and a base that saw its first part."""
    out, steps = tmp_path_factory.mktemp("planted") / "base", planted_steps(PLANTED + 500, 7, lag=3)
    grow_tiny(steps[:PLANTED], LmSettings(base_epochs=4), 7, out, SystemClock(), lambda _: None)
    return out, steps


def exported(run: LoraRun, folder: Path) -> str:
    """The identity of what a run exports."""
    run.export(folder)
    return folder_sha256(folder)


def entropy_bits(steps: Sequence[Step]) -> float:
    """What whoever knows only how often each label comes pays per step."""
    counts = np.array(list(Counter(step.labels[0] for step in steps).values())) / len(steps)
    return float(-(counts * np.log2(counts)).sum())


def test_an_agent_knows_a_rule_that_no_count_of_labels_knows(
    planted: tuple[Path, list[Step]],
) -> None:
    base, steps = planted
    data = AgentData(steps, range(PLANTED), range(PLANTED, len(steps)))
    began, ended = (
        LoraRun(base, data, LoraSettings(), {}, 7),
        LoraRun(base, data, LoraSettings(), {}, 7),
    )

    assert ended.advance(1.0).tune_bits < began.advance(0.0).tune_bits
    assert ended.advance(1.0).tune_bits < entropy_bits(steps) - 2.0


def test_shuffled_targets_teach_nothing(planted: tuple[Path, list[Step]]) -> None:
    base, steps = planted
    shuffled = shuffled_targets(steps, 3)
    run = LoraRun(
        base,
        AgentData(shuffled, range(PLANTED), range(PLANTED, len(steps))),
        LoraSettings(),
        FAST,
        7,
    )

    assert run.advance(1.0).tune_bits > entropy_bits(shuffled) - 0.05


def test_a_run_that_stopped_goes_on_bit_for_bit(base: Path, tmp_path: Path) -> None:
    whole = LoraRun(base, DATA, LoraSettings(), FAST, 7)
    end = whole.advance(1.0)
    first = LoraRun(base, DATA, LoraSettings(), FAST, 7)
    stops: Iterator[bool] = iter([False, False, True])
    stopped = first.advance(1.0, lambda: next(stops))
    first.save(tmp_path / "state")
    second = LoraRun(base, DATA, LoraSettings(), FAST, 7)
    second.load(tmp_path / "state")

    assert stopped.steps == 2
    assert second.advance(1.0) == end
    assert exported(second, tmp_path / "second") == exported(whole, tmp_path / "whole")


def test_layers_below_the_adapter_are_read_once_and_say_the_same(
    planted: tuple[Path, list[Step]], monkeypatch: pytest.MonkeyPatch
) -> None:
    base, steps = planted
    data = AgentData(steps[:400], range(300), range(300, 400))
    held = LoraRun(base, data, LoraSettings(), FAST, 7)
    with monkeypatch.context() as patch:
        patch.setattr("selflow.lm.lower_layers.MAX_BYTES", 0)
        read_anew = LoraRun(base, data, LoraSettings(), FAST, 7)
    ends = held.advance(1.0), read_anew.advance(1.0)

    assert held.lower is not None
    assert read_anew.lower is None
    assert ends[0].tune_bits == pytest.approx(ends[1].tune_bits, abs=1e-4)
    assert LoraRun(base, data, LoraSettings(layers="all"), FAST, 7).lower is None


def test_layers_are_read_anew_where_members_are_shuffled(base: Path) -> None:
    several = [Step(step.ts_us, (*step.labels[:1], KNOWN[-1]), step.user) for step in STEPS]

    assert (
        LoraRun(base, AgentData(several, DATA.train, DATA.tune), LoraSettings(), {}, 7).lower
        is None
    )


def test_a_rung_is_a_part_of_the_same_run(base: Path, tmp_path: Path) -> None:
    run, whole = (
        LoraRun(base, DATA, LoraSettings(), FAST, 7),
        LoraRun(base, DATA, LoraSettings(), FAST, 7),
    )
    rung = run.advance(1 / 8)

    assert 1 / 8 <= rung.fraction < 1.0
    assert run.advance(1.0) == whole.advance(1.0)


def test_a_reset_run_is_a_new_one(base: Path, tmp_path: Path) -> None:
    used = LoraRun(base, DATA, LoraSettings(), {"learning_rate": 0.02, "rank": 16}, 1)
    used.advance(0.5)
    used.reset({"learning_rate": 0.01, "rank": 4}, 7)
    fresh = LoraRun(base, DATA, LoraSettings(), {"learning_rate": 0.01, "rank": 4}, 7)

    assert used.advance(1.0) == fresh.advance(1.0)
    assert exported(used, tmp_path / "used") == exported(fresh, tmp_path / "fresh")


def test_training_changes_nothing_of_the_base(base: Path) -> None:
    before, run = folder_sha256(base), LoraRun(base, DATA, LoraSettings(), FAST, 7)
    run.advance(1.0)
    with_agent = score_next(run._loaded, [None, "agent"], STEPS[:20], at(0))
    alone = score_next(load_base(base), [None], STEPS[:20], at(0))[0]

    assert folder_sha256(base) == before
    assert np.array_equal(
        load_file(base / "model.safetensors")["model.norm.weight"],
        run._loaded.model.get_base_model().model.norm.weight,
    )
    assert np.abs(with_agent[0].p - alone.p).max() < 1e-6
    assert np.abs(with_agent[1].p - alone.p).max() > 1e-3


def test_only_labels_of_target_steps_are_learned(base: Path) -> None:
    """Other labels in steps that are no target change the context alone; the truth of the targets
    is what counts.
    """
    run = LoraRun(
        base, AgentData(STEPS, [299], [299]), LoraSettings(dropout=0.0, epochs=20), FAST, 7
    )
    began, ended = run.advance(0.0), run.advance(1.0)

    assert began.tune_bits > 2.0
    assert ended.tune_bits < math.log2(len(STEPS[299].labels)) + 0.5


def test_a_loss_that_explodes_names_the_configuration(planted: tuple[Path, list[Step]]) -> None:
    base, steps = planted
    data = AgentData(steps, range(1_000), range(PLANTED, PLANTED + 9))
    run = LoraRun(base, data, LoraSettings(), {"learning_rate": 0.9, "rank": 4}, 7)

    with pytest.raises(TrainingDivergedError, match=r"an agent of rank 4 .*learning rate 9.00e-01"):
        run.advance(1.0)


def test_a_loss_that_is_no_number_names_the_configuration(tmp_path: Path) -> None:
    sick = small_base(tmp_path / "sick", KNOWN)
    weights = load_file(sick / "model.safetensors")
    weights["model.norm.weight"][0] = float("nan")
    save_file(weights, sick / "model.safetensors", {"format": "pt"})

    with pytest.raises(TrainingDivergedError, match=r"an agent of rank 8 .*learning rate 5.00e-04"):
        LoraRun(sick, DATA, LoraSettings(), {}, 7).advance(1.0)


def test_a_state_of_another_run_is_refused(base: Path, tmp_path: Path) -> None:
    run = LoraRun(base, DATA, LoraSettings(), FAST, 7)
    run.advance(0.2)
    run.save(tmp_path)

    for config, seed in (({}, 7), (FAST, 8)):
        with pytest.raises(ArtifactError, match="no state of this run"):
            LoraRun(base, DATA, LoraSettings(), config, seed).load(tmp_path)
    (tmp_path / "run.safetensors").write_bytes(b"half of it")
    with pytest.raises(ArtifactError, match="no state of this run"):
        run.load(tmp_path)


@pytest.mark.parametrize(("train", "tune"), [([], [1]), ([1], [])])
def test_an_agent_without_data_is_refused(base: Path, train: list[int], tune: list[int]) -> None:
    with pytest.raises(ShapeError, match="steps to learn from"):
        LoraRun(base, AgentData(STEPS, train, tune), LoraSettings(), {}, 7)


def test_data_comes_back_as_it_was(tmp_path: Path) -> None:
    AgentData([*STEPS[:5], Step(at(9), ("a",), "ann")], [1, 2], [3]).save(tmp_path / "data")
    again = AgentData.load(tmp_path / "data")

    assert again == AgentData([*STEPS[:5], Step(at(9), ("a",), "ann")], [1, 2], [3])
    (tmp_path / "data").write_bytes(b"\x93\x01")
    with pytest.raises(ArtifactError, match="not the data of an agent"):
        AgentData.load(tmp_path / "data")


@pytest.mark.setting("lora.batch_size")
@pytest.mark.setting("lora.epochs")
@pytest.mark.parametrize(
    ("batch_size", "epochs", "steps"), [(1, 1, 6), (8, 1, 1), (8, 3, 3), (2, 3, 9)]
)
def test_batches_and_epochs_make_the_steps(
    base: Path, batch_size: int, epochs: int, steps: int
) -> None:
    run = LoraRun(base, DATA, LoraSettings(batch_size=batch_size, epochs=epochs), {}, 7)

    assert run.advance(1.0).steps == steps


@pytest.mark.setting("lora.rank")
@pytest.mark.setting("lora.alpha")
@pytest.mark.setting("lora.layers")
@pytest.mark.parametrize(
    ("lora", "config", "rank", "scale", "layers"),
    [
        (LoraSettings(), {}, 8, 2.0, [1]),
        (LoraSettings(rank=4, alpha=12), {}, 4, 3.0, [1]),
        (LoraSettings(layers="all"), {"rank": 16.0}, 16, 2.0, [0, 1]),
    ],
)
def test_the_adapter_is_as_large_as_it_is_set(
    base: Path,
    tmp_path: Path,
    lora: LoraSettings,
    config: dict[str, float],
    rank: int,
    scale: float,
    layers: list[int],
) -> None:
    LoraRun(base, DATA, lora, config, 7).export(tmp_path)
    written = json.loads((tmp_path / "adapter_config.json").read_text())
    weights = load_file(tmp_path / "adapter_model.safetensors")

    assert written["lora_alpha"] / written["r"] == scale
    assert {weight.shape[0] for name, weight in weights.items() if "lora_A" in name} == {rank}
    assert len(weights) == 14 * len(layers)
    assert written["layers_to_transform"] == layers


@pytest.mark.setting("lora.dropout")
@pytest.mark.setting("lora.learning_rate")
def test_dropout_and_learning_rate_change_what_is_learned(base: Path, tmp_path: Path) -> None:
    made = {
        exported(run, tmp_path / str(place))
        for place, lora in enumerate(
            (
                LoraSettings(),
                LoraSettings(dropout=0.3),
                LoraSettings(learning_rate=1e-3),
                LoraSettings(),
            )
        )
        for run in [LoraRun(base, DATA, lora, {}, 7)]
        if run.advance(1.0).steps
    }

    assert len(made) == 3


def test_what_happens_elsewhere_in_the_process_changes_no_bit(base: Path) -> None:
    run, other = (LoraRun(base, DATA, LoraSettings(), FAST, 7) for _ in range(2))
    torch.manual_seed(123)
    first = run.advance(1.0)
    torch.manual_seed(456)

    assert other.advance(1.0) == first

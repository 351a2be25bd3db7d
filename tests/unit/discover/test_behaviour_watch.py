"""New behaviour and drift between two cycles, on planted streams."""

from collections.abc import Sequence
from functools import cache
from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from selflow.core.steps import Step, event_label
from selflow.discover.behaviour_watch import BehaviourWatch, Change, PageHinkley
from selflow.discover.features import content_of
from selflow.discover.hashing import hashed_label, project
from selflow.discover.usual import UsualBehaviour, fit_usual
from selflow.discover.windows import DAY_US, HOUR_US, Events, Windows
from tests.unit.discover.worlds import planted

PAST_DAYS, DAYS, NEW_FROM_DAY = 14, 44, 24
SEEDS = (11, 12, 13)
LEAST_WINDOWS = 20


@cache
def world(seed: int) -> tuple[list[Step], list[Step], list[Step], list[Step]]:
    """The past; what comes later if all goes on, if one more activity begins after ten days, and if
    half of the sessions move to other files from then on.
    """
    steps, truth = planted(days=DAYS, seed=seed)
    day = len(steps) // DAYS
    usual = [name != "garden" for name in truth]
    past = [
        step for step, is_usual in zip(steps[: PAST_DAYS * day], usual, strict=False) if is_usual
    ]
    later = range(PAST_DAYS * day, len(steps))
    same = [steps[i] for i in later if usual[i]]
    new = [steps[i] for i in later if usual[i] or i >= NEW_FROM_DAY * day]
    rng = np.random.default_rng(seed)
    is_moved = rng.random(24 * (DAYS + 2)) < 0.5
    first_us = same[0].ts_us
    moved = [
        elsewhere(step)
        if step.ts_us - first_us >= 10 * DAY_US and is_moved[(step.ts_us - first_us) // HOUR_US]
        else step
        for step in same
    ]
    return past, same, new, moved


def elsewhere(step: Step) -> Step:
    names = str.maketrans("aeiou", "oiuea")
    return Step(step.ts_us, tuple(label.translate(names) for label in step.labels))


@cache
def usual(seed: int) -> UsualBehaviour:
    fitted = fit_usual(world(seed)[0], 1)
    assert fitted is not None
    return fitted


def last_of(said: Sequence[Sequence[Change]]) -> list[Change]:
    """Each change as it was said last."""
    return [*{(each.kind, each.started_us): each for each in chain(*said)}.values()]


def watched(seed: int, steps: list[Step]) -> list[Change]:
    """What is said of these steps, each change as it was said last."""
    watch = BehaviourWatch(usual(seed), LEAST_WINDOWS)
    return last_of([watch.feed([step]) for step in steps])


@pytest.mark.parametrize("seed", SEEDS)
def test_on_a_stationary_stream_nothing_is_new_and_nothing_drifts(seed: int) -> None:
    assert watched(seed, world(seed)[1]) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_new_behaviour_is_said_with_its_words_within_its_first_session(seed: int) -> None:
    steps = world(seed)[2]
    first = next(step for step in steps if "garden" in step.labels[0])
    said = [change for change in watched(seed, steps) if change.kind == "new"]

    assert len(said) == 1, "the same behaviour of other days is said again, not anew"
    assert "garden" in said[0].terms
    assert said[0].started_us - first.ts_us < HOUR_US
    assert said[0].last_us - said[0].started_us > 15 * DAY_US
    assert said[0].windows >= 15 * LEAST_WINDOWS


def test_what_was_done_seldom_before_hides_nothing_new() -> None:
    """In this past two activities pass into each other in 2% of the windows."""
    steps, truth = planted(days=PAST_DAYS, seed=1)
    past = [step for step, name in zip(steps, truth, strict=True) if name != "garden"]
    garden = [step for step, name in zip(steps, truth, strict=True) if name == "garden"]
    fitted = fit_usual(past, 7)
    assert fitted is not None
    watch = BehaviourWatch(fitted, LEAST_WINDOWS)

    assert [change.kind for change in last_of([watch.feed([step]) for step in garden])] == ["new"]


def test_the_nineteenth_unusual_window_says_nothing_and_the_twentieth_does() -> None:
    watch = BehaviourWatch(usual(11), LEAST_WINDOWS)
    began_us = world(11)[1][-1].ts_us + 2 * HOUR_US
    label = event_label("file.change", "zebra/quagga.webp")
    said = [watch.feed([Step(began_us + index * 60_000_000, (label,))]) for index in range(23)]

    assert [len(changes) for changes in said] == [0] * 22 + [1], "3 events are no window"
    assert said[-1][0].windows == 20


@pytest.mark.parametrize("seed", SEEDS)
def test_half_of_the_sessions_on_other_files_are_drift(seed: int) -> None:
    steps = world(seed)[3]
    drift = [change for change in watched(seed, steps) if change.kind == "drift"]

    assert len(drift) == 1
    assert 10 <= (drift[0].last_us - steps[0].ts_us) / DAY_US <= 15


@pytest.mark.slow
def test_what_comes_later_changes_nothing_that_was_said() -> None:
    steps = world(11)[2]
    rng = np.random.default_rng(8)
    for cut in (50, 1_500):
        labels = [steps[cut + i].labels for i in rng.permutation(len(steps) - cut)]
        scrambled = [Step(step.ts_us, own) for step, own in zip(steps[cut:], labels, strict=True)]
        one, other = (BehaviourWatch(usual(11), LEAST_WINDOWS) for _ in range(2))
        said = [one.feed([step]) for step in steps]
        again = [other.feed([step]) for step in [*steps[:cut], *scrambled]]

        assert said[:cut] == again[:cut]
        batch = BehaviourWatch(usual(11), LEAST_WINDOWS)
        assert batch.feed(steps[:cut]) == last_of(said[:cut])
    assert any(said[:1_500])


def test_an_import_of_older_events_is_left_out() -> None:
    past, same, _, _ = world(11)
    watch = BehaviourWatch(usual(11), LEAST_WINDOWS)
    watch.feed(same)
    label = event_label("file.change", "zebra/quagga.webp")

    assert watch.feed([Step(past[0].ts_us + i, (label,)) for i in range(500)]) == []


def test_a_label_lies_where_scikit_learn_puts_it() -> None:
    texts = ["a/b/cc.py", "x", "Übung/Größe.TXT", "日本語/文書", "ls -la  /tmp", "", "a ab abc"]
    labels = tuple(event_label("file.change", text) for text in texts)
    rng = np.random.default_rng(0)
    encoder = {"kinds": rng.standard_normal((4096, 5)), "text": rng.standard_normal((4096, 5))}
    rows = np.arange(len(labels))
    events = Events(labels, rows, rows * DAY_US, 0 * rows, rows)
    first = np.maximum(rows - 2, 0)
    for start in (rows, first):
        windows = Windows(start, rows + 1, start, rows + 1, rows)
        content = content_of(encoder, events, windows)
        for index in rows.tolist():
            hashed = [hashed_label(label) for label in labels[start[index] : index + 1]]
            for name, expected in content.items():
                parts = [getattr(label, name) for label in hashed]
                assert project(parts, encoder[name]) == pytest.approx(expected[index])


def test_kept_files_measure_alike(tmp_path: Path) -> None:
    known = usual(11)
    for name, content in known.files().items():
        (tmp_path / name).write_bytes(content)
    window = [hashed_label(event_label("file.change", f"a/b{n}.py")) for n in range(9)]

    assert UsualBehaviour.load(tmp_path).distance(window) == known.distance(window)
    assert UsualBehaviour.load(tmp_path).files() == known.files()


def test_events_that_come_a_little_out_of_order_count() -> None:
    watch = BehaviourWatch(usual(11), LEAST_WINDOWS)
    began_us = world(11)[1][-1].ts_us + 2 * HOUR_US
    label = event_label("file.change", "zebra/quagga.webp")
    steps = [Step(began_us + (index ^ 1) * 1_000_000, (label,)) for index in range(24)]

    assert watch.feed(steps)[0].windows == 21


def test_too_little_is_no_base_for_what_is_usual() -> None:
    assert fit_usual(world(11)[0][:199], 1) is None


def test_page_hinkley_rises_with_a_lasting_shift_alone() -> None:
    rng, quiet, shifted = np.random.default_rng(5), PageHinkley(), PageHinkley()
    noise = rng.standard_normal(2_000)

    assert sum(quiet.add(value) for value in noise) == 0
    said = [shifted.add(value) for value in [*noise[:500], *(noise[500:] + 1.5)]]
    assert not any(said[:500])
    assert said.index(True) < 600

"""New behaviour and drift between two cycles: false alarms on stationary streams, and how long what
is planted takes to be noticed.

    python -m bench.behaviour

Planted streams of seeds that no value was chosen on, a past of two weeks and then a year; with
``BENCH_DATA`` also the development streams, as they are and with their days shuffled, which makes
them stationary.
"""

import csv
import gzip
from collections.abc import Sequence

import numpy as np

from bench._streams import stream_file
from selflow.core.settings import DiscoverSettings
from selflow.core.steps import Step, event_label
from selflow.discover.behaviour_watch import BehaviourWatch, Change
from selflow.discover.discover import cluster
from selflow.discover.usual import fit_usual
from selflow.discover.windows import DAY_US
from tests.unit.discover.worlds import planted

SEED = 7
SEEDS = range(100, 120)
PAST_DAYS, LATER_DAYS, NEW_FROM_DAY = 14, 365, 30
MINUTE_US = 60_000_000
STREAMS = ("git_pandoc", "git_datasette")


def main() -> None:
    """Print all tables."""
    print("| stream | days watched | steps | new behaviour | drift |")
    print("|---|---|---|---|---|")
    _stationary()
    _streams()
    print()
    _planted_changes()
    _later_months()


def _stationary() -> None:
    said: list[Change] = []
    days = windows = 0.0
    for seed in SEEDS:
        past, later, _ = _world(seed)
        changes = _watched(past, later)
        said += changes
        days += LATER_DAYS
        windows += len(later)
    _row(f"planted, stationary, {len(SEEDS)} seeds", days, int(windows), said)


def _streams() -> None:
    for name in STREAMS:
        if not stream_file(f"{name}.csv.gz").exists():
            continue
        steps = _commits(name)
        for label, ordered in ((name, steps), (f"{name}, days shuffled", _shuffled(steps))):
            first = len(ordered) // 2
            later = ordered[first:]
            days = (later[-1].ts_us - later[0].ts_us) / DAY_US
            _row(label, days, len(later), _watched(ordered[:first], later))


def _planted_changes() -> None:
    minutes, drift_days, missed = [], [], 0
    for seed in SEEDS:
        past, same, new = _world(seed)
        first_us = next(step.ts_us for step in new if "garden" in step.labels[0])
        noticed = [c for c in _watched(past, new, one_by_one=True) if c.kind == "new"]
        missed += not noticed
        minutes += [(noticed[0].last_us - first_us) / MINUTE_US] if noticed else []
        moved = _moved(same, seed)
        began_us = same[0].ts_us + NEW_FROM_DAY * DAY_US
        drift = [c for c in _watched(past, moved, one_by_one=True) if c.kind == "drift"]
        drift_days += [(c.last_us - began_us) / DAY_US for c in drift]
    print(
        f"A new activity of 24 events a day is noticed {np.median(minutes):.0f} minutes after its "
        f"first event (median; at most {max(minutes):.0f}; its 20th window comes after "
        f"{_twentieth_minutes():.0f}); missed in {missed} of {len(SEEDS)} streams. Half of the "
        f"sessions on other files are drift after {np.median(drift_days):.1f} days (median; at "
        f"most {max(drift_days):.1f}; before the change in {sum(d < 0 for d in drift_days)})."
    )


def _later_months() -> None:
    """Steps that are in no cluster, of those that a model knows and of those that come later."""
    print("\n| stream, seed | steps in no cluster | later steps in no cluster |\n|---|---|---|")
    for seed in SEEDS[:3]:
        past, later, _ = _world(seed)
        _noise(f"planted, {PAST_DAYS} days and {LATER_DAYS} later, {seed}", past, later)
    for name in STREAMS:
        if stream_file(f"{name}.csv.gz").exists():
            steps = _commits(name)
            half = len(steps) // 2
            _noise(f"{name}, first and second half, {SEED}", steps[:half], steps[half:])


def _noise(name: str, past: Sequence[Step], later: Sequence[Step]) -> None:
    model = cluster(past, DiscoverSettings(), SEED).model
    own, new = ((model.assign_before(steps) < 0).mean() for steps in (past, later))
    print(f"| {name} | {own:.3f} | {new:.3f} |", flush=True)


def _twentieth_minutes() -> float:
    """Median minutes from an activity's first event of a day to its 23rd, the end of its 20th
    window.
    """
    spans = []
    for seed in SEEDS:
        own = [s for s in _world(seed)[2] if "garden" in s.labels[0]]
        spans.append((own[22].ts_us - own[0].ts_us) / MINUTE_US)
    return float(np.median(spans))


def _world(seed: int) -> tuple[list[Step], list[Step], list[Step]]:
    """A past without one activity, and what comes later without and with it."""
    days = PAST_DAYS + LATER_DAYS
    steps, truth = planted(days=days, seed=seed)
    day = len(steps) // days
    usual = [name != "garden" for name in truth]
    past = [steps[i] for i in range(PAST_DAYS * day) if usual[i]]
    later = range(PAST_DAYS * day, len(steps))
    begins = (PAST_DAYS + NEW_FROM_DAY) * day
    return (
        past,
        [steps[i] for i in later if usual[i]],
        [steps[i] for i in later if usual[i] or i >= begins],
    )


def _moved(steps: Sequence[Step], seed: int) -> list[Step]:
    """From a day on, half of the hours on files of other names."""
    is_moved = np.random.default_rng(seed).random(24 * (LATER_DAYS + 2)) < 0.5
    names, first_us = str.maketrans("aeiou", "oiuea"), steps[0].ts_us
    begins_us = first_us + NEW_FROM_DAY * DAY_US
    return [
        Step(step.ts_us, tuple(label.translate(names) for label in step.labels))
        if step.ts_us >= begins_us and is_moved[(step.ts_us - first_us) // (60 * MINUTE_US)]
        else step
        for step in steps
    ]


def _watched(
    past: Sequence[Step], later: Sequence[Step], *, one_by_one: bool = False
) -> list[Change]:
    """What is said, each change as it was said last, or ``one_by_one`` as it was said first."""
    usual = fit_usual(past, SEED)
    if usual is None:
        return []
    watch = BehaviourWatch(usual, DiscoverSettings().new_behaviour_windows)
    changes: dict[tuple[str, int], Change] = {}
    for step in later:
        for change in watch.feed([step]):
            key = change.kind, change.started_us
            changes[key] = changes.get(key, change) if one_by_one else change
    return list(changes.values())


def _commits(name: str) -> list[Step]:
    """One step per commit, its paths as labels."""
    with gzip.open(stream_file(f"{name}.csv.gz"), "rt") as file:
        commits: dict[str, tuple[int, list[str]]] = {}
        for row in csv.DictReader(file):
            moment = int(row["ts"]) * 1_000_000
            label = event_label("file.change", row["path"])
            commits.setdefault(row["commit"], (moment, []))[1].append(label)
    return sorted(
        (Step(ts_us, tuple(labels)) for ts_us, labels in commits.values()),
        key=lambda step: step.ts_us,
    )


def _shuffled(steps: Sequence[Step]) -> list[Step]:
    """The same days in another order: what was done in a day is kept, the trend is not."""
    days: dict[int, list[Step]] = {}
    for step in steps:
        days.setdefault(step.ts_us // DAY_US, []).append(step)
    order = np.random.default_rng(SEED).permutation(list(days)).tolist()
    return [
        Step(step.ts_us + (day - other) * DAY_US, step.labels)
        for day, other in zip(days, order, strict=True)
        for step in days[other]
    ]


def _row(name: str, days: float, steps: int, changes: Sequence[Change]) -> None:
    kinds = [change.kind for change in changes]
    print(f"| {name} | {days:,.0f} | {steps:,} | {kinds.count('new')} | {kinds.count('drift')} |")


if __name__ == "__main__":
    main()

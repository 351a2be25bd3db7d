"""Clusters of a table that stands alone: of rows of numbers, or of rows that are events."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from selflow.core.steps import Step
from selflow.core.table_clusters import TableClusters
from selflow.discover.discover import choose_balance, corrected, score_null, too_few
from selflow.discover.families import FAMILIES
from selflow.discover.features import Blocks, Floats, blocks_of, fit_encoder
from selflow.discover.persistence import Labels
from selflow.discover.stability import TABLE_KS, Effort, Measured, Progress, measured
from selflow.discover.windows import Events, Ints, Windows, events_of, windows_of

BOOTSTRAPS, NULL_BOOTSTRAPS, NULL_SETS = 10, 2, 6
"""So many that 3,000 rows take under 30 s; the 95th percentile of six null scores is nearly their
largest.
"""
LEAST_ROWS = 30
"""With fewer there are not ten micro-clusters of three rows."""


def discover_numbers(values: Floats, seed: int, progress: Progress | None = None) -> TableClusters:
    """Clusters of rows of numbers: every column counts alike, whatever its unit.

    Args:
        values: (n, d), finite; rows are taken for independent, each is a day of its own.
        seed: Of all draws.
        progress: Called with the fits done and those there are.

    Cost: 12 s for 3,000 rows of 16 columns on one core, null data sets included.
    """
    if len(values) < LEAST_ROWS:
        return _no_clusters(len(values), f"not enough rows: {len(values)} of {LEAST_ROWS}")
    spread = values.std(0)
    if not (spread > 0).any():
        return _no_clusters(len(values), "no column varies")
    used = (values[:, spread > 0] - values.mean(0)[spread > 0]) / spread[spread > 0]
    blocks, row = {"columns": used}, np.arange(len(used))
    effort = Effort(BOOTSTRAPS, TABLE_KS, 2)
    result = measured(blocks, row, effort, seed, FAMILIES, progress)
    nulls = Effort(NULL_BOOTSTRAPS, TABLE_KS, 2)
    return _document(result, result.labels, _null_scores(blocks, row, nulls, seed))


def discover_events(
    steps: Sequence[Step], seed: int, progress: Progress | None = None
) -> TableClusters:
    """Clusters of events in the windows that the learning cycle clusters; an event takes the
    cluster that most of its windows have.

    Args:
        steps: One per row, in any order; each has one label.
        seed: Of all draws.
        progress: Called with the fits done and those there are.
    """
    order = sorted(range(len(steps)), key=lambda row: steps[row].ts_us)
    events = events_of([steps[row] for row in order])
    windows = windows_of(events)
    if few := too_few(windows.day):
        return _no_clusters(len(steps), few)
    blocks = blocks_of(fit_encoder(events, windows, seed), events, windows)
    balance = choose_balance(blocks, windows.day, seed, FAMILIES)
    effort = Effort(BOOTSTRAPS, balance=balance)
    result = measured(blocks, windows.day, effort, seed, FAMILIES, progress)
    labels = np.full(len(steps), -1, np.int32)
    labels[np.array(order)[events.step]] = _of_events(events, windows, result.labels)
    nulls = Effort(NULL_BOOTSTRAPS, balance=balance)
    return _document(result, labels, _null_scores(blocks, windows.day, nulls, seed))


def _null_scores(blocks: Blocks, day: Ints, effort: Effort, seed: int) -> Floats:
    """(NULL_SETS, 2): S and C of each null data set."""
    scores = [score_null(blocks, day, effort, (seed, number)) for number in range(NULL_SETS)]
    return np.array([(score.s, score.c) for score in scores])


def _of_events(events: Events, windows: Windows, labels: Labels) -> Labels:
    """(e,): what most of an event's windows are, of two the earlier one; -1 without one."""
    votes: list[Counter[int]] = [Counter() for _ in events.label]
    spans = zip(windows.start.tolist(), windows.stop.tolist(), labels.tolist(), strict=True)
    for start, stop, label in spans:
        for row in range(start, stop):
            votes[row][label] += 1
    return np.array([max(vote, key=vote.__getitem__, default=-1) for vote in votes], np.int32)


def _document(result: Measured, labels: Labels, nulls: Floats) -> TableClusters:
    s_null, c_null = np.percentile(nulls, 95, axis=0).tolist()
    size = np.bincount(labels + 1, minlength=len(result.agreement) + 1)[1:]
    document = {
        "n": len(labels),
        "k": len(result.agreement),
        "s_star": corrected(result.s, s_null),
        "c_star": corrected(result.s / max(result.coverage, 1e-12), c_null),
        "coverage": float((labels >= 0).mean()),
        "clusters": [
            {"id": number, "size": int(size[number]), "j": float(agreement)}
            for number, agreement in enumerate(result.agreement)
        ],
        "families": {
            name: {figure: figures[figure] for figure in ("k", "ami", "ari")}
            for name, figures in result.families.items()
        },
    }
    failed = [name for name, figures in result.families.items() if figures["error"]]
    return TableClusters(
        document, labels.tolist(), f"failed: {', '.join(failed)}" if failed else ""
    )


def _no_clusters(n: int, note: str) -> TableClusters:
    figures = {"k": 0, "ami": 0.0, "ari": 0.0}
    document = {
        "n": n,
        "k": 0,
        "s_star": 0.0,
        "c_star": 0.0,
        "coverage": 0.0,
        "clusters": [],
        "families": {name: dict(figures) for name in FAMILIES},
    }
    return TableClusters(document, [-1] * n, note)

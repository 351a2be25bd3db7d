"""Clusters that their owner takes for one pattern."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from selflow.core.steps import Step
from selflow.discover.discover import Clustered, weighed
from selflow.discover.features import stacked
from selflow.discover.naming import Pattern, describe
from selflow.discover.windows import events_of, windows_of


def merge(
    clustered: Clustered, steps: Sequence[Step], merges: Mapping[str, str]
) -> tuple[Clustered, tuple[Pattern, ...]]:
    """The clusters with those of one owner's pattern as one cluster of model and windows.

    It has the name that they are merged under, the number of the heaviest of them, the longest of
    their lives, and as agreement the mean of theirs by windows: how well the parts are found again.

    Args:
        clustered: Under the names that last over cycles.
        steps: What was clustered.
        merges: From a pattern's name to the one that it is merged under.

    Returns:
        The clusters, and those that are parts now, as they were.
    """
    groups: dict[str, list[Pattern]] = {}
    for pattern in clustered.patterns[:-1]:
        groups.setdefault(merges.get(pattern.name, pattern.name), []).append(pattern)
    parts = [p for name, own in groups.items() if [p.name for p in own] != [name] for p in own]
    for name, own in groups.items():
        if any(part in parts for part in own):
            clustered = _as_one(clustered, steps, name, own)
    return clustered, tuple(parts)


def _as_one(
    clustered: Clustered, steps: Sequence[Step], name: str, parts: Sequence[Pattern]
) -> Clustered:
    heaviest = max(parts, key=lambda pattern: pattern.windows)
    numbers = [pattern.number for pattern in parts]
    groups, labels = (
        np.where(np.isin(own, numbers), np.int32(heaviest.number), own)
        for own in (clustered.model.groups, clustered.labels)
    )
    model = replace(clustered.model, groups=groups)
    weight = np.array([pattern.windows for pattern in parts]) / sum(p.windows for p in parts)
    events = events_of(steps)
    windows = windows_of(events)
    x = (stacked(clustered.blocks) - model.mean) @ model.axes
    remaining, dense = np.unique(labels[labels >= 0], return_inverse=True)
    renumbered = labels.copy()
    renumbered[labels >= 0] = dense
    index = int(np.searchsorted(remaining, heaviest.number))
    described = describe(events, windows, x, renumbered, np.zeros(len(remaining)))[index]
    merged = replace(
        described,
        number=heaviest.number,
        name=name,
        agreement=float(weight @ [pattern.agreement or 0 for pattern in parts]),
        families={
            family: float(weight @ [pattern.families[family] for pattern in parts])
            for family in heaviest.families
        },
        alive_cycles=max(
            (p.alive_cycles for p in parts if p.alive_cycles is not None), default=None
        ),
        parts=tuple(pattern.name for pattern in parts),
    )
    merged = weighed(merged, events, windows, labels, model.assign_before(steps), clustered.seed)
    others = [pattern for pattern in clustered.patterns[:-1] if pattern.number not in numbers]
    heavy_first = sorted([*others, merged], key=lambda pattern: -pattern.windows)
    return replace(
        clustered,
        model=model,
        labels=labels,
        patterns=(*heavy_first, clustered.patterns[-1]),
        report=replace(clustered.report, k=len(heavy_first)),
    )

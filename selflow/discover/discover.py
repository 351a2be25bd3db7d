"""The public door of discovery: steps in; patterns, a model and a report out."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from selflow.core.settings import DiscoverSettings
from selflow.core.steps import Step
from selflow.discover.families import FAMILIES, Families
from selflow.discover.features import Blocks, blocks_of, fit_encoder, stacked
from selflow.discover.model import ClusterModel, packed, unpacked
from selflow.discover.naming import Pattern, describe
from selflow.discover.stability import Progress, measured
from selflow.discover.windows import Ints, events_of, windows_of

NULL_BOOTSTRAPS = 4
"""Per family, on a data set without patterns: fewer than on the real one, as there are many."""
LEAST_DAYS, LEAST_WINDOWS = 10, 60
"""Below these days cannot be drawn and left out, or windows grouped: nothing is clustered."""


@dataclass(frozen=True, slots=True)
class Report:
    """How far a clustering is agreed on; what was not measured is None."""

    windows: int
    days: int
    k: int
    s: float
    coverage: float
    families: dict[str, dict[str, float | str]]
    note: str
    s_null: float | None = None
    s_star: float | None = None
    c_star: float | None = None


@dataclass(frozen=True, slots=True)
class Clustered:
    """Clusters before any is admitted, and the windows that null data sets are made from."""

    model: ClusterModel
    blocks: Blocks
    day: Ints
    seed: int
    report: Report
    patterns: tuple[Pattern, ...]
    """All clusters, heaviest first, then everything"""

    def files(self) -> dict[str, bytes]:
        """Name to content, for ``load``."""
        windows = packed({**self.blocks, "day": self.day})
        document = _DOCUMENT.dump_json((self.seed, self.report, self.patterns))
        return {**self.model.files(), "windows.npz": windows, "clustered.json": document}

    @classmethod
    def load(cls, folder: Path) -> "Clustered":
        """From the folder that holds ``files()``; raises ArtifactError if its arrays are missing or
        not whole.
        """
        blocks = unpacked(folder / "windows.npz")
        document = _DOCUMENT.validate_json((folder / "clustered.json").read_bytes())
        return cls(ClusterModel.load(folder), blocks, blocks.pop("day"), *document)


_DOCUMENT = TypeAdapter(tuple[int, Report, tuple[Pattern, ...]])


@dataclass(frozen=True, slots=True)
class NullScore:
    """What the same procedure scores on a data set without patterns: S and S / coverage."""

    number: int
    s: float
    c: float


@dataclass(frozen=True, slots=True)
class Discovery:
    """The admitted patterns, heaviest first, or ``everything`` alone."""

    model: ClusterModel
    patterns: tuple[Pattern, ...]
    report: Report

    def document(self) -> dict[str, Any]:
        """Report and patterns as JSON values."""
        return {**asdict(self.report), "patterns": [asdict(pattern) for pattern in self.patterns]}


def cluster(
    steps: Sequence[Step],
    settings: DiscoverSettings,
    seed: int,
    progress: Progress | None = None,
    families: Families = FAMILIES,
) -> Clustered:
    """Windows of ``steps``, the consensus of ``families`` on them, and how far each cluster is
    agreed on.

    Below 10 days or 60 windows nothing is clustered. Nothing but the arguments has a part in it.
    """
    events = events_of(steps)
    windows = windows_of(events)
    n, days = len(windows.day), len(np.unique(windows.day))
    if days < LEAST_DAYS or n < LEAST_WINDOWS:
        few = (
            f"days: {days} of {LEAST_DAYS}"
            if days < LEAST_DAYS
            else f"windows: {n} of {LEAST_WINDOWS}"
        )
        no = np.zeros((n, 0))
        patterns = describe(events, windows, no, np.zeros(n, np.int32), np.zeros(0))
        report = Report(n, days, 0, 0.0, 0.0, {}, f"not enough {few}")
        model = ClusterModel(no, no, no, no, no, no, np.zeros(0, np.int32))
        return Clustered(model, {}, windows.day, seed, report, patterns)
    encoder = fit_encoder(events, seed)
    blocks = blocks_of(encoder, events, windows)
    result = measured(blocks, windows.day, settings.bootstraps, seed, families, progress)
    centroids, radius = result.micro.centroids, np.array(result.micro.radius)
    model = ClusterModel(
        encoder["kinds"],
        encoder["text"],
        result.mean,
        result.axes,
        centroids,
        radius,
        result.groups,
    )
    x = (stacked(blocks) - result.mean) @ result.axes
    patterns = describe(events, windows, x, result.labels, result.agreement)
    report = Report(n, days, len(patterns) - 1, result.s, result.coverage, result.families, "")
    return Clustered(model, blocks, windows.day, seed, report, patterns)


def null_numbers(settings: DiscoverSettings) -> range:
    """The null data sets that are asked for."""
    return range(settings.null_sets)


def null_score(clustered: Clustered, number: int, families: Families = FAMILIES) -> NullScore:
    """S of null data set ``number``: each block's rows in an order of their own, the whole
    procedure repeated.

    Four bootstraps per family. Independent of all other numbers, so that they may run side by side.
    """
    if not clustered.blocks:
        return NullScore(number, 0.0, 0.0)
    rng = np.random.default_rng([clustered.seed, 3, number])
    blocks = {name: rng.permutation(clustered.blocks[name]) for name in sorted(clustered.blocks)}
    result = measured(blocks, clustered.day, NULL_BOOTSTRAPS, int(rng.integers(2**31)), families)
    return NullScore(number, result.s, result.s / max(result.coverage, 1e-12))


def conclude(
    clustered: Clustered, nulls: Sequence[NullScore], settings: DiscoverSettings
) -> Discovery:
    """Which clusters are patterns, and the figures corrected by what null data sets score."""
    report = clustered.report
    if nulls and report.k:
        s_null, c_null = np.percentile([(null.s, null.c) for null in nulls], 95, axis=0).tolist()
        c_star = _corrected(report.s / max(report.coverage, 1e-12), c_null)
        report = replace(report, s_null=s_null, s_star=_corrected(report.s, s_null), c_star=c_star)
    *clusters, everything = clustered.patterns
    least_agreement, least_events = settings.min_agreement, settings.min_events
    admitted = [
        pattern
        for pattern in clusters
        if (pattern.agreement or 0) >= least_agreement and pattern.events >= least_events
    ]
    if not admitted:
        best = max((pattern.agreement or 0 for pattern in clusters), default=0)
        why = (
            report.note
            or f"no cluster has agreement {least_agreement:.2f} and {least_events:,} events "
            f"(best {best:.2f})"
        )
        report = replace(report, note=f"{why}; the whole stream is the one pattern")
    admitted.sort(key=lambda pattern: -pattern.windows)
    return Discovery(clustered.model, tuple(admitted) or (everything,), report)


def _corrected(score: float, null: float) -> float:
    """The part of the way from the null's score to 1; 0 where the null leaves no way to go."""
    return max(0.0, (score - null) / (1 - null)) if null <= 0.999 else 0.0

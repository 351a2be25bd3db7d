"""The public door of discovery: steps in; patterns, a model and a report out."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from selflow.core.settings import DiscoverSettings
from selflow.core.steps import Step
from selflow.discover.admission import grade, why_not
from selflow.discover.advantage import advantage
from selflow.discover.cut import VALID
from selflow.discover.families import FAMILIES, Families
from selflow.discover.features import Blocks, Floats, blocks_of, fit_encoder, stacked
from selflow.discover.model import ClusterModel, packed, unpacked
from selflow.discover.naming import Pattern, describe
from selflow.discover.persistence import Labels
from selflow.discover.stability import Effort, Progress, measured
from selflow.discover.views import Views, views_of
from selflow.discover.windows import Events, Ints, Windows, events_of, windows_of

NULL_BOOTSTRAPS = 4
"""Per family, on a data set without patterns: fewer than on the real one, as there are many."""
FOUND_AGAIN = 0.5
"""Jaccard index from which on half of the days has found a cluster of all days."""
LEAST_S = 0.5
"""Below it, no null data set is scored: what is left after their correction would be too little."""
LEAST_DAYS, LEAST_WINDOWS = 10, 60
"""Below these days cannot be drawn and left out, or windows grouped: nothing is clustered."""
BALANCES: tuple[Mapping[str, float], ...] = (
    {"time": 1.0, "counts": 1.0},
    {"time": 0.5, "counts": 0.5},
    {"time": 0.0, "counts": 0.0},
)
"""Of hours and counts beside the content. They are never more than it: what was done matters, not
that it was morning.
"""
BALANCE_DAYS, BALANCE_KS = 0.7, (4, 6, 8, 12, 19)


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
    balance: Mapping[str, float] = field(default_factory=dict)
    s_null: float | None = None
    s_star: float | None = None
    c_star: float | None = None


@dataclass(frozen=True, slots=True)
class Clustered:
    """Clusters before any is admitted, and the windows that null data sets are made from."""

    model: ClusterModel
    blocks: Blocks
    day: Ints
    labels: Labels
    """(n,), the cluster of each window; -1 is noise"""
    seed: int
    report: Report
    patterns: tuple[Pattern, ...]
    """All clusters, heaviest first, then everything"""
    views: Views | None = None
    """As the families see them; None where nothing was clustered, and for the null data sets"""

    def files(self) -> dict[str, bytes]:
        """Name to content, for ``load``."""
        windows = packed({**self.blocks, "day": self.day, "labels": self.labels})
        document = _DOCUMENT.dump_json((self.seed, self.report, self.patterns))
        return {**self.model.files(), "windows.npz": windows, "clustered.json": document}

    @classmethod
    def load(cls, folder: Path) -> "Clustered":
        """From the folder that holds ``files()``; raises ArtifactError if its arrays are missing or
        not whole.
        """
        blocks = unpacked(folder / "windows.npz")
        document = _DOCUMENT.validate_json((folder / "clustered.json").read_bytes())
        day, labels = blocks.pop("day"), blocks.pop("labels")
        return cls(ClusterModel.load(folder), blocks, day, labels, *document)


_DOCUMENT = TypeAdapter(tuple[int, Report, tuple[Pattern, ...]])


@dataclass(frozen=True, slots=True)
class NullScore:
    """What the same procedure scores on a data set without patterns: S and S / coverage."""

    number: int
    s: float
    c: float


@dataclass(frozen=True, slots=True)
class Discovery:
    """All clusters, those that may have an agent (no ``reason`` against it) first, each heaviest
    first; if none may, ``everything`` comes before them.
    """

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
    if few := too_few(windows.day):
        no = np.zeros((n, 0))
        patterns = describe(events, windows, no, np.zeros(n, np.int32), np.zeros(0))
        report = Report(n, days, 0, 0.0, 0.0, {}, few)
        model = ClusterModel(no, no, no, no, no, np.zeros(0), np.zeros(0, np.int32))
        return Clustered(model, {}, windows.day, np.full(n, -1, np.int32), seed, report, patterns)
    encoder = fit_encoder(events, windows, seed)
    blocks = blocks_of(encoder, events, windows)
    effort = Effort(
        settings.bootstraps, balance=choose_balance(blocks, windows.day, seed, families)
    )
    result = measured(blocks, windows.day, effort, seed, families, progress)
    model, assigned = ClusterModel(
        encoder["kinds"],
        encoder["text"],
        result.mean,
        result.axes,
        result.micro.centroids,
        result.radius,
        result.groups,
    ).reaching(steps)
    x = (stacked(blocks) - result.mean) @ result.axes
    patterns = describe(events, windows, x, result.labels, result.agreement)
    patterns = tuple(
        replace(pattern, steps=len(assigned))
        if pattern.agreement is None
        else weighed(
            replace(pattern, families=result.jaccard[pattern.number]),
            events,
            windows,
            result.labels,
            assigned,
            seed,
        )
        for pattern in patterns
    )
    report = Report(
        n, days, len(patterns) - 1, result.s, result.coverage, result.families, "", effort.balance
    )
    views = views_of(result.votes, result.index, result.groups, result.micro.home)
    return Clustered(model, blocks, windows.day, result.labels, seed, report, patterns, views)


def weighed(
    pattern: Pattern, events: Events, windows: Windows, labels: Labels, assigned: Labels, seed: int
) -> Pattern:
    """With its steps, grade and, where it may count, what its past is worth.

    ``labels`` (n,) are the clusters of the windows, ``assigned`` those of the steps.
    """
    agreement = pattern.agreement or 0
    members = labels == pattern.number
    return replace(
        pattern,
        steps=int((assigned == pattern.number).sum()),
        grade=grade(agreement),
        advantage=advantage(events, windows, members, seed) if agreement >= VALID else None,
    )


def found_in_halves(clustered: Clustered, families: Families = FAMILIES) -> list[int]:
    """In how many of the first and the second half of the days each cluster is found again, 0 to 2,
    where neither half knows of the other.

    It is found if one of the half's clusters has a Jaccard index of .5 with it on those windows of
    the half that are in a cluster of all days. Source of .5: Hennig 2007, dissolved below.

    Cost: two clusterings of half the windows, with four bootstraps per family.
    """
    k, day = len(clustered.patterns) - 1, clustered.day
    times = np.zeros(k, np.int64)
    if k:
        effort = Effort(NULL_BOOTSTRAPS, balance=clustered.report.balance)
        middle = np.median(np.unique(day))
        for is_in in (day < middle, day >= middle):
            half = {name: block[is_in] for name, block in clustered.blocks.items()}
            again = measured(half, day[is_in], effort, clustered.seed, families).labels
            times += _best_jaccard(clustered.labels[is_in], again, k) >= FOUND_AGAIN
    return times.tolist()


def any_waits_for_cycles(
    clustered: Clustered, settings: DiscoverSettings, min_gate_steps: int
) -> bool:
    """Whether any cluster lacks nothing for an agent but to be found by several cycles."""
    return settings.min_cycles > 1 and any(
        not _why_not(pattern, settings, min_gate_steps) for pattern in clustered.patterns[:-1]
    )


def _best_jaccard(ours: Labels, theirs: Labels, k: int) -> Floats:
    """(k,) of each of our clusters with one of theirs, on windows that are in one of ours."""
    used = ours >= 0
    table = np.zeros((k, int(theirs.max(initial=-1)) + 2))
    np.add.at(table, (ours[used], theirs[used] + 1), 1)
    either = table.sum(1, keepdims=True) + table.sum(0) - table
    best: Floats = (table / np.maximum(either, 1))[:, 1:].max(1, initial=0.0)
    return best


def too_few(day: Ints) -> str:
    """What so many windows of these days lack to be clustered; empty if nothing."""
    n, days = len(day), len(np.unique(day))
    if days < LEAST_DAYS:
        return f"not enough days: {days} of {LEAST_DAYS}"
    return f"not enough windows: {n} of {LEAST_WINDOWS}" if n < LEAST_WINDOWS else ""


def choose_balance(blocks: Blocks, day: Ints, seed: int, families: Families) -> Mapping[str, float]:
    """What hours and counts weigh beside the content: of three balances the one with the largest S
    on the first 70% of days.

    The later days have no part in it, so that S on all of them is not the best of three.
    """
    early = day <= np.quantile(np.unique(day), BALANCE_DAYS)
    past = {name: block[early] for name, block in blocks.items()}
    if len(np.unique(day[early])) < LEAST_DAYS or early.sum() < LEAST_WINDOWS:
        return BALANCES[0]
    return max(
        BALANCES,
        key=lambda balance: (
            measured(past, day[early], Effort(2, BALANCE_KS, balance=balance), seed, families).s
        ),
    )


def null_numbers(clustered: Clustered, settings: DiscoverSettings) -> range:
    """The null data sets that are asked for; none where so little is agreed on that no correction
    would let it pass.
    """
    return range(settings.null_sets if clustered.report.s >= LEAST_S else 0)


def null_score(clustered: Clustered, number: int, families: Families = FAMILIES) -> NullScore:
    """S of null data set ``number``, the whole procedure repeated with four bootstraps per family.

    Independent of all other numbers, so that they may run side by side.
    """
    if not clustered.blocks:
        return NullScore(number, 0.0, 0.0)
    effort = Effort(NULL_BOOTSTRAPS, balance=clustered.report.balance)
    return score_null(clustered.blocks, clustered.day, effort, (clustered.seed, number), families)


def score_null(
    blocks: Blocks, day: Ints, effort: Effort, seeds: tuple[int, int], families: Families = FAMILIES
) -> NullScore:
    """S of null data set ``seeds[1]`` of these blocks.

    Of several blocks each is permuted, so that no row's blocks belong together. A single block is
    replaced by one cluster of its covariance: in turn by draws of the normal distribution and of
    the uniform one in the box along the main directions.

    Source: Tibshirani, Walther and Hastie 2001 (the gap statistic's box).
    """
    rng = np.random.default_rng([seeds[0], 3, seeds[1]])
    if len(blocks) > 1:
        null = {name: rng.permutation(blocks[name]) for name in sorted(blocks)}
    else:
        ((name, block),) = blocks.items()
        turned, axes = np.linalg.eigh(np.atleast_2d(np.cov(block.T)))
        deviations = np.sqrt(np.maximum(turned, 0))
        is_box = seeds[1] % 2 == 1
        box = rng.uniform(-(3**0.5), 3**0.5, block.shape)
        null = {name: (box if is_box else rng.standard_normal(block.shape)) * deviations @ axes.T}
    result = measured(null, day, effort, int(rng.integers(2**31)), families)
    return NullScore(seeds[1], result.s, result.s / max(result.coverage, 1e-12))


def conclude(
    clustered: Clustered,
    nulls: Sequence[NullScore],
    settings: DiscoverSettings,
    min_gate_steps: int,
) -> Discovery:
    """Which clusters may have an agent, and the figures corrected by what null data sets score.

    Args:
        clustered: The clusters.
        nulls: Scores of null data sets; none, and nothing is said of them.
        settings: The section ``discover``.
        min_gate_steps: Steps of its own that the gate asks of a candidate.
    """
    report = clustered.report
    if report.k and report.s < LEAST_S:
        why = f"S is {report.s:.3f}; below {LEAST_S} no null data set is scored, S* is left out"
        report = replace(report, note=why)
    if nulls and report.k:
        s_null, c_null = np.percentile([(null.s, null.c) for null in nulls], 95, axis=0).tolist()
        c_star = corrected(report.s / max(report.coverage, 1e-12), c_null)
        report = replace(report, s_null=s_null, s_star=corrected(report.s, s_null), c_star=c_star)
    *clusters, everything = clustered.patterns
    reasoned = [
        replace(pattern, reason=_why_not(pattern, settings, min_gate_steps)) for pattern in clusters
    ]
    reasoned.sort(key=lambda pattern: (pattern.reason != "", -pattern.windows))
    if not any(pattern.reason == "" for pattern in reasoned):
        best = max((pattern.agreement or 0 for pattern in clusters), default=0)
        none = f"none of {report.k} clusters may have an agent (best J {best:.2f})"
        why = "; ".join(filter(None, (report.note, none if report.k else "")))
        report = replace(report, note=f"{why}; the whole stream is the one pattern")
        reasoned = [everything, *reasoned]
    return Discovery(clustered.model, tuple(reasoned), report)


def _why_not(pattern: Pattern, settings: DiscoverSettings, min_gate_steps: int) -> str:
    return why_not(
        pattern.agreement or 0,
        pattern.steps,
        pattern.advantage,
        pattern.alive_cycles,
        min_agreement=settings.min_agreement,
        min_gate_steps=min_gate_steps,
        min_cycles=settings.min_cycles,
    )


def corrected(score: float, null: float) -> float:
    """The part of the way from the null's score to 1; 0 where the null leaves no way to go."""
    return max(0.0, (score - null) / (1 - null)) if null <= 0.999 else 0.0

"""What a pattern is called and what it shows of itself."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from selflow.core.steps import label_event
from selflow.discover.admission import Grade
from selflow.discover.advantage import Advantage
from selflow.discover.features import Floats, words
from selflow.discover.persistence import Labels
from selflow.discover.windows import HOUR_US, Events, Windows, rows_of

EVERYTHING = "everything"
TERMS, NAME_TERMS, MEDOIDS = 20, 3, 5
Terms = tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Pattern:
    """A cluster of windows, as an owner sees it: its most telling words and the labels of its most
    typical windows.

    ``number`` is that of its model, -1 for everything; ``share`` is of all windows, ``hours`` of
    its events by hour (UTC), ``days`` those on which one of its windows began; ``agreement`` is J,
    None where it was not measured, ``families`` the same by family; ``steps`` are those that the
    model assigns to it; ``advantage`` is None where it was not measured; ``reason`` says why it
    gets no agent. ``alive_cycles`` counts the cycles in a row that have found it, None where it was
    compared with none; ``parts`` names the patterns that their owner merged in it.
    """

    number: int
    name: str
    terms: Terms
    windows: int
    events: int
    share: float
    agreement: float | None
    hours: tuple[float, ...]
    medoids: tuple[tuple[str, ...], ...]
    days: int
    steps: int = 0
    families: Mapping[str, float] = field(default_factory=dict)
    grade: Grade | None = None
    advantage: Advantage | None = None
    reason: str = ""
    alive_cycles: int | None = None
    parts: tuple[str, ...] = ()


def describe(
    events: Events, windows: Windows, x: Floats, labels: Labels, agreement: Floats
) -> tuple[Pattern, ...]:
    """One pattern per cluster, then ``everything``; their names differ.

    ``x`` (n, 16) and ``labels`` (n,) are the windows' places and clusters, ``agreement`` (k,) is J.
    """
    k = len(agreement)
    own = [*(np.flatnonzero(labels == number) for number in range(k)), np.arange(len(labels))]
    about = [*((number, float(agreement[number])) for number in range(k)), (-1, None)]
    rows = [rows_of(windows, members) for members in own]
    texts = [words(label_event(label)[1]) for label in events.labels]
    counts = [
        Counter(term for row in members for term in texts[events.label[row]]) for members in rows
    ]
    terms = [*telling_terms(counts[:k]), *telling_terms(counts[k:])]
    joined = ["-".join(term for term, _ in own_terms[:NAME_TERMS]) for own_terms in terms[:k]]
    names = [*unique(joined, {EVERYTHING}), EVERYTHING]
    patterns = []
    for (number, j), name, telling, members, row in zip(
        about, names, terms, own, rows, strict=True
    ):
        apart = ((x[members] - x[members].mean(0)) ** 2).sum(1) if len(members) else members
        near = members[np.argsort(apart, kind="stable")[:MEDOIDS]]
        spans = [events.label[windows.start[index] : windows.stop[index]] for index in near]
        medoids = tuple(tuple(events.labels[label] for label in span) for span in spans)
        hours = tuple(
            (
                np.bincount(events.ts_us[row] // HOUR_US % 24, minlength=24) / max(1, len(row))
            ).tolist()
        )
        share = len(members) / max(1, len(labels))
        patterns.append(
            Pattern(
                number,
                name,
                telling,
                len(members),
                len(row),
                share,
                j,
                hours,
                medoids,
                len(np.unique(windows.day[members])),
            )
        )
    return tuple(patterns)


def unique(names: list[str], taken: set[str]) -> list[str]:
    """Each name in letters, digits and hyphens (at most 63), with a number behind it where it is
    taken.
    """
    given: list[str] = []
    for name in names:
        plain = re.sub(r"[^a-z0-9]+", "-", name).strip("-")[:56].rstrip("-") or "pattern"
        tries = (plain, *(f"{plain}-{number}" for number in range(2, len(names) + len(taken) + 2)))
        given.append(next(name for name in tries if name not in taken and name not in given))
    return given


def telling_terms(counts: list[Counter[str]]) -> list[Terms]:
    """c-TF-IDF: a word's share of its cluster times log(1 + mean words of a cluster / its count in
    all).

    Source: Grootendorst 2022. Single letters and bare numbers tell nothing and are left out.
    """
    total = sum(counts, Counter[str]())
    terms = []
    for own in counts:
        weight = {
            term: count / own.total() * float(np.log1p(total.total() / len(counts) / total[term]))
            for term, count in own.items()
            if len(term) > 1 and not term.isdecimal()
        }
        terms.append(tuple(sorted(weight.items(), key=lambda item: (-item[1], item[0]))[:TERMS]))
    return terms

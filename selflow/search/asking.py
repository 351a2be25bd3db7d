"""Ask one's own data: a question in plain English, the events that it means, and what is true of
them. ``ask`` is the one call for the command line, a page or an HTTP route.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from pathlib import Path

import numpy as np

from selflow.core.clock import Clock, as_datetime, rfc3339
from selflow.core.errors import UsageError
from selflow.core.ports import EventFeed
from selflow.search import index as index_file
from selflow.search.facts import Matches, compose
from selflow.search.follow import Progress, catch_up
from selflow.search.index import SearchIndex
from selflow.search.periods import BEGIN_US, END_US, moment_us
from selflow.search.question import understand
from selflow.search.records import (
    MAX_RESULTS,
    Answer,
    Family,
    Filter,
    Period,
    Question,
    SearchResult,
)
from selflow.search.similar import nearest_items

NEWEST_EVENTS = 5_000
"""Events within the question's other filters whose spelling is compared with its words."""
TOP_FUSED = 300
_RANK_OFFSET = 60
"""Of the reciprocal rank (Cormack et al. 2009): the score of the first result is 1/61."""


@dataclass(frozen=True, slots=True)
class Request:
    """A question, and limits that hold beside those in its words."""

    text: str
    limit: int = 10
    kinds: tuple[str, ...] = ()
    since_us: int | None = None
    until_us: int | None = None


@dataclass(frozen=True, slots=True)
class SearchPlace:
    """What answers come from, and whose clock and zone "yesterday" means."""

    folder: Path
    """Of derived files: ``<root>/derived``."""
    feed: EventFeed
    clock: Clock
    zone: tzinfo


def ask(
    request: Request, where: SearchPlace, progress: Progress = lambda _done, _total: None
) -> Answer:
    """Bring the index up to date and answer from it. Events deleted from the log are in no answer.

    Raises:
        UsageError: The question is empty, too long or holds nothing that can be searched.
        StoreError: The log cannot be read, or another process holds the index for too long.

    Cost: below 0.2 s for 130,000 events (bench/ask.py) once the index is up to date.
    """
    question = _limited(understand(request.text, where.clock.now_us(), where.zone), request)
    notes = catch_up(where.folder, where.feed, where.clock, progress)
    try:
        return answer_question(question, request.limit, where, notes)
    except sqlite3.DatabaseError:
        with index_file.lock(where.folder, where.clock, is_exclusive=True):
            index_file.remove(where.folder)
        catch_up(where.folder, where.feed, where.clock, progress)
        notes = ("the search index was broken: it was rebuilt from the event log",)
        return answer_question(question, request.limit, where, notes)


def limit_us(name: str, text: str | None, where: SearchPlace) -> int | None:
    """The moment of a limit such as ``--since``, as it was written.

    Raises:
        UsageError: It is no time.
    """
    if text is None:
        return None
    found_us = moment_us(text, where.clock.now_us(), where.zone)
    if found_us is None:
        raise UsageError(
            f"invalid {name}", "give a time such as 2026-01-31, 2026-01-31T12:00:00Z or monday"
        )
    return found_us


def answer_document(answer: Answer) -> dict[str, object]:
    """The answer as JSON values; ``results`` has the shape of ``POST /v1/search``."""
    return {
        "question": answer.question.text,
        "understood": answer.understood,
        "filters": [{"name": one.name, "text": one.text} for one in answer.filters],
        "event_count": answer.event_count,
        "facts": [
            {
                "fact": fact.wanted,
                "text": fact.text,
                "values": [
                    {
                        "label": value.label,
                        "number": value.number,
                        "ts": None if value.ts_us is None else rfc3339(value.ts_us),
                    }
                    for value in fact.values
                ],
                "event_ids": list(fact.seqs),
                "event_count": fact.row_count,
            }
            for fact in answer.facts
        ],
        "results": result_documents(answer),
        "notes": list(answer.notes),
    }


def result_documents(answer: Answer) -> list[dict[str, object]]:
    """The events of an answer as JSON values, best first."""
    return [
        {
            "kind": "event",
            "id": str(result.seq),
            "ts": rfc3339(result.ts_us),
            "text": f"{result.kind} {result.text}",
            "score": result.score,
        }
        for result in answer.results
    ]


def _limited(question: Question, request: Request) -> Question:
    """The question within the limits of the request."""
    question = replace(question, kinds=request.kinds)
    if request.since_us is None and request.until_us is None:
        return question
    period = question.period or Period(BEGIN_US, END_US)
    since_us = max(period.since_us, BEGIN_US if request.since_us is None else request.since_us)
    until_us = min(period.until_us, END_US if request.until_us is None else request.until_us)
    return replace(question, period=Period(since_us, until_us, period.text))


def answer_question(
    question: Question, limit: int, where: SearchPlace, notes: Sequence[str]
) -> Answer:
    """Answer what was understood, from the index as it is; ``notes`` go before its own."""
    with index_file.lock(where.folder, where.clock, is_exclusive=False):
        index = SearchIndex(where.folder)
        try:
            rows = index.match(question)
            if len(rows):
                seqs = index.ranked(question, min(limit, MAX_RESULTS), may_miss_words=False)
            else:
                seqs, reasons = _near(question, min(limit, MAX_RESULTS), index, where)
                notes = (*notes, *reasons)
            everything = Question("")
            matches = Matches(
                question, rows, index.names, lambda: index.match(everything), where.zone
            )
            filters = tuple(_filters(question, where.zone))
            return Answer(
                question=question,
                understood=" ".join(["events", *(one.text for one in filters)]),
                filters=filters,
                event_count=len(rows),
                facts=compose(matches),
                results=_results(index, seqs),
                notes=tuple(notes),
            )
        finally:
            index.close()


def _results(index: SearchIndex, seqs: Sequence[int]) -> tuple[SearchResult, ...]:
    return tuple(
        SearchResult(seq, ts_us, kind, text, 1 / (_RANK_OFFSET + rank))
        for rank, (seq, ts_us, kind, text) in enumerate(index.shown(seqs), 1)
    )


def _near(
    question: Question, limit: int, index: SearchIndex, where: SearchPlace
) -> tuple[list[int], list[str]]:
    """Why no event holds all of the question, and the events that come nearest to it: those with
    some of its words and those with words spelt alike, by reciprocal rank.
    """
    reasons = _why_nothing(question, index, where)
    words = (*question.words, *question.path_words)
    if not words or not index.last_seq():
        return [], reasons
    by_text = index.ranked(question, max(limit, TOP_FUSED), may_miss_words=True)
    rows = index.match(replace(question, words=(), path_words=()))[-NEWEST_EVENTS:]
    items, item_index = np.unique(rows[:, 2], return_inverse=True)
    nearest = nearest_items(words, index.names(items.tolist()))
    scores = np.array(nearest.scores)[item_index] if len(rows) else np.zeros(0)
    best = np.lexsort((-np.arange(len(rows)), -scores.round(6)))[:TOP_FUSED]
    alike = [int(rows[position, 0]) for position in best if scores[position] > 0]
    for term in words:
        if not len(index.match(Question("", words=(term,)))):
            near = nearest.words.get(term.lower())
            hint = f"; the nearest word in your events is {near!r}" if near else ""
            reasons.append(f"no event holds {term!r}{hint}")
    if by_text or alike:
        reasons.append("the results are the nearest events; none holds all of the question")
    return _fused(by_text, alike)[:limit], reasons


def _fused(*rankings: Sequence[int]) -> list[int]:
    """Reciprocal rank fusion (Cormack et al. 2009)."""
    scores: dict[int, float] = {}
    for ranking in rankings:
        for rank, seq in enumerate(ranking, 1):
            scores[seq] = scores.get(seq, 0.0) + 1 / (_RANK_OFFSET + rank)
    return sorted(scores, key=lambda seq: (-scores[seq], -seq))


def _why_nothing(question: Question, index: SearchIndex, where: SearchPlace) -> list[str]:
    if not index.last_seq():
        return ["nothing was found: the event log is empty"]
    period = question.period
    if period and period.since_us >= period.until_us:
        return ["nothing was found: the times in the question have no moment in common"]
    if period and period.since_us > where.clock.now_us():
        return ["nothing was found: that time lies in the future"]
    return ["nothing was found"]


def _filters(question: Question, zone: tzinfo) -> Iterator[Filter]:
    """The question as filters, in words; what the answer's figures are about."""
    families = [str(one.name).lower() for one in Family if one in question.family and one]
    if families:
        yield Filter("about", f"about {' and '.join(families)}")
    if question.action:
        yield Filter("action", f"that were {question.action.value}")
    if question.kinds:
        yield Filter("kind", f"of kind {' or '.join(question.kinds)}")
    for folder in question.folders:
        yield Filter("folder", f"in a folder {folder.strip('/')}/")
    if question.path_words:
        yield Filter("path", f"with {', '.join(map(repr, question.path_words))} in the path")
    if question.words:
        yield Filter("words", f"holding {', '.join(map(repr, question.words))}")
    period = question.period
    if period and period.since_us > BEGIN_US:
        yield Filter("since", f"from {_moment(period.since_us, zone)}")
    if period and period.until_us < END_US:
        yield Filter("until", f"before {_moment(period.until_us, zone)}")


def _moment(ts_us: int, zone: tzinfo) -> str:
    return as_datetime(ts_us).astimezone(zone).strftime("%Y-%m-%d %H:%M")

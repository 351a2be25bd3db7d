"""Test, then train: how well every expert and every simple rule would have predicted a stream, step
by step.
"""

import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import Literal

from selflow.core.errors import UsageError
from selflow.core.shell_line import program_of
from selflow.core.steps import Step, event_label
from selflow.predict.baselines import NAMES, Baselines
from selflow.predict.grades import Board, EverSeen, Tally, grade_pool
from selflow.predict.predictor import MAX_LABELS, Predictor
from selflow.predict.prior import Prior, shipped
from selflow.predict.regrowth import Grown
from selflow.predict.shared_counts import SHELL_KIND
from selflow.predict.steps import steps_from_rows, switches

Mode = Literal["all", "switch"]
Figures = dict[str, dict[str, float | int]]
Row = tuple[int, str, str | None, str]
"""(ts_us, label, group or None, user)"""

GrowAgents = Callable[[Sequence[Step]], Grown]
"""From all steps: what agents that were grown from those before each said of it."""

_PROGRESS_STEPS, _BESIDE_STEPS = 200, 2000


def evaluate_rows(
    rows: Iterable[Row],
    *,
    mode: Mode = "all",
    program: bool = False,
    has_users: bool = False,
    grow: GrowAgents | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Figures]:
    """Judge a table of events, in the shape of ``selflow eval stream`` (docs/learning.md#figures).

    Args:
        rows: One per event, in any order.
        mode: "switch" collapses repeats and bars the current label.
        program: Labels are shell lines; only the program that each runs counts.
        has_users: Rows of several users: each user's past is its own.
        grow: Makes agents; with them, everybody is judged on the steps that they are judged on.
        progress: Called with (steps done, steps in all) now and then, and at the end.

    Returns:
        ``{"experts": {NAME: {"steps", "hit@1", "hit@5", "log_loss_bits", "ece"}}}``: the pool
        first, with agents then ``pool_counts`` (the pool without them), then the baselines, then
        every expert.

    Raises:
        UsageError: There is no row.
    """
    if program:
        rows = (
            (ts_us, event_label(SHELL_KIND, program_of(label)), group, user)
            for ts_us, label, group, user in rows
        )
    steps = steps_from_rows(rows)
    figures = evaluate_steps(
        steps, mode=mode, has_users=has_users, prior=shipped(), grow=grow, progress=progress
    )
    return {"experts": figures}


def evaluate_steps(
    steps: Sequence[Step],
    *,
    mode: Mode,
    has_users: bool,
    prior: Prior | None,
    grow: GrowAgents | None = None,
    progress: Callable[[int, int], None] | None = None,
    max_labels: int = MAX_LABELS,
) -> Figures:
    """Judge steps in time order: all of them, or with agents those that the agents are judged on.

    A label that ever came is no new one for anybody, also where the predictor has forgotten it.

    Cost: about 2 ms per step for all experts and baselines together; with agents 4 ms.
    """
    if mode == "switch":
        steps = switches(steps)
    if not steps:
        raise UsageError("the stream holds no events", "name a file with at least one row")
    grown = grow(steps) if grow is not None else Grown([True] * len(steps), ())
    enter = grown.is_judged.index(True)
    with _beside(steps, grown.is_judged, bars_current=mode == "switch") as simple:
        stream = zip(_reporting(steps, progress), grown.is_judged, strict=True)
        predictor = Predictor(
            is_shared=has_users,
            bars_current=mode == "switch",
            max_labels=max_labels,
            prior=prior,
        )
        seen = EverSeen()
        for step, _ in islice(stream, enter):
            _, outcome = predictor.test_then_train(step)
            seen.learn(step.labels, outcome.unseen)
        counts = Predictor.load(predictor.save()) if grow is not None else None
        for agent in grown.agents:
            predictor.enter(agent)
        board = Board(predictor.expert_names)
        tallies = {name: Tally() for name in ("pool", *(["pool_counts"] if counts else []))}
        for step, is_judged in stream:
            labels_known = predictor.labels_known
            forecast, outcome = predictor.test_then_train(step)
            beside = counts.test_then_train(step) if counts else None
            extra_bits = seen.extra_bits(outcome.unseen, labels_known)
            seen.learn(step.labels, outcome.unseen)
            if not is_judged:
                continue
            board.add(forecast, outcome, extra_bits)
            tallies["pool"].add(grade_pool(forecast, outcome, extra_bits))
            if beside:
                tallies["pool_counts"].add(grade_pool(*beside, extra_bits))
        return {
            **{name: tally.figures() for name, tally in tallies.items()},
            **simple(),
            **board.figures(),
        }


@contextmanager
def _beside(
    steps: Sequence[Step], is_judged: Sequence[bool], *, bars_current: bool
) -> Iterator[Callable[[], Figures]]:
    """The simple rules' figures, of a long stream made on another core in the meantime."""
    if len(steps) < _BESIDE_STEPS:
        yield lambda: _simple(steps, is_judged, bars_current=bars_current)
        return
    # Spawned: a fork would take over the locks of threads that it does not take over.
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as executor:
        yield executor.submit(_simple, steps, is_judged, bars_current=bars_current).result


def _simple(steps: Sequence[Step], is_judged: Sequence[bool], *, bars_current: bool) -> Figures:
    baselines, tallies = Baselines(bars_current=bars_current), {name: Tally() for name in NAMES}
    for step, counts in zip(steps, is_judged, strict=True):
        for name, grade in baselines.test_then_train(step).items():
            if counts:
                tallies[name].add(grade)
    return {name: tally.figures() for name, tally in tallies.items()}


def _reporting(
    steps: Sequence[Step], progress: Callable[[int, int], None] | None
) -> Iterator[Step]:
    for done, step in enumerate(steps, start=1):
        yield step
        if progress is not None and (done % _PROGRESS_STEPS == 0 or done == len(steps)):
            progress(done, len(steps))

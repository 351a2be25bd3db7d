"""Test, then train: how well every expert and every simple rule would have predicted a stream, step by step."""

from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from selflow.core.errors import UsageError
from selflow.core.steps import Step, event_label
from selflow.predict.baselines import NAMES, Baselines
from selflow.predict.grades import Board, Tally, grade_pool
from selflow.predict.predictor import Predictor
from selflow.predict.prior import Prior, shipped
from selflow.predict.programs import program_of
from selflow.predict.shared_counts import SHELL_KIND
from selflow.predict.steps import steps_from_rows, switches

Mode = Literal["all", "switch"]
Figures = dict[str, dict[str, float | int]]
Row = tuple[int, str, str | None, str]
"""(ts_us, label, group or None, user)"""

_PROGRESS_STEPS = 200


def evaluate_rows(
    rows: Iterable[Row],
    *,
    mode: Mode = "all",
    program: bool = False,
    has_users: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Figures]:
    """Judge a table of events, in the shape of ``selflow eval stream`` (``interfaces.md`` 15).

    Args:
        rows: One per event, in any order.
        mode: "switch" collapses repeats and bars the current label.
        program: Labels are shell lines; only the program that each runs counts.
        has_users: Rows of several users: each user's past is its own.
        progress: Called with (steps done, steps in all) now and then, and at the end.

    Returns:
        ``{"experts": {NAME: {"steps", "hit@1", "hit@5", "log_loss_bits", "ece"}}}``: the pool first, then the
        baselines, then every expert.

    Raises:
        UsageError: There is no row.
    """
    if program:
        rows = ((ts_us, event_label(SHELL_KIND, program_of(label)), group, user) for ts_us, label, group, user in rows)
    steps = steps_from_rows(rows)
    return {"experts": evaluate_steps(steps, mode=mode, has_users=has_users, prior=shipped(), progress=progress)}


def evaluate_steps(
    steps: Sequence[Step],
    *,
    mode: Mode,
    has_users: bool,
    prior: Prior | None,
    progress: Callable[[int, int], None] | None = None,
) -> Figures:
    """Judge steps in time order, from the very first one on.

    Cost: about 2 ms per step for all experts and baselines together.
    """
    if mode == "switch":
        steps = switches(steps)
    if not steps:
        raise UsageError("the stream holds no events", "name a file with at least one row")
    predictor = Predictor(is_shared=has_users, bars_current=mode == "switch", prior=prior)
    baselines = Baselines(bars_current=mode == "switch")
    board = Board(predictor.expert_names)
    pool = Tally()
    simple = {name: Tally() for name in NAMES}
    for done, step in enumerate(steps, start=1):
        opinion, truth = predictor.test_then_train(step)
        pool.add(grade_pool(opinion, truth))
        board.add(opinion, truth)
        for name, grade in baselines.test_then_train(step).items():
            simple[name].add(grade)
        if progress is not None and (done % _PROGRESS_STEPS == 0 or done == len(steps)):
            progress(done, len(steps))
    return {
        "pool": pool.figures(),
        **{name: tally.figures() for name, tally in simple.items()},
        **board.figures(),
    }

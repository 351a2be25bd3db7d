"""Parts of an evaluation in processes of their own."""

import multiprocessing
import os
import signal

import pytest

from selflow.core.errors import ProcessEndedError
from selflow.text.processes import Report, run_in_processes


def _square(task: int, report: Report) -> int:
    report(1)
    return task * task


def _is_interrupted_or_ended(task: int, report: Report) -> int:
    if task:
        report(1)
        signal.pause()
    os.kill(os.getpid(), signal.SIGKILL)
    return task


def _answer_ctrl_c(task: int, report: Report) -> int:
    os.kill(os.getpid(), signal.SIGINT)
    report(1)
    return task


def test_results_have_the_order_of_their_tasks() -> None:
    steps: list[int] = []

    assert run_in_processes(_square, [3, 1, 2], 2, steps.append) == [9, 1, 4]
    assert steps == [1, 1, 1]


def test_a_process_that_is_killed_is_an_error_with_a_next_step() -> None:
    with pytest.raises(ProcessEndedError, match="ended with status -9") as refused:
        run_in_processes(_is_interrupted_or_ended, [1, 0], 2, lambda _: None)

    assert "free memory" in refused.value.hint
    assert multiprocessing.active_children() == []


def test_an_interrupt_ends_all_processes() -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_in_processes(_is_interrupted_or_ended, [1, 1], 2, interrupt)

    assert multiprocessing.active_children() == []


def test_ctrl_c_is_left_to_the_process_that_waits() -> None:
    assert run_in_processes(_answer_ctrl_c, [7], 1, lambda _: None) == [7]

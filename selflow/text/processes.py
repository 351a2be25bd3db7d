"""Work of an evaluation in processes of its own, whose parts need nothing of one another."""

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Generic, TypeVar

from selflow.core.errors import ProcessEndedError

Task = TypeVar("Task")
Result = TypeVar("Result")
Report = Callable[[int], None]
"""Takes how many steps were done since it was last called."""


@dataclass(frozen=True, slots=True)
class _Ended(Generic[Result]):
    result: Result


def run_in_processes(
    work: Callable[[Task, Report], Result],
    tasks: Sequence[Task],
    processes: int,
    report: Report,
) -> list[Result]:
    """The results of all tasks, in their order; no more than ``processes`` run at once, the first
    tasks begin first. Whatever ends this, an interrupt or an error, ends them too.

    Args:
        work: A function of a module, called in another process with a task and what takes the
            steps that it has done.
        tasks: What it works on; each is sent to its process.
        processes: At least 1.
        report: Called here with the steps of each.

    Raises:
        ProcessEndedError: A process was killed, or had an error that it has printed.

    Cost: a new interpreter for each task, .5 s (estimated): a fork would take over the locks of
    threads that it does not take over.
    """
    results: dict[int, Result] = {}
    running: dict[Connection, tuple[int, SpawnProcess]] = {}
    begun = 0
    try:
        while len(results) < len(tasks):
            while begun < len(tasks) and len(running) < processes:
                connection, process = _start(work, tasks[begun])
                running[connection] = (begun, process)
                begun += 1
            ready = wait(list(running))
            for connection in [one for one in running if one in ready]:
                index, process = running[connection]
                message: int | _Ended[Result] = _received(connection, process)
                if isinstance(message, int):
                    report(message)
                else:
                    results[index] = message.result
                    _end(connection, *running.pop(connection)[1:])
    finally:
        for _, process in running.values():
            process.terminate()
        for connection, (_, process) in running.items():
            _end(connection, process)
    return [results[index] for index in range(len(tasks))]


def _start(work: Callable[[Task, Report], Result], task: Task) -> tuple[Connection, SpawnProcess]:
    context = get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(sender, work, task), daemon=True)
    with _interrupts_held():
        process.start()
    sender.close()
    return receiver, process


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Start processes that no Ctrl-C reaches, as it does all that a terminal runs: it is for the
    one that started them, which ends them.
    """
    resource_tracker.ensure_running()  # else the first start does it, and lifts the mask
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _run(sender: Connection, work: Callable[[Task, Report], Result], task: Task) -> None:
    try:
        sender.send(_Ended(work(task, sender.send)))
    except BrokenPipeError:
        return  # nobody is left who waits for it


def _received(connection: Connection, process: SpawnProcess) -> "int | _Ended[Result]":
    try:
        message: int | _Ended[Result] = connection.recv()
    except EOFError:
        process.join()
        raise ProcessEndedError(
            f"a process of the evaluation ended with status {process.exitcode}",
            "read what it said before, or free memory, and evaluate again",
        ) from None
    return message


def _end(connection: Connection, process: SpawnProcess) -> None:
    process.join()
    process.close()
    connection.close()

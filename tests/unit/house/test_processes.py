"""What tests ask of processes holds while these end."""

import subprocess
import sys

import psutil
import pytest

from tests.processes import kill_all, listening, marked, seen


@pytest.fixture
def ended() -> psutil.Process:
    """A process that is gone when anybody looks."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    process = psutil.Process(child.pid)
    child.wait()
    return process


def test_a_process_that_ends_meanwhile_is_left_out(ended: psutil.Process) -> None:
    here = psutil.Process()

    assert [one.process for one in seen([ended, here])] == [here]
    assert listening(ended) == []
    kill_all([ended])


def test_only_processes_with_the_tests_own_mark_are_found() -> None:
    command = [sys.executable, "-c", "input()"]
    mark = {"SF_TEST_MARK": "mine"}
    with subprocess.Popen(command, stdin=subprocess.PIPE, env=mark) as child:
        found = [process.pid for process in marked("SF_TEST_MARK", "mine")]
        others = list(marked("SF_TEST_MARK", "another's"))
        child.kill()

    assert found == [child.pid]
    assert others == []

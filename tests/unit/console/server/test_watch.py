"""``selflow watch`` over a real console, and the console's answers to the command line."""

import json
import signal
import subprocess
import sys

import pytest

from selflow.console.cli.watch_view import TOPICS
from selflow.console.owner_client import follow_console
from selflow.core.paths import Root
from selflow.core.processes import living_console
from selflow.core.session_files import RaySession, SessionRequest, write_ray_session, write_request
from selflow.testing import ManualClock
from tests.unit.console.conftest import Cli
from tests.unit.console.server.test_process import free_port, session, while_serving

__all__ = ["session"]
WATCH = "from selflow.console.cli.main import main; main()"


def restart(root: Root) -> None:
    write_ray_session(root, RaySession("127.0.0.1:1", is_ours=True, dashboard_port=None))


@pytest.mark.slow
def test_it_follows_on_when_the_console_is_started_again(session: Root) -> None:
    write_request(session, SessionRequest(assignments=(f"console.port={free_port()}",)))
    messages = follow_console(session, TOPICS, ManualClock())
    first = while_serving(session, lambda: next(messages))
    away = [next(m for m in messages if m.problem) for _ in range(2)][-1]
    restart(session)
    again = while_serving(session, lambda: next(m for m in messages if not m.problem))

    assert "does not answer" in away.problem
    assert {first.topic, again.topic} <= set(TOPICS.split(","))
    assert int(again.id) > int(first.id)


@pytest.mark.slow
def test_an_interrupt_ends_the_view_alone(session: Root) -> None:
    write_request(session, SessionRequest(assignments=(f"console.port={free_port()}",)))

    def look() -> tuple[dict[str, object], int, bool]:
        command = [sys.executable, "-c", WATCH, "--home", str(session.path), "watch", "--json"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watching:
            assert watching.stdout is not None
            line = watching.stdout.readline()
            watching.send_signal(signal.SIGINT)
            code = watching.wait(20)
        return json.loads(line), code, living_console(session) is not None

    message, code, is_alive = while_serving(session, look)

    assert set(message) == {"topic", "id", "document"}
    assert (code, is_alive) == (130, True)


def test_without_a_console_it_says_so_and_ends_with_three(cli: Cli) -> None:
    ended = cli("watch")

    assert ended.code == 3
    assert "does not answer" in ended.err


def test_sources_are_those_of_the_console_with_and_without_it(session: Root, cli: Cli) -> None:
    write_request(session, SessionRequest(assignments=(f"console.port={free_port()}",)))
    alone = cli("sources", "--json").document
    answered = while_serving(session, lambda: cli("sources", "--json").document)

    assert alone == answered == {"consents": [], "streams": [], "collector": "not running"}

"""kill -9 in the middle of ingest: nothing acknowledged is lost, nothing is stored twice."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from selflow.core.events import Event
from selflow.core.paths import Root
from selflow.core.settings import Settings, ShellCompanionSource
from selflow.sdk.ingest import IngestClient, Pace
from tests.cluster.conftest import QUICK, kill
from tests.cluster.test_services import is_new, pid_of
from tests.unit.collect.companion.test_records import record
from tests.waiting import wait_until

EVENTS = [
    Event(1_600_000_000_000_000 + i, "world", "file.modify", f"file-{i}.py") for i in range(6_000)
]


@pytest.mark.parametrize("victim", ["buffer", "collector", "supervisor"])
def test_a_service_killed_in_the_middle_of_ingest_loses_and_doubles_nothing(
    compose: Callable[..., Any], consent: Callable[[str], None], root: Root, victim: str
) -> None:
    from actors.buffer import BufferLink

    compose()
    consent("ingest")
    old_pid = pid_of(victim)
    pace = Pace(resend_after_s=1.0, timeout_s=300.0)
    with IngestClient(f"ipc://{root.socket('ingest.sock')}", "world", pace=pace) as client:
        client.send(EVENTS[:3_000])
        kill(old_pid)
        client.send(EVENTS[3_000:])
        acknowledged = sum(result.accepted for result in client.flush(300))
    wait_until(lambda: is_new(victim, old_pid))

    stored = Counter(each.event.subject for each in BufferLink().read(0, 10_000))

    assert acknowledged == len(EVENTS)
    assert stored == Counter(event.subject for event in EVENTS)


def test_what_shells_wrote_is_stored_once_although_the_collector_is_killed(
    compose: Callable[..., Any], consent: Callable[[str], None], root: Root
) -> None:
    from actors.buffer import BufferLink

    section = ShellCompanionSource(type="shell_companion", sample_interval_s=0.1)
    compose(wanted=Settings(supervisor=QUICK, data_sources=(section,)))
    root.shell_spool.mkdir()
    for file in range(20):
        lines = [record(b"echo %d %d" % (file, number)) for number in range(100)]
        (root.shell_spool / f"{file:016d}-zsh-1.log").write_bytes(b"".join(lines))
    consent("shell_companion")
    old_pid = pid_of("collector")
    wait_until(lambda: BufferLink().fill().events > 0)
    kill(old_pid)
    wait_until(lambda: is_new("collector", old_pid))
    wait_until(lambda: not list(root.shell_spool.iterdir()))
    stored = Counter(each.event.subject for each in BufferLink().read(0, 10_000))

    assert stored == Counter(f"echo {file} {number}" for file in range(20) for number in range(100))


def test_without_consent_the_door_answers_and_nothing_is_collected(
    compose: Callable[..., Any], root: Root
) -> None:
    from actors.buffer import BufferLink
    from selflow.core.errors import RefusedError

    compose()
    with IngestClient(f"ipc://{root.socket('ingest.sock')}", "world") as client:
        client.send(EVENTS[:10])
        with pytest.raises(RefusedError, match="selflow init"):
            client.flush(20)

    assert BufferLink().fill().events == 0

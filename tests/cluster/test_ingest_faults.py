"""kill -9 in the middle of ingest: nothing acknowledged is lost, nothing is stored twice."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from selflow.core.events import Event
from selflow.core.paths import Root
from selflow.sdk.ingest import IngestClient, Pace
from tests.cluster.conftest import kill
from tests.cluster.test_services import is_new, pid_of
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

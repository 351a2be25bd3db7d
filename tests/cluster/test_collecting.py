"""The collector's settings, in a real collector: what is dropped, redacted, refused, and who may
come in over TCP.
"""

from collections.abc import Callable
from typing import Any

import pytest

from selflow.core.clock import SystemClock
from selflow.core.errors import RefusedError
from selflow.core.events import Event
from selflow.core.paths import Root
from selflow.core.settings import IngestSettings, PrivacySettings, Settings
from selflow.sdk.ingest import IngestClient
from selflow.store.pauses import pause_now, resume_now
from tests.cluster.conftest import QUICK
from tests.waiting import wait_until

MAIL = "someone@example.org"


def stored() -> list[Event]:
    from actors.buffer import BufferLink

    return [each.event for each in BufferLink().read(0, 1_000)]


@pytest.mark.setting(
    "privacy.exclude_paths", "privacy.exclude_apps", "privacy.anonymize", "ingest.max_future_s"
)
def test_privacy_and_limits_hold_before_anything_is_stored(
    compose: Callable[..., Any], consent: Callable[[str], None], root: Root
) -> None:
    privacy = PrivacySettings(exclude_paths=("*.secret",), exclude_apps=("vault",), anonymize=False)
    compose(
        wanted=Settings(supervisor=QUICK, privacy=privacy, ingest=IngestSettings(max_future_s=5.0))
    )
    consent("ingest")
    now_us = SystemClock().now_us()
    with IngestClient(f"ipc://{root.socket('ingest.sock')}", "program") as client:
        client.send(
            [
                Event(now_us, "program", "file.modify", "plain.txt"),
                Event(now_us, "program", "file.modify", "hidden.secret"),
                Event(now_us, "program", "window.focus", "x", app="Vault"),
                Event(now_us, "program", "note", MAIL),
                Event(now_us + 60_000_000, "program", "note", "from the future"),
            ]
        )
        (result,) = client.flush(20)

    assert (result.accepted, result.dropped) == (2, 2)
    assert [(item.index, item.code) for item in result.rejected] == [(4, "in_future")]
    assert [event.subject for event in stored()] == ["plain.txt", MAIL]


def test_a_real_collector_obeys_a_pause_and_goes_on_after_it(
    compose: Callable[..., Any], consent: Callable[[str], None], root: Root
) -> None:
    compose(wanted=Settings(supervisor=QUICK))
    consent("ingest")
    pause = pause_now(root.catalog, None, SystemClock().now_us(), "owner")

    def answer(subject: str, after_us: int) -> tuple[int, int] | None:
        """Events accepted and dropped; None while collection is paused."""
        with IngestClient(f"ipc://{root.socket('ingest.sock')}", "program") as client:
            try:
                client.send([Event(pause.started_at_us + after_us, "program", "note", subject)])
                (result,) = client.flush(20)
            except RefusedError:
                return None
        return result.accepted, result.dropped

    wait_until(lambda: answer("before", -1) is None)
    resume_now(root.catalog, SystemClock().now_us(), "owner")
    wait_until(lambda: answer("before", -1) == (1, 0))

    assert answer("of the pause", 1) == (0, 1)
    assert "of the pause" not in [event.subject for event in stored()]


@pytest.mark.setting(
    "ingest.tcp_port", "privacy.anonymize", "ingest.max_batch_events", "ingest.max_event_bytes"
)
def test_over_tcp_only_a_token_brings_events_in_and_they_are_redacted(
    compose: Callable[..., Any], consent: Callable[[str], None], root: Root
) -> None:
    from actors.ray_head import free_ports

    port = free_ports(1)[0]
    compose(wanted=Settings(supervisor=QUICK, ingest=IngestSettings(tcp_port=port)))
    consent("ingest")
    event = Event(1_700_000_000_000_000, "program", "note", f"write to {MAIL}")
    with IngestClient(f"tcp://127.0.0.1:{port}", "program", token="sf_wrong") as client:
        client.send([event])
        with pytest.raises(RefusedError, match="token"):
            client.flush(20)
    with IngestClient(f"tcp://127.0.0.1:{port}", "program", token=root.token.read_text()) as client:
        client.send([event])
        client.flush(20)

    assert [each.subject for each in stored()] == ["write to <EMAIL>"]

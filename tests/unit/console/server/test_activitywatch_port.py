"""ActivityWatch's port as the console's process opens it, and what it hands to the log."""

import socket
from pathlib import Path
from typing import Any

import httpx
import pytest

from selflow.console.server.activitywatch import forwarder, listener
from selflow.console.server.activitywatch.service import AwService
from selflow.core.grants import ACTIVITYWATCH
from selflow.core.paths import Root
from selflow.core.session_files import AwPort, SessionRequest, read_aw_port, write_request
from selflow.store.catalog import Catalog
from tests.unit.console.conftest import Cli
from tests.unit.console.server.aw_world import BUCKET, Port, raw_event
from tests.unit.console.server.test_process import free_port, session, while_serving
from tests.unit.console.server.worlds import Console
from tests.waiting import wait_until

__all__ = ["session"]


def told(root: Root) -> AwPort:
    """What the console says of the port, once it says something."""
    wait_until(lambda: read_aw_port(root) is not None)
    known = read_aw_port(root)
    assert known is not None
    return known


@pytest.mark.setting("aw.port")
def test_the_port_answers_where_the_settings_say(
    session: Root, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "LOOK_S", 0.02)
    port = free_port()
    asked = (f"console.port={free_port()}", f"aw.port={port}")
    write_request(session, SessionRequest(assignments=asked))

    def ask() -> tuple[str, int, dict[str, Any]]:
        url = told(session).url
        status = httpx.get(f"{url}/api/0/info", trust_env=False).status_code
        return str(url), status, cli("aw", "status", "--json").document

    url, status, shown = while_serving(session, ask)
    with Catalog.open(session.catalog) as catalog:
        consents = [one.source for one in catalog.consents.list_all()]
    assert (url, status) == (f"http://127.0.0.1:{port}", 200)
    assert (shown["url"], shown["auth"], shown["buckets"]) == (url, "watcher", [])
    assert consents == [ACTIVITYWATCH]


def test_a_port_that_is_taken_is_reported_and_no_other_one_is_tried(
    session: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "LOOK_S", 0.02)
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        asked = (f"console.port={free_port()}", f"aw.port={port}")
        write_request(session, SessionRequest(assignments=asked))
        known = while_serving(session, lambda: told(session))

    assert known.url is None
    assert f"cannot listen on port {port}" in known.problem


def test_events_wait_while_nothing_takes_them(console: Console) -> None:
    service = AwService(console.model)
    port = Port(console, service)
    port.make_bucket()
    port.ask("POST", f"buckets/{BUCKET}/events", json=raw_event(0, 1, app="a"))
    console.clock.advance(60)
    problem = forwarder.hand_over(service)
    waiting = service.handing.next(console.clock.now_us())
    service.close()

    assert "not running" in problem
    assert waiting is not None
    assert len(waiting.events) == 1


def test_an_import_goes_into_the_store_and_counts(root: Root, cli: Cli, tmp_path: Path) -> None:
    Catalog.open(root.catalog).close()
    path = tmp_path / "export.json"
    path.write_text(
        '{"buckets":{"b":{"type":"t","client":"c","hostname":"h","events":['
        '{"timestamp":"2026-01-01T00:00:00Z","duration":1,"data":{"app":"a"}}]}}}',
        encoding="utf-8",
    )
    first = cli("import", "activitywatch", str(path), "--json").document
    second = cli("import", "activitywatch", str(path), "--json").document
    shown = cli("aw", "status", "--json").document

    assert (first["accepted"], first["already_there"]) == (1, 0)
    assert (second["accepted"], second["already_there"]) == (0, 1)
    assert [(one["id"], one["events"]) for one in shown["buckets"]] == [("b", 1)]


def test_a_server_elsewhere_is_not_asked(root: Root, cli: Cli) -> None:
    refused = cli("import", "activitywatch", "--url", "http://192.0.2.1:5600")

    assert refused.code == 4
    assert "not on this machine" in refused.err

"""ActivityWatch's REST API as its clients see it: answers, errors, who may ask, what is kept."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace

import pytest

from selflow.console.server.activitywatch.service import AwService
from selflow.core.listener_settings import AwSettings
from selflow.core.privacy_rules import add_rules
from selflow.store.command_records import Command
from selflow.store.pauses import pause_now
from tests.unit.console.server.aw_world import (
    BUCKET,
    DESCRIPTION,
    PORT,
    Port,
    as_form,
    moment,
    raw_event,
)
from tests.unit.console.server.worlds import NOW_US, Console

EXTENSION = "chrome-extension://nglaklhklhcoonedhgnpgddginnjdadi"


@pytest.fixture
def port(asked: Console) -> Iterator[Port]:
    """An empty store, beside a catalog that these tests share."""
    shutil.rmtree(asked.root.aw, ignore_errors=True)
    service = AwService(asked.model)
    yield Port(asked, service)
    service.close()


@pytest.fixture
def own_port(console: Console) -> Iterator[Port]:
    """With a catalog and a clock of its own."""
    service = AwService(console.model)
    yield Port(console, service)
    service.close()


def test_it_says_who_it_is_to_anybody(port: Port) -> None:
    shown = port.ask("GET", "info", scope=None)

    assert shown.status_code == 200
    assert set(shown.json()) == {"hostname", "version", "testing", "device_id"}
    assert shown.json()["version"].endswith("(selflow)")
    assert len(shown.json()["device_id"]) == 36


def test_a_bucket_is_made_once(port: Port) -> None:
    first = port.ask("POST", f"buckets/{BUCKET}", json=DESCRIPTION)
    second = port.ask("POST", f"buckets/{BUCKET}", json=DESCRIPTION)

    assert (first.status_code, first.json()) == (200, {})
    assert (second.status_code, second.content) == (304, b"")


def test_a_bucket_of_this_machine_bears_its_name(port: Port) -> None:
    port.make_bucket(hostname="!local")
    shown = port.ask("GET", f"buckets/{BUCKET}").json()

    assert shown["hostname"] != "!local"
    assert shown["data"]["device_id"] == port.ask("GET", "info").json()["device_id"]


@pytest.mark.parametrize("missing", sorted(DESCRIPTION))
def test_a_bucket_needs_all_of_its_description(port: Port, missing: str) -> None:
    body = {name: value for name, value in DESCRIPTION.items() if name != missing}
    refused = port.ask("POST", f"buckets/{BUCKET}", json=body)

    assert refused.status_code == 400
    assert missing in refused.json()["message"]


def test_an_unknown_bucket_is_refused_in_the_servers_own_words(port: Port) -> None:
    refused = port.ask("GET", "buckets/nobody/events")

    assert refused.status_code == 404
    assert refused.json() == {
        "type": "NoSuchBucket",
        "message": "There's no bucket named nobody",
    }


def test_paths_answer_with_and_without_a_slash_at_their_end(port: Port) -> None:
    port.make_bucket()
    answers = [port.ask("GET", path).status_code for path in ("buckets", "buckets/", "info/")]

    assert answers == [200, 200, 200]


def test_a_bucket_shows_when_it_was_updated(port: Port) -> None:
    port.make_bucket()
    before = port.ask("GET", "buckets/").json()[BUCKET]
    port.ask("POST", f"buckets/{BUCKET}/events", json=raw_event(0, 30, app="a"))
    after = port.ask("GET", "buckets/").json()[BUCKET]

    assert "last_updated" not in before
    assert after["last_updated"] == "2026-01-01T00:00:30.000000+00:00"
    assert after["metadata"]["start"] == "2026-01-01T00:00:00.000000+00:00"


def test_a_part_of_a_description_is_changed(port: Port) -> None:
    port.make_bucket()
    done = port.ask("PUT", f"buckets/{BUCKET}", json={"name": "windows"})
    shown = port.ask("GET", f"buckets/{BUCKET}").json()

    assert done.status_code == 200
    assert (shown["name"], shown["type"]) == ("windows", "currentwindow")
    assert port.ask("PUT", "buckets/nobody", json={}).status_code == 404


def test_heartbeats_of_an_equal_state_are_one_event(port: Port) -> None:
    port.make_bucket()
    first = port.beat(raw_event(0, app="a"), scope=None).json()
    second = port.beat(raw_event(4, app="a"), scope=None).json()
    port.beat(raw_event(20, app="a"), scope=None)

    assert second["id"] == first["id"]
    assert [(event["timestamp"], event["duration"]) for event in port.events()] == [
        ("2026-01-01T00:00:20.000000+00:00", 0.0),
        ("2026-01-01T00:00:00.000000+00:00", 4.0),
    ]


def test_a_heartbeat_without_a_pulse_time_is_refused(port: Port) -> None:
    port.make_bucket()
    refused = port.ask("POST", f"buckets/{BUCKET}/heartbeat", json=raw_event(0, app="a"))

    assert refused.status_code == 400
    assert refused.json() == {
        "type": "MissingParameter",
        "message": "Missing required parameter pulsetime",
    }


def test_events_are_added_counted_and_cut_to_a_range(port: Port) -> None:
    port.make_bucket()
    path = f"buckets/{BUCKET}/events"
    added = port.ask("POST", path, json=[raw_event(0, 10, app="a"), raw_event(60, 10, app="b")])
    query = f"?start={moment(5)}&end={moment(62)}"  # a client that does not encode the plus

    assert [type(event["id"]) for event in added.json()] == [int, int]
    assert [event["duration"] for event in port.events(query)] == [2.0, 5.0]
    assert len(port.events("?limit=1")) == 1
    assert port.events("?limit=0") == []
    assert len(port.events("?limit=-1")) == 2
    assert port.ask("GET", f"{path}/count?end={moment(30)}").text == "1"


def test_a_bad_date_and_a_bad_body_are_refused(port: Port) -> None:
    port.make_bucket()
    path = f"buckets/{BUCKET}/events"
    refused = [
        port.ask("GET", f"{path}?start=yesterday"),
        port.ask("GET", f"{path}?limit=many"),
        port.ask("POST", path, content=b"{"),
        port.ask("POST", path, json="text"),
        port.ask("POST", path, json=[{"duration": 1}]),
    ]

    assert [one.status_code for one in refused] == [400] * 5
    assert all(one.json()["message"] for one in refused)


def test_one_event_is_shown_replaced_and_deleted(port: Port) -> None:
    port.make_bucket()
    path = f"buckets/{BUCKET}/events"
    known = port.ask("POST", path, json=raw_event(0, 1, app="a")).json()
    replaced = {**known, "data": {"app": "b"}}
    port.ask("POST", path, json=replaced)
    shown = port.ask("GET", f"{path}/{known['id']}")
    deleted = port.ask("DELETE", f"{path}/{known['id']}")

    assert shown.json()["data"] == {"app": "b"}
    assert deleted.json() == {"success": True}
    assert port.ask("GET", f"{path}/{known['id']}").status_code == 404
    assert port.ask("DELETE", f"{path}/{known['id']}").json() == {"success": False}


@pytest.mark.setting("aw.testing")
def test_a_bucket_is_deleted_by_force_or_on_a_server_for_tests(port: Port) -> None:
    port.make_bucket()
    refused = port.ask("DELETE", f"buckets/{BUCKET}")
    forced = port.ask("DELETE", f"buckets/{BUCKET}?force=1")
    port.make_bucket()
    testing = replace(port, settings=AwSettings(port=PORT, testing=True))

    assert (refused.status_code, refused.json()["type"]) == (401, "DeleteBucketUnauthorized")
    assert forced.status_code == 200
    assert testing.ask("GET", "info").json()["testing"] is True
    assert testing.ask("DELETE", f"buckets/{BUCKET}").status_code == 200


def test_deleting_a_bucket_asks_to_forget_what_was_learned_from_it(port: Port) -> None:
    port.make_bucket()
    port.ask("POST", f"buckets/{BUCKET}/events", json=raw_event(0, 1, app="a"))
    job = port.ask("DELETE", f"buckets/{BUCKET}?force=1").headers["x-selflow-job"]
    (command,) = port.console.model.catalog.learned(Command, id=job)

    assert command.action == "events.forget"
    assert command.details["selection"]["source"] == f"aw:{BUCKET}"  # type: ignore[index,call-overload]


def test_an_export_comes_in_again_and_gives_the_same_export(port: Port) -> None:
    port.make_bucket()
    port.ask("POST", f"buckets/{BUCKET}/events", json=[raw_event(n, 1, app="a") for n in range(5)])
    whole = port.ask("GET", "export")
    one = port.ask("GET", f"buckets/{BUCKET}/export")
    port.ask("DELETE", f"buckets/{BUCKET}?force=1")
    first = port.ask("POST", "import", json=whole.json())
    second = port.ask("POST", "import", **as_form(one.json()))

    assert "aw-buckets-export.json" in whole.headers["content-disposition"]
    assert f"aw-bucket-export_{BUCKET}.json" in one.headers["content-disposition"]
    assert one.json() == whole.json()
    assert (first.status_code, first.json()) == (200, None)
    assert second.status_code == 200
    assert port.ask("GET", "export").json() == whole.json()


def test_a_query_gives_a_result_for_each_period(port: Port) -> None:
    port.make_bucket()
    port.ask("POST", f"buckets/{BUCKET}/events", json=raw_event(0, 10, app="a"))
    spans = [f"{moment(0)}/{moment(5)}", f"{moment(50)}/{moment(60)}"]
    lines = [f"e = query_bucket('{BUCKET}');", "RETURN = sum_durations(e);"]
    found = port.ask("POST", "query/", json={"timeperiods": spans, "query": lines})
    refused = port.ask("POST", "query/", json={"timeperiods": spans, "query": ["x = 1;"]})

    assert found.json() == [5.0, 0]
    assert (refused.status_code, refused.json()["type"]) == (400, "QueryParseException")


def test_settings_of_clients_are_kept_as_any_json(port: Port) -> None:
    long = "k" * 128

    assert port.ask("GET", "settings/theme").json() is None
    assert port.ask("POST", "settings/theme", json={"a": [1]}).json() == {"a": [1]}
    assert port.ask("GET", "settings").json() == {"theme": {"a": [1]}}
    assert port.ask("DELETE", "settings/theme").status_code == 200
    assert port.ask("GET", "settings/theme").json() is None
    assert port.ask("POST", f"settings/{long}", json=1).status_code == 400


def test_a_foreign_host_name_is_refused(port: Port) -> None:
    refused = port.ask("GET", "info", headers={"host": "evil.example:5600"})

    assert refused.status_code == 400
    assert refused.json() == {"message": "host header is invalid (was evil.example:5600)"}


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:5601"])
def test_a_page_of_another_origin_changes_nothing(port: Port, origin: str) -> None:
    refused = port.ask("POST", f"buckets/{BUCKET}", json=DESCRIPTION, headers={"origin": origin})

    assert refused.status_code == 403
    assert "access-control-allow-origin" not in refused.headers
    assert port.ask("GET", "buckets").json() == {}


def test_a_page_that_hides_its_origin_changes_nothing(port: Port) -> None:
    headers = {"sec-fetch-site": "cross-site"}

    assert (
        port.ask("POST", f"buckets/{BUCKET}", json=DESCRIPTION, headers=headers).status_code == 403
    )


@pytest.mark.setting("aw.origins")
@pytest.mark.parametrize("origin", [EXTENSION, "moz-extension://0-1f", "chrome-extension://mine"])
def test_known_extensions_may_read_the_answers(port: Port, origin: str) -> None:
    settings = AwSettings(port=PORT, origins=("chrome-extension://mine",))
    asked = replace(port, settings=settings).ask("OPTIONS", "info", None, {"origin": origin})

    assert asked.status_code == 200
    assert asked.headers["access-control-allow-origin"] == origin
    assert "access-control-allow-credentials" not in asked.headers
    if origin.endswith("mine"):
        assert port.ask("OPTIONS", "info", None, {"origin": origin}).status_code == 403


def statuses(port: Port, scope: str | None) -> dict[str, int]:
    asked = {
        "create": ("POST", f"buckets/{BUCKET}", DESCRIPTION),
        "heartbeat": ("POST", f"buckets/{BUCKET}/heartbeat?pulsetime=5", raw_event(0, app="a")),
        "insert": ("POST", f"buckets/{BUCKET}/events", [raw_event(0, app="a")]),
        "replace": ("POST", f"buckets/{BUCKET}/events", {**raw_event(0, app="b"), "id": 1}),
        "read": ("GET", f"buckets/{BUCKET}/events", None),
        "export": ("GET", "export", None),
        "describe": ("PUT", f"buckets/{BUCKET}", {"name": "x"}),
        "delete": ("DELETE", f"buckets/{BUCKET}?force=1", {}),
    }
    return {
        name: port.ask(method, path, scope, json=body).status_code
        for name, (method, path, body) in asked.items()
    }


@pytest.mark.setting("aw.auth")
def test_a_watcher_without_a_token_adds_events_and_reads_nothing(port: Port) -> None:
    port.make_bucket()
    allowed = {name for name, status in statuses(port, None).items() if status in {200, 304}}
    strict = replace(port, settings=AwSettings(port=PORT, auth="token"))
    open_to_all = replace(port, settings=AwSettings(port=PORT, auth="open"))

    assert allowed == {"create", "heartbeat", "insert"}
    assert set(statuses(strict, None).values()) == {401}
    assert set(statuses(open_to_all, None).values()) <= {200, 304}


@pytest.mark.parametrize(
    ("scope", "refused"),
    [
        ("view", {"create", "heartbeat", "insert", "replace", "describe", "delete"}),
        ("operate", {"delete"}),
        ("admin", set()),
    ],
)
def test_a_token_counts_by_its_scope(port: Port, scope: str, refused: set[str]) -> None:
    port.make_bucket()
    strict = replace(port, settings=AwSettings(port=PORT, auth="token"))

    assert {name for name, status in statuses(strict, scope).items() if status == 403} == refused


def test_a_private_window_is_answered_and_never_stored(port: Port) -> None:
    port.make_bucket()
    sent = raw_event(0, 1, url="https://a.example", title="x", audible=False, incognito=True)
    shown = port.beat(sent)

    assert shown.status_code == 200
    assert shown.json()["id"] is None
    assert shown.json()["data"] == sent["data"]
    assert port.events() == []


def test_a_rule_that_the_owner_adds_holds_for_watchers_too(own_port: Port) -> None:
    own_port.make_bucket()
    own_port.beat(raw_event(0, app="KeePassXC"))
    add_rules(own_port.console.root, (), ("keepassxc",))
    own_port.console.clock.advance(2)
    dropped = own_port.beat(raw_event(60, app="KeePassXC")).json()

    assert dropped["id"] is None
    assert len(own_port.events()) == 1


def test_what_happens_in_a_pause_is_not_kept(own_port: Port) -> None:
    own_port.make_bucket()
    pause_now(own_port.console.model.location, None, NOW_US, "owner")
    own_port.console.clock.advance(2)

    assert own_port.beat(raw_event(10, app="a")).json()["id"] is None
    assert own_port.beat(raw_event(-10, app="a")).json()["id"] is not None


def test_secrets_are_replaced_before_they_are_stored(port: Port) -> None:
    port.make_bucket()
    shown = port.beat(raw_event(0, app="t", title="mysql --password=hunter2hunter2")).json()

    assert "hunter2" not in json.dumps([shown, port.events()])


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "nothing", 404), ("PATCH", "buckets/a", 405), ("GET", "buckets/a/events/x", 404)],
)
def test_what_is_no_route_is_said_in_the_envelope(
    port: Port, method: str, path: str, status: int
) -> None:
    refused = port.ask(method, path)

    assert refused.status_code == status
    assert set(refused.json()) == {"message"}

"""The settings in the console, as on the command line."""

import httpx
import pytest

from selflow.core.config import by_reference, config_hash
from selflow.core.health import Health
from selflow.core.session_files import SessionRequest, write_request
from tests.unit.console.conftest import Cli
from tests.unit.console.server.worlds import Console

CATALOG_URL = "postgresql://owner:pa55word@db.example/selflow"


def test_settings_are_those_of_the_command_line(console: Console, cli: Cli) -> None:
    console.root.user_settings.write_text("serve: {port: 7800}\n")
    shown = console.ask("GET", "/api/settings", "admin").json()["items"]

    printed = cli("config", "show", "--json").document["items"]
    assert [{name: item[name] for name in printed[0]} for item in shown] == printed
    port = next(item for item in shown if item["key"] == "serve.port")
    assert (port["value"], port["layer"], port["default"]) == (7800, "user", 7731)
    assert port["meaning"] == cli("config", "explain", "serve.port", "--json").document["meaning"]


def test_a_session_shows_what_it_was_given(console: Console) -> None:
    write_request(console.root, SessionRequest(assignments=("serve.port=7900",)))
    shown = console.ask("GET", "/api/settings", "admin").json()["items"]

    port = next(item for item in shown if item["key"] == "serve.port")
    assert (port["value"], port["layer"]) == (7900, "command line")


def test_what_is_set_in_a_terminal_is_shown_at_the_next_look(console: Console, cli: Cli) -> None:
    shown = [console.ask("GET", "/api/settings", "admin").json()["items"]]
    cli("config", "set", "serve.port", "7950")
    shown.append(console.ask("GET", "/api/settings", "admin").json()["items"])

    ports = [item["value"] for items in shown for item in items if item["key"] == "serve.port"]
    assert ports == [7731, 7950]


def change(console: Console, scope: str = "admin", **changes: object) -> httpx.Response:
    named = {name.replace("__", "."): value for name, value in changes.items()}
    return console.ask("PATCH", "/api/settings", scope, json=named)


def one(answer: httpx.Response, key: str) -> dict[str, object]:
    return next(item for item in answer.json()["items"] if item["key"] == key)


def test_a_changed_setting_is_the_last_layer_until_it_is_reset(console: Console, cli: Cli) -> None:
    console.root.user_settings.write_text("lora: {rank: 16}\n")
    changed = one(change(console, lora__rank=4), "lora.rank")
    printed = cli("config", "get", "lora.rank").out
    reset = one(change(console, lora__rank=None), "lora.rank")

    assert (changed["value"], changed["layer"], changed["override"]) == (4, "runtime overrides", 4)
    assert printed == "4\n"
    assert (reset["value"], reset["layer"], reset["override"]) == (16, "user", None)


def test_a_wrong_value_names_key_bound_and_layer_and_changes_nothing(console: Console) -> None:
    refused = change(console, lora__epochs=5, serve__port=80)

    assert refused.status_code == 400
    assert "serve.port (runtime overrides)" in refused.json()["detail"]
    assert "1024" in refused.json()["detail"]
    assert not console.root.runtime_overrides.exists()


def test_what_contradicts_another_layer_is_refused(console: Console) -> None:
    console.root.user_settings.write_text("ingest: {max_batch_bytes: 20000, max_event_bytes: 2000}")
    refused = change(console, ingest__max_event_bytes=30_000)

    assert "exceeds" in refused.json()["detail"]
    assert not console.root.runtime_overrides.exists()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("privacy.anonymize", False),
        ("store.catalog_url", "postgresql://elsewhere/selflow"),
        ("ingest.tcp_port", 9_000),
        ("ray.address", "10.0.0.1:6379"),
        ("lm.base", "/tmp/weights"),
        ("data_sources", []),
    ],
)
def test_what_opens_a_way_or_loosens_privacy_is_never_changed_here(
    console: Console, key: str, value: object
) -> None:
    refused = console.ask("PATCH", "/api/settings", "admin", json={key: value})

    assert refused.status_code == 403
    assert key in refused.json()["detail"]
    assert not console.root.runtime_overrides.exists()


def test_exclusions_are_added_to_those_of_the_owners_file(console: Console) -> None:
    console.root.user_settings.write_text("privacy: {exclude_apps: [vault]}\n")
    changed = one(change(console, privacy__exclude_apps=["bank"]), "privacy.exclude_apps")

    assert (changed["value"], changed["override"]) == (["vault", "bank"], ["bank"])
    assert change(console, privacy__exclude_apps=None).status_code == 200


def test_a_change_is_audited_by_its_keys_alone(console: Console) -> None:
    change(console, privacy__redact_patterns=["my-secret-[0-9]+"], lora__rank=None)
    (entry,) = console.ask("GET", "/api/audit", "admin", params={"limit": 1}).json()["items"]

    assert entry["action"] == "settings.change"
    assert entry["details"] == {"set": ["privacy.redact_patterns"], "reset": ["lora.rank"]}


def test_a_session_that_runs_on_other_settings_is_said_to(console: Console) -> None:
    loaded = console.model.settings_now().settings
    health = Health("supervisor", "1", config_hash(by_reference(loaded)), 1, 0, "ok", 0, "", 0)
    console.catalog.services.put(health, 0, console.clock.now_us())
    assert not console.ask("GET", "/api/settings", "admin").json()["is_waiting"]

    assert change(console, lora__rank=4).json()["is_waiting"]


def test_every_key_says_how_it_is_asked_for(console: Console) -> None:
    shown = console.ask("GET", "/api/settings", "admin")
    assert all(bool(item["fixed"]) == (item["kind"] == "none") for item in shown.json()["items"])

    rank, port = one(shown, "lora.rank"), one(shown, "serve.port")
    assert (rank["kind"], rank["choices"]) == ("choice", [4, 8, 16, 32])
    assert (port["bounds"], port["takes_effect"]) == ("at least 1,024, at most 65,535", "up")
    assert one(shown, "ray.dashboard")["takes_effect"] == "restart"


def test_who_is_no_admin_changes_nothing(console: Console) -> None:
    assert change(console, "operate", lora__rank=4).status_code == 403
    assert change(console).status_code == 400


def test_units_are_those_of_the_names(console: Console) -> None:
    items = console.ask("GET", "/api/settings", "admin").json()["items"]
    units = {item["key"]: item["unit"] for item in items}

    assert units["buffer.budget_bytes"] == "bytes"
    assert units["tune.time_budget_s"] == "s"
    assert units["serve.rate_per_min"] == "per min"
    assert units["serve.port"] == ""


def test_the_password_of_a_catalog_is_not_shown(console: Console) -> None:
    write_request(console.root, SessionRequest(assignments=(f"store.catalog_url={CATALOG_URL}",)))
    answered = console.ask_socket("GET", "/api/settings")

    assert answered.status_code == 200
    assert console.model.settings().store.catalog_url == CATALOG_URL
    assert "pa55word" not in answered.text


def test_a_change_of_settings_that_are_not_as_they_were_seen_is_refused(console: Console) -> None:
    seen = {"if-match": f'"{console.ask("GET", "/api/settings", "admin").json()["etag"]}"'}
    statuses = [
        console.ask("PATCH", "/api/settings", "admin", seen, json={"lora.rank": rank}).status_code
        for rank in (4, 32)
    ]

    assert statuses == [200, 412]
    assert one(console.ask("GET", "/api/settings", "admin"), "lora.rank")["value"] == 4

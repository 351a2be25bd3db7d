"""Deletion in two steps, and rules that are tried before they are saved."""

from pathlib import Path
from typing import Any

import pytest

from selflow.core.events import Event
from selflow.core.privacy_rules import added_rules
from selflow.store.command_records import Command
from tests.unit.console.conftest import Cli
from tests.unit.console.server.worlds import NOW_US, Console, at


@pytest.fixture
def stocked(console: Console) -> Console:
    console.store(
        [
            at(3, subject="~/geheim/a.py", app="vim"),
            at(2, "shell.command", "make -C ~/geheim all", source="shell"),
            at(1, subject="~/open/b.py", app="emacs"),
        ]
    )
    return console


def forget(console: Console, body: dict[str, Any], confirm: str = "") -> Any:
    headers = {"X-SelFlow-Confirm": confirm} if confirm else {}
    return console.ask("POST", "/api/events/forget", "admin", headers, json=body)


@pytest.mark.parametrize(
    ("body", "events"),
    [
        ({"folder": "~/geheim"}, 2),
        ({"source": "shell"}, 1),
        ({"app": "emacs"}, 1),
        ({"q": "geheim mak"}, 1),
        ({"since": "2025-12-31T21:30:00Z"}, 2),
        ({"paths": ["*.py"]}, 2),
        ({"apps": ["VIM"]}, 1),
        ({"folder": "~/geh"}, 0),
    ],
)
def test_a_preview_counts_what_is_meant(stocked: Console, body: Any, events: int) -> None:
    answer = stocked.ask("POST", "/api/events/preview-delete", "admin", json=body).json()

    assert answer["events"] == events
    assert sum(day["events"] for day in answer["days"]) == events
    assert sum(source["events"] for source in answer["sources"]) == events


def test_a_folder_may_be_named_as_the_system_names_it(stocked: Console) -> None:
    body = {"folder": str(Path.home() / "geheim")}
    answer = stocked.ask("POST", "/api/events/preview-delete", "admin", json=body)

    assert answer.json()["events"] == 2


def test_nothing_is_deleted_without_the_preview_that_was_seen(stocked: Console) -> None:
    body = {"folder": "~/geheim"}
    for confirm in ("", "something"):
        refused = forget(stocked, body, confirm)
        assert (refused.status_code, refused.json()["code"]) == (428, "confirmation_required")
    seen = stocked.ask("POST", "/api/events/preview-delete", "admin", json=body).json()
    other = forget(stocked, {"folder": "~/open"}, seen["confirm_id"])
    stocked.store([at(0, subject="~/geheim/new.py")])
    changed = forget(stocked, body, seen["confirm_id"])

    assert (other.status_code, changed.status_code) == (428, 428)
    assert stocked.catalog.commands.open() == []


def test_a_confirmed_deletion_waits_as_an_audited_command(stocked: Console) -> None:
    body = {"folder": "~/geheim"}
    seen = stocked.ask("POST", "/api/events/preview-delete", "admin", json=body).json()
    answer = forget(stocked, body, seen["confirm_id"])

    assert (answer.status_code, answer.json()["state"]) == (202, "queued")
    assert answer.json()["queued_until"] == "ray_up"
    told = stocked.ask("GET", "/api/audit", "admin").text + stocked.ask("GET", "/api/commands").text
    assert "events.forget" in told
    assert "geheim" not in told
    empty = forget(stocked, {"source": "x"}, "")
    assert empty.status_code == 428


def test_everything_at_once_is_refused(stocked: Console) -> None:
    for body in ({}, {"since": "2026-01-02", "until": "2026-01-01"}, {"since": "never"}):
        refused = stocked.ask("POST", "/api/events/preview-delete", "admin", json=body)
        assert refused.status_code == 400


def test_the_command_line_deletes_and_the_console_counts_anew(stocked: Console, cli: Cli) -> None:
    stocked.model.release_log()
    shown = cli("forget", "--folder", "~/geheim", "--dry-run", "--json").document
    asked = cli("forget", "--folder", "~/geheim")
    done = cli("forget", "--folder", "~/geheim", "--yes", "--json")

    assert (shown["events"], shown["dry_run"], asked.code) == (2, True, 2)
    assert (done.code, done.document["state"]) == (0, "done")
    assert [s["name"] for s in done.document["stages"]][:3] == ["cycle", "spools", "log"]
    stocked.store([])
    items = stocked.ask("GET", "/api/activity").json()["items"]
    assert sum(item["events"] for item in items) == 1
    assert stocked.ask("GET", "/api/events?q=geheim").json()["items"] == []


def test_a_deletion_from_the_page_is_carried_out_without_a_session(
    stocked: Console, cli: Cli
) -> None:
    body = {"folder": "~/geheim"}
    seen = stocked.ask("POST", "/api/events/preview-delete", "admin", json=body).json()
    where = forget(stocked, body, seen["confirm_id"]).headers["location"]
    stocked.model.release_log()

    assert cli("forget", "--resume").code == 0
    told = stocked.ask("GET", where).json()
    assert (told["state"], told["stages"][2]["result"]) == ("done", {"events": 2})
    retried = stocked.ask("POST", f"{where}/retry", "admin")
    assert (retried.status_code, retried.json()["code"]) == (409, "conflict")


def test_only_a_failed_deletion_is_asked_for_again(stocked: Console) -> None:
    failed = Command("c1", "events.forget", "2 events", {}, "owner", "failed", NOW_US, error="x")
    stocked.catalog.commands.add(failed)
    again = stocked.ask("POST", "/api/commands/c1/retry", "admin")

    assert (again.status_code, again.json()["state"], again.json()["error"]) == (202, "queued", "")
    assert stocked.ask("POST", "/api/commands/none/retry", "admin").status_code == 404


def test_a_rule_is_tried_before_it_is_saved(stocked: Console, cli: Cli) -> None:
    rule = {"paths": ["~/geheim/"], "apps": []}
    shown = stocked.ask("POST", "/api/privacy/preview", "admin", json=rule).json()

    assert (shown["examined"], shown["hidden"], len(shown["items"])) == (3, 2, 2)
    assert stocked.ask("GET", "/api/privacy/rules", "admin").json()["paths"] == []
    stocked.model.release_log()
    told = cli("privacy", "preview", "--path", "~/geheim/", "--json").document
    assert (told["examined"], told["hidden"]) == (3, 2)
    for bad in ({}, {"paths": ["!!"], "apps": []}, {"paths": [""]}):
        refused = stocked.ask("POST", "/api/privacy/preview", "admin", json=bad)
        assert refused.status_code in {400, 409} or bad.get("paths") == ["!!"]


def test_a_kind_is_tried_before_it_is_switched_on(stocked: Console, cli: Cli) -> None:
    stocked.store([Event(9, "shell", "shell.command", "ping 8.8.8.8")])
    stocked.model.release_log()
    tried = cli("privacy", "preview", "--kind", "public_address", "--json").document
    unknown = cli("privacy", "preview", "--kind", "publik")

    assert (tried["examined"], tried["changed"]) == (4, 1)
    assert tried["items"][0]["subject"] == "ping <ADDRESS>"
    assert unknown.code == 2
    assert "known kinds: phone" in unknown.err
    assert cli("privacy", "preview", "--kind", "phone", "--app", "x").code == 2
    assert "seed_phrase" in cli("privacy", "rules", "--json").document["kinds"]


def test_a_saved_rule_stands_beside_those_of_the_settings(stocked: Console, cli: Cli) -> None:
    stocked.root.user_settings.write_text("privacy:\n  exclude_paths: ['*.key']\n")
    rule = {"paths": ["~/geheim/"], "apps": ["signal"]}
    for _ in range(2):
        saved = stocked.ask("POST", "/api/privacy/rules", "admin", json=rule).json()

    assert (saved["paths"], saved["apps"]) == (["*.key", "~/geheim/"], ["signal"])
    assert (saved["added_paths"], added_rules(stocked.root).apps) == (["~/geheim/"], ("signal",))
    assert cli("privacy", "rules", "--json").document["paths"] == ["*.key", "~/geheim/"]
    audit = stocked.ask("GET", "/api/audit", "admin").text
    assert "privacy.exclude" in audit
    assert "geheim" not in audit

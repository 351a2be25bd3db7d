"""Notices: written once, silent where the owner wants it, and counted when acted on."""

from typing import Any

import pytest

from selflow.console.server.notifier import write_notices
from selflow.core.session_files import SessionRequest, write_request
from selflow.store.notice_records import Notice
from selflow.store.row_writer import writing
from tests.unit.console.conftest import Cli
from tests.unit.console.server.worlds import HOUR_US, NOW_US, Console
from tests.unit.store.worlds import begun, register


@pytest.fixture
def noon(console: Console) -> Console:
    """A console at noon; the tests' machine keeps UTC."""
    console.clock.advance(12 * 3_600)
    return console


def put(console: Console, *notices: Notice) -> None:
    with writing(console.model.location) as rows:
        for notice in notices:
            rows.insert(notice)


def settings(console: Console, *assignments: str) -> None:
    write_request(console.root, SessionRequest(assignments=assignments))


def listed(console: Console) -> Any:
    return console.ask("GET", "/api/notices").json()


def test_a_pattern_and_an_agent_are_told_once_and_by_their_ids_alone(noon: Console) -> None:
    version = register(noon.catalog, "a", now_us=NOW_US)
    write_notices(noon.model)
    again = write_notices(noon.model)
    items = listed(noon)["items"]

    assert again == []
    assert {item["kind"] for item in items} == {"pattern.new", "agent.promoted"}
    assert version.id in {item["subject"] for item in items}
    assert not any("writing" in item["text"] for item in items)


def test_a_failed_cycle_and_a_rollback_by_nobody_are_told(noon: Console) -> None:
    register(noon.catalog, "a", now_us=NOW_US)
    noon.catalog.agents.rollback("writing", NOW_US + 1, "supervisor")
    noon.catalog.cycles.finish(begun(noon.catalog, NOW_US + 2).id, "failed", "no space", NOW_US + 3)
    kinds = [notice.kind for notice in write_notices(noon.model)]

    assert sorted(kinds) == ["agent.rolled_back", "learning.stalled", "pattern.new"]


def test_what_the_owner_did_is_no_news(noon: Console) -> None:
    register(noon.catalog, "a", now_us=NOW_US)
    noon.catalog.agents.rollback("writing", NOW_US + 1, "owner")

    assert "agent.rolled_back" not in {notice.kind for notice in write_notices(noon.model)}


@pytest.mark.setting("notifications.per_day")
def test_only_so_many_alert_on_a_day_and_the_others_are_listed(noon: Console) -> None:
    settings(noon, "notifications.per_day=1")
    register(noon.catalog, "a", now_us=NOW_US)
    write_notices(noon.model)
    answer = listed(noon)

    assert sorted(item["silence"] for item in answer["items"]) == ["", "limit"]
    assert answer["unread"] == 1


@pytest.mark.setting("notifications.quiet_hours")
def test_none_alerts_in_quiet_hours(noon: Console) -> None:
    settings(noon, "notifications.quiet_hours=11:00-13:00")
    register(noon.catalog, "a", now_us=NOW_US)

    assert {notice.silence for notice in write_notices(noon.model)} == {"quiet_hours"}
    assert listed(noon)["unread"] == 0


@pytest.mark.setting("notifications.muted")
def test_a_muted_type_is_listed_and_does_not_alert(noon: Console) -> None:
    settings(noon, 'notifications.muted=["pattern.new"]')
    register(noon.catalog, "a", now_us=NOW_US)
    silences = {notice.kind: notice.silence for notice in write_notices(noon.model)}

    assert silences == {"pattern.new": "muted", "agent.promoted": ""}
    assert {k["kind"] for k in listed(noon)["kinds"] if k["is_muted"]} == {"pattern.new"}


def test_a_type_that_is_ignored_demotes_itself_and_its_share_is_shown(noon: Console) -> None:
    before_us = NOW_US - 100 * HOUR_US
    put(
        noon,
        *(
            Notice(f"n{n}", "pattern.new", f"p{n}", "", before_us + n, 1, 1 if n < 2 else None)
            for n in range(10)
        ),
    )
    register(noon.catalog, "a", now_us=NOW_US)
    silences = {notice.kind: notice.silence for notice in write_notices(noon.model)}
    (share,) = [kind for kind in listed(noon)["kinds"] if kind["kind"] == "pattern.new"]

    assert silences == {"pattern.new": "demoted", "agent.promoted": ""}
    assert (share["acted"], share["notices"], share["is_demoted"]) == (2, 11, True)


def test_reading_and_acting_are_written_down_and_an_act_is_audited(noon: Console) -> None:
    register(noon.catalog, "a", now_us=NOW_US)
    first, second = write_notices(noon.model)

    assert noon.ask("POST", f"/api/notices/{first.id}/acted", "view", json={}).status_code == 403
    acted = noon.ask("POST", f"/api/notices/{first.id}/acted", "operate", json={}).json()
    assert acted["acted_at"] is not None
    assert listed(noon)["unread"] == 1
    assert noon.ask("POST", "/api/notices/read", "operate", json={}).json()["unread"] == 0
    entries = noon.catalog.audit.entries(0, 99)
    assert [e.subject for e in entries if e.action == "notice.act"] == [first.id]
    assert noon.ask("POST", "/api/notices/none/read", "operate", json={}).status_code == 404
    assert second.id in {item["id"] for item in listed(noon)["items"] if item["read_at"]}


def test_the_command_line_lists_what_the_console_does(noon: Console, cli: Cli) -> None:
    register(noon.catalog, "a", now_us=NOW_US)
    write_notices(noon.model)

    assert cli("notices", "--json").document == listed(noon)
    assert len(cli("notices", "--unread", "--json").document["items"]) == listed(noon)["unread"]
    assert "An agent passed its verdict" in cli("notices").out
    assert cli("notices", "read").code == 3


def test_a_full_disk_and_hooks_without_consent_are_told(
    noon: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "selflow.console.cli.status_report.storage_problem", lambda _: "the disk is full"
    )
    noon.root.shell_hooks.mkdir(parents=True)
    (noon.root.shell_hooks / "selflow.bash").touch()

    assert [notice.kind for notice in write_notices(noon.model)] == [
        "disk.full",
        "permission.asked",
    ]

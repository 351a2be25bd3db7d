"""``selflow cycles``, ``audit`` and the filters of the other lists, with their exit codes."""

import sqlite3
from collections.abc import Iterator

import pytest

from selflow.core.grants import OWNER
from selflow.core.paths import Root
from selflow.store.catalog import Catalog
from tests.unit.console.conftest import Cli
from tests.unit.store.worlds import begun, register

NOW_US = 1_767_225_600_000_000


@pytest.fixture
def catalog(root: Root) -> Iterator[Catalog]:
    opened = Catalog.open(root.catalog)
    yield opened
    opened.close()


def test_cycles_are_listed_by_state_and_shown_with_their_stages(cli: Cli, catalog: Catalog) -> None:
    cycle = begun(catalog, NOW_US)
    catalog.cycles.stage_done(cycle.id, "represent", None, [], {}, NOW_US + 2_000_000)
    shown = cli("cycles", "show", cycle.id, "--json").document

    assert [item["id"] for item in cli("cycles", "--json").document["items"]] == [cycle.id]
    assert cli("cycles", "--state", "failed", "--json").document["items"] == []
    assert (shown["state"], [stage["name"] for stage in shown["stages"]]) == (
        "running",
        ["represent"],
    )
    assert "represent" in cli("cycles", "show", cycle.id).out


def test_lists_go_on_where_an_answer_ended(cli: Cli, catalog: Catalog) -> None:
    for number in range(3):
        catalog.consents.grant(f"kind{number}", {}, NOW_US + number, OWNER)
    first = cli("audit", "--limit", "2", "--json").document
    rest = cli("audit", "--cursor", first["next"], "--json").document
    seqs = [item["seq"] for item in (*first["items"], *rest["items"])]

    assert (seqs, rest["next"]) == ([3, 2, 1], None)
    assert cli("audit", "--cursor", "x").code == 2


def test_the_audit_log_is_filtered_by_act_actor_and_subject(cli: Cli, catalog: Catalog) -> None:
    catalog.consents.grant("ingest", {}, NOW_US, OWNER)
    catalog.consents.grant("files", {}, NOW_US, "tok_1")

    for option, value in (("--actor", "tok_1"), ("--subject", "files")):
        (item,) = cli("audit", option, value, "--json").document["items"]
        assert (item["action"], item["actor"]) == ("consent.grant", "tok_1")
    assert cli("audit", "--action", "none", "--json").document["items"] == []


def test_a_changed_audit_entry_is_found_and_ends_with_five(
    cli: Cli, catalog: Catalog, root: Root
) -> None:
    for kind in ("ingest", "files"):
        catalog.consents.grant(kind, {}, NOW_US, OWNER)
    before = cli("audit", "verify", "--json")
    with sqlite3.connect(root.catalog) as connection:
        connection.execute("UPDATE audit SET actor = 'nobody' WHERE seq = 2")
    connection.close()
    ended = cli("audit", "verify", "--json")

    assert (before.code, before.document) == (0, {"entries": 2, "fault": None, "is_intact": True})
    assert (ended.code, ended.document["fault"]) == (5, "entry 2 was changed")


def test_lists_have_limits_and_filters(cli: Cli, catalog: Catalog) -> None:
    register(catalog, "a", now_us=NOW_US)

    assert len(cli("agents", "--status", "champion", "--json").document["items"]) == 1
    assert cli("agents", "--status", "retired", "--json").document["items"] == []
    assert len(cli("patterns", "--limit", "1", "--json").document["items"]) == 1
    assert cli("patterns", "--limit", "0").code == 2


@pytest.mark.parametrize(
    ("command", "near"),
    [
        (("agents", "show", "writng"), "writing"),
        (("patterns", "show", "PATTERN"), "PATTERN"),
        (("cycles", "show", "CYCLE"), "CYCLE"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(
    cli: Cli, catalog: Catalog, command: tuple[str, ...], near: str
) -> None:
    version = register(catalog, "a", now_us=NOW_US)
    names = {"PATTERN": cli("patterns", "--json").document["items"][0]["name"]}
    names["CYCLE"] = version.cycle_id
    wrong = [f"{names[part]}x" if part in names else part for part in command]
    ended = cli(*wrong)

    assert ended.code == 2
    assert f"did you mean {names.get(near, near)!r}" in ended.err

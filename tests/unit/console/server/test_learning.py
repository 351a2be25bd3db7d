"""What was found, grown and judged: the console's figures are those of the command line."""

from selflow.core.grants import OWNER
from selflow.store.records import Decision
from tests.unit.console.conftest import Cli
from tests.unit.console.server.worlds import NOW_US, Console
from tests.unit.store.worlds import begun, register


def test_patterns_and_agents_are_those_of_the_command_line(console: Console, cli: Cli) -> None:
    register(console.catalog, "a", now_us=NOW_US)

    patterns = console.ask("GET", "/api/patterns").json()
    assert all(item.pop("etag") for item in patterns["items"])
    assert patterns == cli("patterns", "--all", "--json").document
    assert patterns["items"][0]["families"] == {"ward": 0.9, "gmm": 0.8}
    agents = console.ask("GET", "/api/agents").json()
    assert agents["items"] == cli("agents", "--json").document["items"]
    assert agents["items"][0]["verdict"]["numbers"] == {"slice_gain_bits": 0.2}


def test_a_cycle_is_told_stage_by_stage_with_its_seconds(console: Console) -> None:
    cycle = begun(console.catalog, NOW_US - 9_000_000)
    console.catalog.cycles.progress(cycle.id, "discover", 0.5, NOW_US - 4_000_000)

    assert console.ask("GET", f"/api/cycles/{cycle.id}").json()["done_fraction"] == 0.5
    (stage,) = console.ask("GET", f"/api/cycles/{cycle.id}/stages").json()["items"]
    assert (stage["name"], stage["seconds"], stage["finished_at"]) == ("discover", 4.0, None)
    assert console.ask("GET", "/api/cycles/none").json()["code"] == "cycle_not_found"


def test_lists_go_on_where_a_page_ended(console: Console) -> None:
    for number in range(5):
        console.catalog.decisions.record(Decision(f"dec_{number}", 7, "pool", 0, [], []))
    seen, cursor = [], ""
    for _ in range(3):
        page = console.ask("GET", f"/api/decisions?limit=2{cursor}").json()
        seen += [item["id"] for item in page["items"]]
        cursor = f"&cursor={page['next']}"

    assert (seen, page["next"]) == ([f"dec_{n}" for n in (4, 3, 2, 1, 0)], None)
    assert console.ask("GET", "/api/decisions?cursor=x").json()["code"] == "bad_request"


def test_the_audit_log_is_for_admins_and_shows_each_act(console: Console) -> None:
    console.catalog.consents.grant("ingest", {}, NOW_US, OWNER)
    items = console.ask("GET", "/api/audit", "admin").json()["items"]

    assert (items[0]["action"], items[0]["subject"]) == ("consent.grant", "ingest")
    assert items[0]["prev_hash"] == items[1]["hash"]


def test_trials_and_verdicts_have_their_numbers(console: Console) -> None:
    version = register(console.catalog, "a", "rejected", now_us=NOW_US)
    trial = {"config": {"r": 8}, "state": "finished", "tune_bits": 1.5, "seconds": 2.0, "error": ""}
    console.catalog.trials.record(version.cycle_id, "writing", [{"id": "t1", **trial}])

    (verdict,) = console.ask("GET", "/api/verdicts").json()["items"]
    assert (verdict["decision"], verdict["version_id"]) == ("rejected", version.id)
    (shown,) = console.ask("GET", "/api/trials?agent=writing").json()["items"]
    assert (shown["tune_bits"], shown["config"]) == (1.5, {"r": 8})
    assert console.ask("GET", "/api/trials?agent=other").json()["items"] == []

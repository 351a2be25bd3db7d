"""Models in the console, as on the command line, and deleting one by a command."""

from selflow.core.events import Json
from selflow.store.records import Artifact, Decision, Parent
from tests.unit.console.conftest import Cli
from tests.unit.console.server.test_commands import asked
from tests.unit.console.server.worlds import NOW_US, Console
from tests.unit.store.worlds import begun, register


def test_models_are_those_of_the_command_line(console: Console, cli: Cli) -> None:
    cycle, base = begun(console.catalog, NOW_US), Artifact("b" * 64, "base", 10, {})
    parents = [Parent("events", "log", 1, 9), Parent("artifact", "c" * 64)]
    console.catalog.cycles.stage_done(cycle.id, "base", base, parents, {}, NOW_US)
    register(console.catalog, "a", now_us=NOW_US)
    shown = console.ask("GET", "/api/models").json()
    printed = cli("models", "--json").document
    for document in (shown, printed):
        document["disk"].pop("free_bytes")

    assert shown == printed
    assert [item["kind"] for item in shown["items"]] == ["base", "adapter"]
    assert sorted(shown["items"][0]["made_from"]) == ["events 1 to 9", f"sha256:{'c' * 64}"]
    assert "byte model of lines" in cli("models").out


def test_a_version_that_does_not_serve_is_deleted_with_its_artifact(console: Console) -> None:
    version = register(console.catalog, "a", "rejected", now_us=NOW_US)
    folder = console.root.artifacts / version.sha256
    folder.mkdir()
    (folder / "weights").write_bytes(b"weights")
    done = asked(console, "DELETE", f"/api/models/{version.id}")

    assert (done["state"], done["error"]) == ("done", "")
    assert not folder.exists()
    again = console.ask("DELETE", f"/api/models/{version.id}", "operate")
    assert (again.status_code, again.json()["code"]) == (409, "in_use")


def test_what_serves_and_what_is_unknown_is_refused(console: Console) -> None:
    version = register(console.catalog, "a", now_us=NOW_US)
    refused = console.ask("DELETE", f"/api/models/{version.id}", "operate")

    assert refused.status_code == 409
    assert refused.json()["code"] == "in_use"
    assert "it serves" in refused.json()["detail"]
    assert console.ask("DELETE", "/api/models/none", "operate").status_code == 404


def test_who_answered_when_is_told_alike(console: Console, cli: Cli) -> None:
    routing: dict[str, Json] = {
        "arm": "base",
        "surface": "chat",
        "propensity": 0.5,
        "explored": False,
    }
    decision = Decision("dec_1", NOW_US, "chat", 1, [], [], None, routing)
    console.catalog.decisions.record(decision)
    moment = "2026-01-01T00:00:00Z"
    shown = console.ask("GET", "/api/models/answered", params={"at": moment}).json()["items"]

    assert shown == cli("models", "answered", moment, "--json").document["items"]
    assert [item["arm"] for item in shown] == ["base"]
    earlier = console.ask("GET", "/api/models/answered", params={"at": "2025-12-31"}).json()
    assert earlier["items"] == []
    wrong = console.ask("GET", "/api/models/answered", params={"at": "14 o'clock"})
    assert wrong.status_code == 400


def test_the_command_deletes_too_and_says_before_what_would_go(console: Console, cli: Cli) -> None:
    served = register(console.catalog, "a", now_us=NOW_US)
    other = register(console.catalog, "c", "rejected", now_us=NOW_US + 1)

    assert "stays: it serves" in cli("models", "delete", served.id, "--dry-run").out
    assert "would free" in cli("models", "delete", other.id, "--dry-run").out
    assert cli("models", "delete", other.id).out == f"{other.id}: deleted\n"
    assert cli("models", "delete", served.id).code == 4
    assert cli("models", "delete", "nobody@1").code == 2
    assert cli("models", "answered", "soon").code == 2
    assert cli("models", "answered", "14:03").code == 0

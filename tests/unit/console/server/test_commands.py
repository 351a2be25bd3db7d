"""What the owner asks for in the console: queued, audited, carried out, and told."""

from dataclasses import replace
from typing import Any

import pytest

from actors.command_runner import CommandRunner
from selflow.core.grants import OWNER
from selflow.core.settings import RouterSettings
from selflow.route.bandit import Beliefs
from selflow.route.learner import learn
from selflow.store.command_records import Command
from selflow.store.records import Decision
from tests.unit.console.conftest import Cli
from tests.unit.console.server.worlds import NOW_US, Console
from tests.unit.store.worlds import register


def never(command: Command) -> None:
    """No deletion is asked for here."""
    raise AssertionError(command.id)


def asked(console: Console, method: str, path: str, scope: str = "operate", **more: Any) -> Any:
    """Ask, have the supervisor carry it out, and return what became of it."""
    answer = console.ask(method, path, scope, **more)
    assert answer.status_code == 202, answer.text
    assert answer.json()["state"] == "queued"
    CommandRunner(console.root, console.catalog, console.clock, never).once()
    return console.ask("GET", answer.headers["location"]).json()


def test_learn_now_and_cancel(console: Console) -> None:
    assert asked(console, "POST", "/api/system/learn")["state"] == "done"
    cycle = console.catalog.cycles.open()
    assert cycle is not None
    assert cycle.trigger == "owner"

    assert asked(console, "POST", f"/api/cycles/{cycle.id}/cancel")["state"] == "done"
    assert console.catalog.cycles.open() is None
    again = console.ask("POST", f"/api/cycles/{cycle.id}/cancel", "operate")
    assert (again.status_code, again.json()["code"]) == (409, "conflict")


def test_roll_back_promote_and_retire(console: Console) -> None:
    first = register(console.catalog, "a", now_us=NOW_US)
    second = register(console.catalog, "b", now_us=NOW_US + 1)

    asked(console, "POST", "/api/agents/writing/rollback")
    assert [v.id for v in console.catalog.agents.champions()] == [first.id]
    asked(console, "POST", f"/api/versions/{second.id}/promote")
    assert [v.id for v in console.catalog.agents.champions()] == [second.id]
    asked(console, "POST", "/api/agents/writing/retire")
    assert console.catalog.agents.champions() == []
    gone = console.ask("POST", "/api/agents/writing/retire", "operate")
    assert gone.json()["code"] == "agent_not_found"


@pytest.mark.parametrize(
    ("decision", "code"), [("rejected", "verdict_failed"), ("no_verdict", "verdict_missing")]
)
def test_a_version_without_a_passed_verdict_is_never_promoted(
    console: Console, decision: str, code: str
) -> None:
    version = register(console.catalog, "a", decision, now_us=NOW_US)
    refused = console.ask("POST", f"/api/versions/{version.id}/promote", "operate")

    assert (refused.status_code, refused.json()["code"]) == (409, code)


def test_the_owners_title_is_kept_and_shown(console: Console) -> None:
    register(console.catalog, "a", now_us=NOW_US)
    title = "\u202e<b>نص</b>"
    asked(console, "PATCH", "/api/patterns/writing", json={"title": title, "is_hidden": True})

    (pattern,) = console.ask("GET", "/api/patterns").json()["items"]
    assert (pattern["title"], pattern["is_hidden"]) == (title, True)
    for body in ({}, {"title": "x" * 201}, {"name": "x"}):
        refused = console.ask("PATCH", "/api/patterns/writing", "operate", json=body)
        assert refused.status_code == 400
    missing = console.ask("PATCH", "/api/patterns/none", "operate", json={"title": "x"})
    assert missing.json()["code"] == "pattern_not_found"


def test_consent_is_revoked_and_given_again_with_its_folders(console: Console) -> None:
    console.catalog.consents.grant("file_system", {"paths": ["/w"]}, NOW_US, OWNER)
    asked(console, "POST", "/api/sources/file_system/revoke", "admin")
    (consent,) = console.catalog.consents.list_all()
    assert consent.revoked_at_us is not None

    asked(console, "POST", "/api/sources/file_system/grant", "admin")
    (consent,) = console.catalog.consents.list_all()
    assert (consent.revoked_at_us, consent.folders) == (None, ("/w",))
    never = console.ask("POST", "/api/sources/ingest/grant", "admin")
    assert never.json()["code"] == "source_not_found"


def test_a_revoked_companion_leaves_its_hooks_nowhere_to_write(console: Console) -> None:
    console.catalog.consents.grant("shell_companion", {}, NOW_US, OWNER)
    console.root.shell_spool.mkdir()
    asked(console, "POST", "/api/sources/shell_companion/revoke", "admin")

    assert not console.root.shell_spool.exists()
    asked(console, "POST", "/api/sources/shell_companion/grant", "admin")
    assert console.root.shell_spool.is_dir()


def test_every_act_is_audited_with_who_asked(console: Console) -> None:
    console.ask("POST", "/api/system/learn", "operate")
    console.ask_socket("POST", "/api/system/learn")
    entries = console.catalog.audit.entries(0, 100)[-2:]

    assert [entry.action for entry in entries] == ["command.learn.start"] * 2
    assert entries[0].actor.startswith("tok_")
    assert entries[1].actor == OWNER
    assert console.catalog.audit.verify().fault == ""


def test_what_fails_says_why(console: Console) -> None:
    register(console.catalog, "a", now_us=NOW_US)
    console.ask("POST", "/api/agents/writing/retire", "operate")
    console.clock.advance(1)
    told = asked(console, "POST", "/api/agents/writing/rollback")

    assert told["state"] == "failed"
    assert "serves" in told["error"]


def test_an_act_that_a_dead_supervisor_had_begun_is_not_done_twice(console: Console) -> None:
    answer = console.ask("POST", "/api/system/learn", "operate").json()
    console.catalog.commands.accept(answer["id"], NOW_US)
    CommandRunner(console.root, console.catalog, console.clock, never).once()

    told = console.ask("GET", f"/api/commands/{answer['id']}").json()
    assert told["state"] == "failed"
    assert console.catalog.cycles.open() is None


def test_without_a_session_an_act_waits_and_says_so(console: Console) -> None:
    assert console.ask("POST", "/api/system/learn", "operate").json()["queued_until"] == "ray_up"


def test_a_title_that_is_no_unicode_is_refused(console: Console) -> None:
    register(console.catalog, "a", now_us=NOW_US)
    headers = {"content-type": "application/json"}
    body = b'{"title": "\\ud800"}'
    answer = console.ask("PATCH", "/api/patterns/writing", "operate", headers, content=body)

    assert answer.status_code == 400


def test_a_thumb_becomes_feedback_with_the_decisions_propensity(console: Console) -> None:
    routing = {"arm": "pool", "surface": "next", "propensity": 0.25}
    guess = {"kind": "file.modify", "subject": "a.py", "p": 0.5, "experts": []}
    console.catalog.decisions.record(
        Decision("dec_1", NOW_US, "routed", 1, [guess], [], None, routing)
    )
    for thumb in (True, False):
        asked(console, "POST", "/api/decisions/dec_1/feedback", json={"thumb": thumb})

    first, second = console.catalog.feedback.routed_after(0, 10)
    assert [(one.metric, one.value, one.is_superseded) for one in (first, second)] == [
        ("thumb", True, True),
        ("thumb", False, False),
    ]
    assert second.routing["propensity"] == 0.25
    missing = console.ask("POST", "/api/decisions/none/feedback", "operate", json={"thumb": True})
    assert missing.json()["code"] == "decision_not_found"


def corrected(console: Console, more: dict[str, Any], mode: str = "routed") -> Any:
    """Give a thumb down with a right answer to a decision that guessed a.py."""
    guess = {"kind": "file.modify", "subject": "a.py", "p": 0.5, "experts": []}
    routing = {"arm": "pool", "surface": "next", "propensity": 0.25}
    said = Decision("dec_1", NOW_US, mode, 1, [guess], [], None, routing)
    if console.catalog.decisions.find("dec_1") is None:
        console.catalog.decisions.record(said)
    body = {"thumb": False, **more}
    return console.ask("POST", "/api/decisions/dec_1/feedback", "operate", json=body)


def carried_out(console: Console) -> None:
    CommandRunner(console.root, console.catalog, console.clock, never).once()


def test_a_right_answer_is_an_outcome_of_the_decision(console: Console, cli: Cli) -> None:
    answer = corrected(console, {"label": "b.py"})
    carried_out(console)
    told = console.ask("GET", answer.headers["location"]).json()
    assert told["state"] == "done"
    words = console.catalog.feedback.routed_after(0, 10)

    assert [word.metric for word in words] == ["thumb", "outcome"]
    thumb, outcome = words
    assert thumb.value is False
    assert outcome.value["labels"] == [["file.modify", "b.py"]]  # type: ignore[index,call-overload]
    assert outcome.routing["propensity"] == 0.25
    (listed,) = cli("decisions", "--json").document["items"]
    assert [said["metric"] for said in listed["feedback"]] == ["thumb", "outcome"]
    assert "thumb false, outcome file.modify b.py" in cli("decisions").out
    (shown,) = console.ask("GET", "/api/decisions").json()["items"]
    assert shown["feedback"] == listed["feedback"]


def test_the_router_learns_from_a_right_answer_as_from_an_outcome(console: Console) -> None:
    routing = {"latency_s": 0.0, "tokens": 0.0, "forced": False, "version": "1"}
    corrected(console, {"label": "a.py"})
    carried_out(console)
    words = [
        replace(word, routing={**word.routing, **routing})
        for word in console.catalog.feedback.routed_after(0, 10)
    ]
    arm = learn(Beliefs(), words, RouterSettings()).surfaces["next"]["pool"]

    assert [word.reward for word in arm.recent] == [0.0, 1.0]  # it was the first guess after all


def test_a_right_answer_is_redacted_before_it_is_written_anywhere(console: Console) -> None:
    secret = "ghp_" + "A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8"
    corrected(console, {"label": f"curl -H {secret}", "kind": "shell.command"})
    (queued,) = console.catalog.commands.open()
    assert secret not in str(queued.details)
    carried_out(console)

    outcome = console.catalog.feedback.after(0, 10)[-1]
    assert outcome.value["labels"] == [["shell.command", "curl -H <SECRET>"]]  # type: ignore[index,call-overload]


@pytest.mark.parametrize("more", [{"label": ""}, {"label": "x" * 4_097}, {"label": ["a.py"]}])
def test_a_right_answer_is_bounded(console: Console, more: dict[str, Any]) -> None:
    assert corrected(console, more).status_code == 400
    assert console.catalog.commands.open() == []


def test_a_text_takes_a_thumb_alone(console: Console) -> None:
    assert corrected(console, {"label": "b.py"}, "text").status_code == 400
    assert corrected(console, {}, "text").status_code == 202


def test_the_command_line_lists_the_decisions(console: Console, cli: Cli) -> None:
    guess = {"kind": "file.modify", "subject": "a.py", "p": 0.5, "experts": []}
    routing = {"arm": "pool", "propensity": 0.25}
    console.catalog.decisions.record(
        Decision("dec_1", NOW_US, "routed", 1, [guess], [], None, routing)
    )

    (item,) = cli("decisions", "--json").document["items"]
    assert (item["id"], item["routing"]["propensity"]) == ("dec_1", 0.25)
    assert "file.modify a.py" in cli("decisions").out

"""Completions over HTTP: what they are learned from, when there is none, and what becomes of
them.
"""

import asyncio
import json
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import httpx
import pytest

from selflow.collect.redact import SlotRedactor
from selflow.core.codec import encode_record
from selflow.core.events import Event, Json
from selflow.route.arms import MIX
from selflow.store.catalog import Catalog
from selflow.store.records import Decision, Feedback
from selflow.text.examples import example_of
from selflow.text.suggest import Suggester, Suggestion
from serve import text_state
from serve.suggest_http import parse
from serve.suggestions import KEPT_DECISIONS
from serve.text_engine import MAX_PAUSES, MAX_WAITING, POLL_S, PREDICTION_S, QUIET_S
from tests.unit.inference.worlds import Template, World

CHECKOUT = "git checkout main"
LINES = (CHECKOUT, "cd src", "pytest -q tests", "git checkout main", "ls")
PLAIN = {"accept": "text/plain"}
US = "\x1f"


def learn(world: World) -> None:
    """Both cursors up to the end of the log."""
    world.catch_up()
    while world.replica.engine.text.step():
        pass


def type_lines(world: World, lines: Sequence[str], folder: str = "~/work", **data: Json) -> None:
    """The owner's shell reports finished commands."""
    events = []
    for line in lines:
        world.clock.advance(30.0)
        data_of = {"folder": folder, **data}
        events.append(
            Event(world.clock.now_us(), "shell", "shell.command", line, "bash", data=data_of)
        )
    redacted = [encode_record(SlotRedactor().redact(event)) for event in events]
    world.feed.log.append("shell", world.clock.now_us(), redacted)


def ask(world: World, prefix: str, surface: str = "shell", context: str = "~/work") -> Any:
    answer = world.ask(
        "POST", "/v1/suggest", {"surface": surface, "prefix": prefix, "context": context}
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


def plain(world: World, body: bytes) -> httpx.Response:
    headers = {"content-type": "text/plain", **PLAIN}
    return world.ask("POST", "/v1/suggest", content=body, headers=headers)


def catalog_of(world: World) -> Catalog:
    return Catalog.open(world.root.catalog)


def decision(world: World, decision_id: str) -> Decision | None:
    with catalog_of(world) as catalog:
        return catalog.decisions.find(decision_id)


def words(world: World) -> list[Feedback]:
    with catalog_of(world) as catalog:
        return catalog.feedback.after(0, 100)


@pytest.fixture(scope="module")
def typed(tmp_path_factory: pytest.TempPathFactory, template: Template) -> World:
    """A replica that has seen 30 lines, for tests that only ask."""
    made = World(tmp_path_factory.mktemp("typed") / "root", template)
    type_lines(made, LINES * 6)
    learn(made)
    return made


@pytest.fixture
def typing(tmp_path: Path, template: Template) -> World:
    """The same, for tests that change it."""
    made = World(tmp_path / "root", template)
    type_lines(made, LINES * 6)
    learn(made)
    return made


class Fixed(Suggester):
    """An arm that always completes alike."""

    def __init__(self, rest: bytes) -> None:
        self._rest = rest

    def suggest(self, prefix: bytes, context: bytes = b"") -> Suggestion:
        return Suggestion(prefix + self._rest, 0.9, 4.5)

    def learn_in_pieces(self, line: bytes, context: bytes, weight: float) -> Iterator[None]:
        yield

    def state(self) -> Any:
        return [self._rest]

    def load_state(self, state: Any) -> None:
        (self._rest,) = state


@pytest.fixture
def fixed(
    tmp_path: Path, template: Template, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, bytes]]:
    """Arms that say what a test wants; ``world`` below is made with them."""
    rests = {MIX: b"atus"}
    monkeypatch.setattr(
        text_state, "make_arms", lambda: {name: Fixed(rest) for name, rest in rests.items()}
    )
    return rests


def quick(folder: Path, template: Template) -> World:
    """A world of those arms: nothing has to be learned."""
    made = World(folder / "root", template)
    learn(made)
    return made


def test_a_half_typed_line_is_completed_by_what_was_typed_before(typed: World) -> None:
    answer = ask(typed, "git ch")

    assert not answer["abstained"]
    assert [item["text"] for item in answer["suggestions"]] == [CHECKOUT]
    assert 0.2 < answer["suggestions"][0]["p"] <= 1.0
    assert 0.0 < answer["suggestions"][0]["keys_saved"] < len("eckout main")


def test_what_is_unlikely_is_not_suggested(typed: World) -> None:
    answer = ask(typed, "zzz never typed ")

    assert (answer["abstained"], answer["reason"], answer["suggestions"]) == (True, "unlikely", [])


def test_asking_teaches_nothing(typed: World) -> None:
    state = typed.replica.engine.text._state
    assert state is not None
    before = state.snapshot()
    for number in range(text_state.MOST_ASKED + 2):
        state.suggest("shell", MIX, b"git ch" + bytes([97 + number % 26]), b"~/work")
    assert not state.has_much_to_forget

    for _ in range(text_state.MAX_ASKED):
        state.suggest("shell", MIX, b"git ch", b"~/work")
    assert state.has_much_to_forget
    typed.clock.advance(QUIET_S * 2)
    typed.replica.engine.text.step()

    assert not state.has_much_to_forget
    assert state.snapshot() == before


def test_plain_text_is_asked_and_answered_without_json(typed: World) -> None:
    answer = plain(typed, f"shell{US}~/work{US}git ch".encode())
    silent = plain(typed, f"shell{US}~/work{US}zzz never typed ".encode())

    name, _, text = answer.text.partition("\t")
    assert (name[:4], text) == ("dec_", f"{CHECKOUT}\n")
    assert answer.headers["content-type"].startswith("text/plain")
    assert (silent.status_code, silent.content) == (200, b"")


def test_a_prefix_with_a_separator_in_it_is_taken_whole(typed: World) -> None:
    answer = plain(typed, f"shell{US}~/work{US}git{US}ch".encode())

    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize(
    "body",
    [
        b"shell\x1f~\x1f" + b"x" * 1_025,
        b"shell\x1f~\x1f\xff\xfe\x00",
        b"shell\x1f~",
        b"nowhere\x1f~\x1fgit",
        b"shell\x1f" + b"y" * 4_097 + b"\x1fgit",
        b"",
    ],
    ids=["long", "binary", "two-fields", "surface", "long-context", "empty"],
)
def test_a_bad_request_in_plain_text_is_an_empty_body(typed: World, body: bytes) -> None:
    answer = plain(typed, body)

    assert (answer.status_code, answer.content) == (400, b"")


@pytest.mark.parametrize(
    "field", [{"prefix": "x" * 1_025}, {"context": "x" * 4_097}, {"surface": "mail"}, {"more": 1}]
)
def test_a_bad_request_in_json_names_the_field(typed: World, field: dict[str, Any]) -> None:
    body = {"surface": "shell", "prefix": "git", "context": "", **field}
    answer = typed.ask("POST", "/v1/suggest", body)

    assert (answer.status_code, answer.json()["code"]) == (400, "validation_failed")
    assert answer.json()["field_errors"][0]["loc"] == next(iter(field))


def test_a_prefix_of_a_megabyte_is_refused_unread(typed: World) -> None:
    answer = typed.ask("POST", "/v1/suggest", {"surface": "shell", "prefix": "x" * 1_000_000})

    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


@pytest.mark.parametrize(
    ("typed_text", "reason"),
    [("git ch\x1b[31m", "not presentable"), ("\x00", "not presentable"), ("é" * 200, "too long")],
)
def test_control_characters_and_long_lines_get_no_suggestion(
    fixed: dict[str, bytes], tmp_path: Path, template: Template, typed_text: str, reason: str
) -> None:
    answer = ask(quick(tmp_path, template), typed_text)

    assert (answer["suggestions"], answer["reason"]) == ([], reason)


@pytest.mark.slow
@pytest.mark.parametrize(
    "rest",
    [
        b" ghp_abcdefghijklmnopqrstuvwxyz0123456789",
        b" --token <SECRET>",
        b"\x1b[2J",
        b"\n rm -rf ~",
        "\u202egpj".encode(),
        b"\xc3",
    ],
    ids=["secret", "slot", "escape", "line-feed", "bidirectional", "half-a-character"],
)
def test_what_must_not_be_shown_never_is(
    fixed: dict[str, bytes], tmp_path: Path, template: Template, rest: bytes
) -> None:
    fixed[MIX] = rest
    world = quick(tmp_path, template)
    answer = ask(world, "git")

    assert (answer["suggestions"], answer["reason"]) == ([], "not presentable")
    assert plain(world, f"shell{US}{US}git".encode()).content == b""


@pytest.mark.parametrize(
    "line",
    [
        "curl -H 'Authorization: Bearer ghp_abcdefghijklmnopqrstuvwxyz0123456789' x",
        " secret plan",
        "printf 'a\nb'",
        "printf '\x1b[2J'",
        "x" * 1_025,
    ],
    ids=["secret", "space", "two-lines", "escape", "pasted"],
)
def test_a_line_that_may_not_be_suggested_is_not_learned(
    fixed: dict[str, bytes], tmp_path: Path, template: Template, line: str
) -> None:
    world = quick(tmp_path, template)
    type_lines(world, [line])
    learn(world)
    stored = world.feed.log.read(0, 9)

    assert world.replica.engine.text.cursor == 1
    assert [example_of(one.event) for one in stored] == [None]


def commit(world: World, messages: Sequence[str], **data: Json) -> None:
    """The owner's hook reports finished commits, which are learned."""
    data = {"paths": ["README.md", "src/a.py"], **data}
    for message in messages:
        world.clock.advance(60.0)
        event = Event(world.clock.now_us(), "git", "commit.message", message, data=data)
        world.feed.log.append("git", world.clock.now_us(), [encode_record(event)])
    learn(world)


def test_a_commit_is_completed_by_messages_alone(typing: World) -> None:
    commit(typing, ["Fix the build"] * 12)
    completed = ask(typing, "Fix ", "commit", "README.md\nsrc/a.py")

    assert completed["suggestions"][0]["text"] == "Fix the build"
    shell = [one["text"] for one in ask(typing, "Fix ", "shell")["suggestions"]]
    assert "Fix the build" not in shell
    commits = [one["text"] for one in ask(typing, "git ch", "commit")["suggestions"]]
    assert CHECKOUT not in commits


def test_messages_of_commits_are_no_labels(world: World) -> None:
    before = world.predict(top_k=50)["predictions"]
    event = Event(world.clock.now_us(), "git", "commit.message", "Fix it", data={"step": "a1"})
    world.feed.log.append("git", 1, [encode_record(event)])
    world.catch_up()

    assert world.predict(top_k=50)["predictions"] == before
    only = [{"ts": 1.0, "source": "git", "kind": "commit.message", "subject": "Fix it"}]
    assert world.predict(context=only)["decision_id"]


def test_a_path_is_completed_by_what_the_pool_expects(fresh: World) -> None:
    for name in ("~/work/a.py", "~/work/b.py") * 12:
        fresh.clock.advance(60.0)
        event = Event(fresh.clock.now_us(), "files", "file.modify", name)
        fresh.feed.log.append("files", fresh.clock.now_us(), [encode_record(event)])
    learn(fresh)
    whole = ask(fresh, f"{Path.home()}/work/", "path", "")
    relative = ask(fresh, "a", "path", "~/work")

    assert whole["suggestions"][0]["text"] == f"{Path.home()}/work/a.py"
    assert [item["text"] for item in relative["suggestions"]] == ["a.py"]
    assert ask(fresh, "c", "path", "~/work")["reason"] == "unlikely"


def test_the_home_folder_is_completed_as_it_was_typed(typing: World) -> None:
    type_lines(typing, ["cat ~/notes/today.txt"] * 12)
    learn(typing)

    answer = ask(typing, f"cat {Path.home()}/no")

    assert answer["suggestions"][0]["text"] == f"cat {Path.home()}/notes/today.txt"


def test_before_the_lines_are_loaded_it_says_starting(fresh: World) -> None:
    fresh.catch_up()
    body = {"surface": "shell", "prefix": "git"}
    answer = fresh.ask("POST", "/v1/suggest", body)

    assert (answer.status_code, answer.json()["code"]) == (503, "starting")
    assert plain(fresh, f"shell{US}{US}git".encode()).content == b""


def test_without_its_text_files_it_goes_on_predicting(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_missing() -> None:
        raise text_state.ShapeError("the shipped lines are missing")

    monkeypatch.setattr(text_state, "make_arms", is_missing)
    world.replica.engine.text.step()
    answer = world.ask("POST", "/v1/suggest", {"surface": "shell", "prefix": "git"})
    health = world.ask("GET", "/health").json()

    assert answer.status_code == 503
    assert world.predict()["predictions"]
    assert (health["status"], health["last_error"]) == ("degraded", "the shipped lines are missing")


def test_an_answer_that_comes_too_late_is_not_computed(
    fixed: dict[str, bytes], tmp_path: Path, template: Template, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = quick(tmp_path, template)
    ticks = iter([0.0, 0.0, 0.0, 5.0, 5.0, 5.0, 5.0])
    monkeypatch.setattr(world.clock, "monotonic_s", lambda: next(ticks))

    assert plain(world, f"shell{US}{US}git".encode()).content == b""


def test_no_line_is_learned_while_somebody_types_and_none_waits_for_ever(
    fixed: dict[str, bytes], tmp_path: Path, template: Template
) -> None:
    world = quick(tmp_path, template)
    type_lines(world, [CHECKOUT, CHECKOUT])
    plain(world, f"shell{US}{US}git".encode())
    began_s = world.clock.monotonic_s()
    learn(world)
    paused_s = world.clock.monotonic_s() - began_s
    engine = world.replica.engine.text
    engine._last_asked_s = float("inf")  # a client that never stops
    type_lines(world, [CHECKOUT])
    began_s = world.clock.monotonic_s()
    learn(world)

    assert QUIET_S < paused_s <= QUIET_S + 3 * POLL_S
    assert engine.cursor == 3
    assert world.clock.monotonic_s() - began_s == pytest.approx(MAX_PAUSES * POLL_S)


def test_lines_wait_for_a_prediction_in_flight_but_not_for_ever(
    fixed: dict[str, bytes], tmp_path: Path, template: Template
) -> None:
    world = quick(tmp_path, template)
    text, paused_s = world.replica.engine.text, []
    for is_asked in (False, True):
        type_lines(world, [CHECKOUT])
        began_s = world.clock.monotonic_s()
        with text.in_flight if is_asked else nullcontext():
            learn(world)
        paused_s.append(world.clock.monotonic_s() - began_s)

    assert paused_s == pytest.approx([0.0, PREDICTION_S])
    assert text.cursor == 2


def test_a_prediction_is_in_flight_until_it_is_answered(
    fixed: dict[str, bytes], tmp_path: Path, template: Template
) -> None:
    engine = quick(tmp_path, template).replica.engine
    nothing = engine.text.in_flight.nothing

    assert not asyncio.run(engine._ask(lambda _: nothing.is_set()))
    assert nothing.is_set()


def test_a_thread_that_learns_lines_keeps_no_other_waiting_for_milliseconds(
    fixed: dict[str, bytes], tmp_path: Path, template: Template
) -> None:
    before_s, text = sys.getswitchinterval(), quick(tmp_path, template).replica.engine.text
    try:
        text.start()
        asyncio.run(text.stop())

        assert sys.getswitchinterval() < 0.001
    finally:
        sys.setswitchinterval(before_s)


def test_a_crowd_is_told_that_it_is_busy(
    fixed: dict[str, bytes], tmp_path: Path, template: Template
) -> None:
    world = quick(tmp_path, template)
    world.replica.engine.text._waiting = MAX_WAITING

    assert ask(world, "git st")["reason"] == "busy"


def test_a_keystroke_stores_no_decision_until_somebody_speaks_of_it(typing: World) -> None:
    shown = plain(typing, f"shell{US}~/work{US}git ch".encode()).text.partition("\t")[0]
    asked = ask(typing, "git ch")["decision_id"]
    assert (decision(typing, shown), decision(typing, asked) is not None) == (None, True)

    tried = typing.feedback(shown, "accepted", value=True, dryrun=True)
    assert (tried.status_code, decision(typing, shown)) == (200, None)
    stored = typing.feedback(shown, "accepted", value=True)
    kept = decision(typing, shown)

    assert stored.status_code == 200
    assert kept is not None
    assert kept.routing is not None
    assert (kept.mode, kept.routing["surface"], kept.routing["arm"]) == ("suggest", "shell", MIX)
    assert kept.routing["propensity"] == 1.0
    assert kept.routing["latency_s"] == 0.0


def test_the_newest_decisions_are_kept_and_the_oldest_forgotten(
    fixed: dict[str, bytes], tmp_path: Path, template: Template
) -> None:
    world = quick(tmp_path, template)
    memory = world.replica.engine._service._suggestions.decisions  # type: ignore[union-attr]
    first = plain(world, f"shell{US}{US}git".encode()).text.partition("\t")[0]
    kept = memory.find(first)
    assert kept is not None
    for number in range(KEPT_DECISIONS):
        memory.keep(Decision(f"dec_{number}", 1, "suggest", 0, [], [], routing=kept.routing))

    assert world.feedback(first, "accepted", value=True).status_code == 404


def report(world: World, decision_id: str, outcome: str, line: str = CHECKOUT) -> None:
    """The shell says what became of a suggestion, by the event of the finished line."""
    said: dict[str, Json] = {"decision_id": decision_id, "outcome": outcome, "typed_bytes": 6}
    type_lines(world, [line], suggestion=said)


def test_what_a_shell_reports_becomes_feedback_once(typing: World) -> None:
    shown = [
        plain(typing, f"shell{US}~/work{US}git ch".encode()).text.partition("\t")[0]
        for _ in range(3)
    ]
    report(typing, shown[0], "accepted")
    report(typing, shown[1], "edited", "git checkout main~3")
    report(typing, shown[2], "ignored", "git cherry")
    report(typing, "dec_00000000000000000000", "accepted")
    learn(typing)
    once = words(typing)
    for path in (path for path in typing.root.artifacts.iterdir() if path.is_dir()):
        shutil.rmtree(path)
    typing.restart()
    learn(typing)

    assert [(word.decision_id, word.metric, word.value) for word in once] == [
        (shown[0], "accepted", True),
        (shown[1], "edited", 1.0),
    ]
    assert words(typing) == once


@pytest.mark.parametrize(
    ("message", "outcome", "value"),
    [("Fix the build", "accepted", True), ("Fix the build again", "edited", 1.0)],
)
def test_what_a_commit_reports_becomes_feedback_of_its_surface(
    typing: World, message: str, outcome: str, *, value: bool | float
) -> None:
    commit(typing, ["Fix the build"] * 12)
    shown, _, text = plain(typing, f"commit{US}README.md{US}".encode()).text.partition("\t")
    commit(typing, [message], suggestion={"decision_id": shown, "outcome": outcome})
    stored = decision(typing, shown)

    assert text == "Fix the build\n"
    assert stored is not None
    assert stored.routing is not None
    assert stored.routing["surface"] == "commit"
    assert [(word.decision_id, word.metric, word.value) for word in words(typing)] == [
        (shown, outcome, value)
    ]


def test_nobody_can_have_edited_what_was_not_shown(typing: World) -> None:
    silent = ask(typing, "zzz never typed ")["decision_id"]
    predicted = typing.predict()["decision_id"]
    report(typing, silent, "edited")
    report(typing, predicted, "edited")
    learn(typing)

    assert (typing.replica.engine.text.last_error, words(typing)) == ("", [])
    assert typing.replica.engine.text.cursor == 32


def test_an_edited_suggestion_keeps_its_beginning_and_its_end(typing: World) -> None:
    shown = plain(typing, f"shell{US}~/work{US}git ch".encode()).text.partition("\t")[0]
    report(typing, shown, "edited", "git checkout develop")
    learn(typing)

    assert words(typing)[0].value == pytest.approx(len("git checkout ") / len(CHECKOUT))


@pytest.mark.parametrize(
    "said",
    [
        "text",
        {"decision_id": 5},
        {"outcome": "accepted"},
        {},
        {"decision_id": "dec_00000000000000000000", "outcome": ["accepted"]},
        {"decision_id": "dec_\x00", "outcome": "accepted"},
    ],
)
def test_what_a_shell_says_amiss_changes_nothing(
    fixed: dict[str, bytes], tmp_path: Path, template: Template, said: Json
) -> None:
    world = quick(tmp_path, template)
    type_lines(world, [CHECKOUT], suggestion=said)
    learn(world)

    assert (world.replica.engine.text.cursor, words(world)) == (1, [])


def test_metrics_count_what_became_of_suggestions(typing: World) -> None:
    shown = plain(typing, f"shell{US}~/work{US}git ch".encode()).text.partition("\t")[0]
    ask(typing, "zzz never typed ")
    typing.feedback(shown, "accepted", value=True)
    typing.feedback(ask(typing, "git ch")["decision_id"], "accepted", value=False)
    text = typing.ask("GET", "/metrics").text

    for outcome, count in {"shown": 2, "abstained": 1, "accepted": 1}.items():
        line = f'selflow_suggestions_total{{outcome="{outcome}",surface="shell"}} {count}.0'
        assert line in text


def test_lines_survive_a_graceful_end_and_a_kill(typing: World) -> None:
    before = ask(typing, "git ch")["suggestions"]
    typing.restart()
    learn(typing)
    killed = ask(typing, "git ch")["suggestions"]
    typing.stop()
    typing.feed.is_away = True
    typing.restart()
    learn(typing)

    assert (killed, ask(typing, "git ch")["suggestions"]) == (before, before)


def test_a_checkpoint_names_the_events_that_its_lines_were_learned_from(fresh: World) -> None:
    type_lines(fresh, LINES * 6)
    fresh.catch_up()
    fresh.replica.engine._service.checkpoint()  # type: ignore[union-attr]
    learn(fresh)  # two portions of ten are more than the 14 lines behind which it saves
    with catalog_of(fresh) as catalog:
        champion = catalog.predictors.champion()
        assert champion is not None
        parents = catalog.predictors.parents(champion.sha256)

    assert [(one.first_seq, one.last_seq) for one in parents if one.kind == "events"] == [(1, 20)]


def test_lines_of_the_future_change_nothing_that_was_learned(
    tmp_path: Path, template: Template
) -> None:
    states = []
    for name, later in (("one", LINES), ("two", tuple(reversed(LINES)))):
        world = World(tmp_path / name, template)
        type_lines(world, LINES * 2)
        learn(world)
        state = world.replica.engine.text._state
        assert state is not None
        states.append(state.snapshot())
        type_lines(world, later)
        learn(world)

    assert states[0] == states[1]


def test_a_state_of_another_version_is_learned_again(
    typing: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = ask(typing, "git ch")["suggestions"]
    typing.stop()
    monkeypatch.setattr(text_state, "TEXT_SCHEMA", "selflow.serve.text/of another version")
    typing.restart()
    learn(typing)

    assert ask(typing, "git ch")["suggestions"] == before


def test_a_request_may_be_a_form() -> None:
    body = b"surface=shell&prefix=git%20ch&context=~%2Fwork"
    asked = parse(body, "application/x-www-form-urlencoded")

    assert json.loads(asked.model_dump_json()) == {
        "surface": "shell",
        "prefix": "git ch",
        "context": "~/work",
    }

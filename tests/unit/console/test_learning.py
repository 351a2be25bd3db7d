"""``selflow learn``, ``selflow patterns`` and ``selflow agents``: by the catalog alone."""

from collections.abc import Callable, Iterator

import pytest

from selflow.core.clock import SystemClock
from selflow.core.health import Health
from selflow.core.paths import Root
from selflow.core.session_files import Endpoints, write_endpoints
from selflow.store.catalog import Catalog
from selflow.store.commands import learn as learning
from selflow.store.records import Artifact
from selflow.testing import ManualClock
from tests.unit.console.conftest import Cli
from tests.unit.store.worlds import PATTERN, begun, register

SUPERVISOR = Health("supervisor", "0.1.0", "cfg", 1, 1, "ok", 0, "", 1)


@pytest.fixture
def catalog(root: Root) -> Iterator[Catalog]:
    opened = Catalog.open(root.catalog)
    yield opened
    opened.close()


@pytest.fixture
def up(root: Root) -> None:
    """A session that says that it is there."""
    write_endpoints(root, Endpoints(ingest="ipc:///nowhere"))


class Script(ManualClock):
    """A clock on which one thing of a script happens at each sleep, and the last one again and
    again.
    """

    def __init__(self, *acts: Callable[["Script"], object]) -> None:
        super().__init__()
        self.acts = list(acts)

    def sleep(self, duration_s: float) -> None:
        (self.acts.pop(0) if len(self.acts) > 1 else self.acts[0])(self)
        super().sleep(duration_s)


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Script]:
    def begin(*acts: Callable[[Script], object]) -> Script:
        script = Script(*acts)
        monkeypatch.setattr(learning, "SystemClock", lambda: script)
        return script

    return begin


def test_learning_needs_a_session(cli: Cli, catalog: Catalog) -> None:
    ended = cli("learn")

    assert ended.code == 3
    assert "selflow up" in ended.err
    assert catalog.cycles.latest(1) == []


@pytest.mark.usefixtures("up")
def test_it_asks_for_a_cycle_and_need_not_wait(cli: Cli, catalog: Catalog) -> None:
    document = cli("learn", "--no-wait", "--json").document
    (cycle,) = catalog.cycles.latest(9)

    assert (cycle.id, cycle.trigger, cycle.state) == (document["cycle"]["id"], "owner", "requested")
    assert cli("learn", "--no-wait", "--json").document["cycle"]["id"] == cycle.id


@pytest.mark.usefixtures("up")
def test_it_tells_the_stages_until_the_cycle_is_done(
    cli: Cli, catalog: Catalog, play: Callable[..., Script]
) -> None:
    play(
        lambda clock: begun(catalog, clock.now_us()),
        lambda clock: catalog.cycles.progress(
            catalog.cycles.open().id, "represent", 0.5, clock.now_us()
        ),
        lambda clock: catalog.cycles.stage_done(
            catalog.cycles.open().id, "represent", None, [], {}, clock.now_us()
        ),
        lambda clock: catalog.cycles.finish(catalog.cycles.open().id, "done", "", clock.now_us()),
    )
    ended = cli("learn", "--json")

    assert (ended.code, ended.document["cycle"]["state"]) == (0, "done")
    assert [stage["name"] for stage in ended.document["stages"]] == ["represent"]
    assert ended.err.splitlines() == ["represent: 0.5 s"]


@pytest.mark.usefixtures("up")
def test_a_cycle_that_fails_ends_with_one_and_its_error(
    cli: Cli, catalog: Catalog, play: Callable[..., Script]
) -> None:
    play(
        lambda clock: catalog.cycles.finish(
            catalog.cycles.open().id, "failed", "no space", clock.now_us()
        )
    )
    ended = cli("learn")

    assert ended.code == 1
    assert "is failed: no space" in ended.err


@pytest.mark.usefixtures("up")
def test_a_cycle_goes_on_when_its_owner_stops_looking(
    cli: Cli, catalog: Catalog, play: Callable[..., Script]
) -> None:
    def stop(_: Script) -> None:
        raise KeyboardInterrupt

    play(stop)
    ended = cli("learn")

    assert ended.code == 130
    assert "goes on; look with selflow status" in ended.err
    assert catalog.cycles.open() is not None


@pytest.mark.usefixtures("up")
def test_a_supervisor_that_is_made_anew_is_waited_for(
    cli: Cli, catalog: Catalog, play: Callable[..., Script]
) -> None:
    def away(clock: Script) -> None:
        clock.advance(100)

    def speak(clock: Script) -> None:
        clock.advance(100)
        catalog.services.put(SUPERVISOR, 0, clock.now_us())

    play(
        speak,
        away,
        speak,
        away,
        lambda clock: catalog.cycles.finish(catalog.cycles.open().id, "done", "", 1),
    )

    assert cli("learn").code == 0


@pytest.mark.usefixtures("up")
def test_a_session_that_stays_silent_ends_the_waiting_and_not_the_cycle(
    cli: Cli, catalog: Catalog, play: Callable[..., Script]
) -> None:
    catalog.services.put(SUPERVISOR, 0, 1)
    clock = play(lambda _: None)
    ended = cli("learn")

    assert ended.code == 3
    assert "the cycle resumes at the next start" in ended.err
    assert 120 < clock.monotonic_s() < 130
    assert catalog.cycles.open() is not None


@pytest.mark.usefixtures("up")
def test_a_dry_run_shows_the_open_cycle_and_changes_nothing(cli: Cli, catalog: Catalog) -> None:
    assert cli("learn", "--dry-run").out == "no cycle is open\n"
    assert catalog.cycles.latest(1) == []
    cycle = begun(catalog)

    assert cli("learn", "--cancel", "--dry-run", "--json").document["cycle"]["id"] == cycle.id
    assert catalog.cycles.open() == cycle


def test_the_open_cycle_can_be_cancelled_also_without_a_session(cli: Cli, catalog: Catalog) -> None:
    assert cli("learn", "--cancel").out == "no cycle is open\n"
    cycle = begun(catalog)

    assert cli("learn", "--cancel").out == f"cancelled: {cycle.id}\n"
    assert catalog.cycles.latest(1)[0].state == "cancelled"


def test_patterns_are_listed_largest_first_and_an_undefined_agreement_is_said_so(
    cli: Cli, catalog: Catalog
) -> None:
    everything = {**PATTERN, "name": "everything", "agreement": None, "windows": 90}
    gone = {**PATTERN, "name": "gone"}
    catalog.patterns.record(begun(catalog).id, [gone], 1)
    catalog.patterns.record(begun(catalog).id, [PATTERN, everything], 2)
    rows = [line.split() for line in cli("patterns").out.splitlines()]

    assert [row[0] for row in rows] == ["pattern", "everything", "writing"]
    assert rows[1][5] == "undefined"
    assert rows[2][3:] == ["6", "0.250", "0.900", "strong", "docs", "-", "may", "have", "one"]
    items = cli("patterns", "--json").document["items"]
    assert [(each["name"], each["agreement"]) for each in items] == [
        ("everything", None),
        ("writing", 0.9),
    ]


def test_a_cluster_without_an_agent_is_listed_with_the_reason(cli: Cli, catalog: Catalog) -> None:
    unsure = {**PATTERN, "agreement": 0.5, "grade": "weak", "reason": "found again too seldom"}
    catalog.patterns.record(begun(catalog).id, [unsure], 2)

    assert "found again too seldom" in cli("patterns").out
    assert cli("patterns", "--json").document["items"][0]["reason"] == "found again too seldom"


def test_one_pattern_is_shown_with_its_families_and_typical_windows(
    cli: Cli, catalog: Catalog
) -> None:
    catalog.patterns.record(begun(catalog).id, [PATTERN], 2)
    shown = cli("patterns", "show", "writing").out

    assert "ward 0.900, gmm 0.800" in shown
    assert "file.modify docs/a.md" in shown
    assert cli("patterns", "show", "writing", "--json").document["families"] == {
        "ward": 0.9,
        "gmm": 0.8,
    }
    assert cli("patterns", "show", "nothing").code == 2


def test_the_owners_title_and_hiding_outlive_the_next_cycle(cli: Cli, catalog: Catalog) -> None:
    first = begun(catalog)
    catalog.patterns.record(first.id, [PATTERN], 2)
    assert cli("patterns", "rename", "writing", "My letters").code == 0
    assert cli("patterns", "hide", "writing").code == 0
    catalog.cycles.finish(first.id, "done", "", 3)
    catalog.patterns.record(begun(catalog).id, [PATTERN], 4)

    assert cli("patterns", "--json").document["items"] == []
    (listed,) = cli("patterns", "--all", "--json").document["items"]
    assert (listed["title"], listed["is_hidden"]) == ("My letters", True)
    assert catalog.patterns.hidden() == {"writing"}
    assert cli("patterns", "unhide", "writing").code == 0
    assert len(cli("patterns", "--json").document["items"]) == 1


def test_the_list_says_what_became_of_the_patterns_of_the_last_cycle(
    cli: Cli, catalog: Catalog
) -> None:
    found = [{**PATTERN, "name": name} for name in ("writing", "letters", "garden")]
    transitions = [
        {"pattern": "writing", "change": "split", "into": ["writing", "letters"], "likeness": 0.7},
        {"pattern": "lawn", "change": "absorbed", "into": ["garden"], "likeness": 0.4},
        {"pattern": "thesis", "change": "disappeared", "into": [], "likeness": 0.123},
    ]
    catalog.patterns.record(begun(catalog).id, found, 2, transitions=transitions)
    text, document = cli("patterns").out, cli("patterns", "--json").document

    assert text.count("from writing, which split (0.70)") == 2
    assert "absorbed lawn (0.40)" in text
    assert "thesis disappeared (at most 0.12 like one of these)" in text
    assert [item["change"] for item in document["transitions"]] == [
        "absorbed",
        "disappeared",
        "split",
    ]
    assert document["items"][0]["alive_cycles"] == 2
    assert "2 in a row; from writing" in cli("patterns", "show", "letters").out


def test_a_merge_is_shown_until_it_is_undone(cli: Cli, catalog: Catalog) -> None:
    everything = {**PATTERN, "name": "everything", "agreement": None}
    found = [PATTERN, {**PATTERN, "name": "reading"}, everything]
    catalog.patterns.record(begun(catalog).id, found, 2)
    ended = cli("patterns", "merge", "writing", "reading", "--name", "Letters")

    assert ended.out == "reading is a part of writing from the next cycle on: selflow learn\n"
    assert "a part of writing from the next cycle on" in cli("patterns", "show", "reading").out
    assert "Letters" in cli("patterns", "show", "writing").out
    assert cli("patterns", "merge", "reading", "writing").code == 2
    assert cli("patterns", "merge", "writing", "everything").code == 2
    assert "reading" in cli("patterns", "unmerge", "writing").out
    assert cli("patterns", "unmerge", "writing").code == 2
    assert "may have one" in cli("patterns", "show", "reading").out


def test_new_behaviour_and_drift_are_shown_until_a_discovery_knows_them(
    cli: Cli, catalog: Catalog
) -> None:
    new = {"kind": "new", "started_us": 1_000_000, "last_us": 2_000_000, "windows": 21}
    drift = {"kind": "drift", "started_us": 4_000_000, "last_us": 4_000_000, "windows": 90}
    for letter in "ac":
        cycle, model = begun(catalog, ord(letter)), Artifact(letter * 64, "cluster-model", 1, {})
        catalog.cycles.stage_done(cycle.id, "discover", model, [], {}, ord(letter))
        catalog.cycles.finish(cycle.id, "done", "", ord(letter))
        if letter == "a":
            changes = [{**new, "terms": ["garden", "roses"]}, {**drift, "terms": []}]
            catalog.behaviour.keep(cycle.id, changes, 5_000_000)
            catalog.behaviour.keep(cycle.id, [{**changes[0], "windows": 1_500}], 9_000_000)
            shown, told = cli("status", "--json").document, cli("status").out
            listed = cli("patterns", "--json").document["behaviour"]

            assert [item["kind"] for item in shown["behaviour"]] == ["drift", "new"]
            assert [item["noticed_at"] for item in listed] == ["1970-01-01T00:00:05.000000Z"] * 2
            for text in (told, cli("patterns").out):
                assert "garden, roses (1,500 unusual windows" in text
                assert "new behaviour since 1970-01-01T00:00:01" in text
                assert "behaviour has drifted since the last cycle" in text
        else:
            assert cli("status", "--json").document["behaviour"] == []
            assert cli("patterns", "--json").document["behaviour"] == []


def test_nothing_learned_is_an_empty_answer_with_a_note(cli: Cli) -> None:
    for command in ("patterns", "agents"):
        ended = cli(command, "--json")

        assert (ended.code, ended.document["items"]) == (0, [])
        assert "selflow learn" in ended.err


def test_agents_are_listed_with_verdict_and_gain(cli: Cli, catalog: Catalog) -> None:
    register(catalog, "a", now_us=20)
    register(catalog, "c", "rejected", now_us=30)
    rows = [line.split() for line in cli("agents").out.splitlines()]

    assert [(row[1], row[2][0], row[3], *row[5:]) for row in rows[1:]] == [
        ("next", "c", "rejected", "rejected", "0.200"),
        ("next", "a", "champion", "passed", "0.200"),
    ]
    assert cli("agents", "--json").document["items"][0]["verdict"]["reasons"] == ["because"]


def test_one_agent_is_shown_with_every_number_and_its_trials(cli: Cli, catalog: Catalog) -> None:
    version = register(catalog, "a", now_us=20)
    rejected = register(catalog, "c", "rejected", now_us=30)
    tried = {
        "config": {"rank": 4},
        "state": "finished",
        "tune_bits": 2.5,
        "seconds": 3.0,
        "error": "",
    }
    catalog.trials.record(version.cycle_id, "writing", [tried])
    text = cli("agents", "show", "writing").out

    assert f"{version.id}: champion" in text
    for shown in (
        "verdict: passed, opening 1",
        "because",
        "slice_gain_bits",
        "0.200",
        "{'rank': 4}",
        "2.500",
    ):
        assert shown in text
    document = cli("agents", "show", rejected.id, "--json").document
    assert (document["status"], document["verdict"]["decision"], document["trials"]) == (
        "rejected",
        "rejected",
        [],
    )


def test_an_unknown_agent_is_named(cli: Cli, catalog: Catalog) -> None:
    for words in (("show", "nobody"), ("rollback", "nobody"), ("retire", "nobody")):
        ended = cli("agents", *words)

        assert ended.code == 2
        assert "nobody" in ended.err
        assert "selflow agents" in ended.err


def test_a_rollback_lets_the_version_before_serve(cli: Cli, catalog: Catalog) -> None:
    first, second = register(catalog, "a", now_us=20), register(catalog, "c", now_us=30)

    assert (
        cli("agents", "rollback", "writing", "--dry-run").out
        == f"{second.id} serves; the version before it: {first.id}\n"
    )
    assert [each.id for each in catalog.agents.champions()] == [second.id]
    assert cli("agents", "rollback", "writing").out == f"{first.id} serves\n"
    assert [each.id for each in catalog.agents.champions()] == [first.id]
    assert catalog.audit.entries(0, 9)[-1].actor == "owner"
    assert cli("agents", "rollback", "writing").out == "no version of writing serves\n"
    assert catalog.agents.champions() == []
    assert cli("agents", "rollback", "writing").code == 2


def test_an_agent_is_retired_by_command(cli: Cli, catalog: Catalog) -> None:
    version = register(catalog, "a", now_us=20)

    assert version.id in cli("agents", "retire", "writing", "--dry-run").out
    assert catalog.agents.champions() == [version]
    assert f"{version.id} retired" in cli("agents", "retire", "writing").out
    assert catalog.agents.champions() == []
    assert catalog.audit.entries(0, 9)[-1].action == "agent.retire"


def test_status_shows_the_last_cycle_and_who_serves(cli: Cli, catalog: Catalog) -> None:
    assert cli("status", "--json").document["cycle"] is None
    version = register(catalog, "a", now_us=20)
    cycle = begun(catalog, SystemClock().now_us())
    catalog.cycles.progress(cycle.id, "discover", 0.4, 40)
    document, text = cli("status", "--json").document, cli("status").out

    assert (document["cycle"]["id"], document["cycle"]["state"], document["agents"]) == (
        cycle.id,
        "running",
        [version.id],
    )
    assert f"learning: {cycle.id} is running, discover 40%, since 20" in text
    assert f"agents: {version.id}" in text
    catalog.cycles.finish(cycle.id, "failed", "no space", 50)
    assert "is failed (no space)" in cli("status").out

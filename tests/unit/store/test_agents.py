"""Who may serve: the gate's ledger, registration whole or not at all, and the way back."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest

from selflow.core.errors import RefusedError, StoreError, UsageError
from selflow.store.catalog import Catalog
from selflow.store.reading import CatalogReader
from selflow.store.records import AgentVersion, Opening, Stage, Verdict
from tests.unit.store.worlds import PATTERN, begun, next_look, register


def champion(catalog: Catalog) -> str:
    (each,) = catalog.agents.champions()
    return each.version[0]


def test_a_cycle_that_comes_back_opens_nothing_anew(catalog: Catalog) -> None:
    def look(name: str, key: str, cycle_id: str) -> int:
        opened = catalog.verdicts.open_gate(next_look(name), (1, 9), key, cycle_id, 3)
        return opened.opening if opened else 0

    first = begun(catalog).id
    assert [look("set", key, first) for key in ("x", "y", "x")] == [1, 2, 1]
    catalog.cycles.finish(first, "done", "", 2)
    second = begun(catalog).id

    assert look("set", "x", second) == 3
    assert look("other", "z", second) == 1


def test_a_set_that_has_retired_gets_no_entry(catalog: Catalog, tmp_path: Path) -> None:
    cycle_id = begun(catalog).id

    assert catalog.verdicts.open_gate(lambda _: None, (1, 9), "x", cycle_id, 3) is None
    assert CatalogReader(tmp_path / "catalog.db").learned(Opening) == []


def test_the_ledger_rule_reads_every_span_opened_so_far(catalog: Catalog) -> None:
    cycle, seen = begun(catalog).id, []

    def rule(opened: Sequence[Opening]) -> tuple[str, int]:
        seen.append([(each.gate_set, each.first_us, each.last_us) for each in opened])
        return "set", len(opened) + 1

    for place in range(3):
        catalog.verdicts.open_gate(rule, (place, place + 9), str(place), cycle, 1)

    assert seen == [[], [("set", 0, 9)], [("set", 0, 9), ("set", 1, 10)]]


def test_a_passed_candidate_serves_and_the_one_before_it_retires(catalog: Catalog) -> None:
    first, second = register(catalog, "a", now_us=20), register(catalog, "c", now_us=30)

    assert first.id == "writing@aaaaaaaaaaaa"
    assert catalog.agents.champions() == [second]
    assert [(each.id, each.status) for each in catalog.agents.versions()] == [
        (second.id, "champion"),
        (first.id, "retired"),
    ]
    acts = [(each.actor, each.action, each.details["to"]) for each in catalog.audit.entries(0, 9)]
    assert acts == [("cycle", "agent.promote", first.id), ("cycle", "agent.promote", second.id)]


@pytest.mark.parametrize("decision", ["rejected", "no_verdict"])
def test_what_did_not_pass_is_kept_with_its_verdict_and_never_serves(
    catalog: Catalog, tmp_path: Path, decision: str
) -> None:
    first = register(catalog, "a", now_us=20)
    other = register(catalog, "c", decision, now_us=30)
    (verdict,) = CatalogReader(tmp_path / "catalog.db").learned(Verdict, version_id=other.id)

    assert (other.status, verdict.decision, verdict.id) == (decision, decision, other.verdict_id)
    assert (verdict.reasons, verdict.numbers, verdict.opening) == (
        ["because"],
        {"slice_gain_bits": 0.2},
        2 if decision == "rejected" else None,
    )
    assert catalog.agents.champions() == [first]


def test_registering_journals_its_stage_in_the_same_transaction(catalog: Catalog) -> None:
    version = register(catalog, "a")
    done = catalog.cycles.stage(version.cycle_id, "judge:a20")

    assert done is not None
    assert (done.sha256, done.result) == ("a" * 64, {"version": version.id, "decision": "passed"})


@pytest.mark.parametrize(
    "fault",
    [
        {"sha256": "f" * 64},
        {"pattern_id": "pat_0"},
        {"cycle_id": "cyc_0"},
        {"verdict": Verdict("passed", [], {}, "set", 9, 0.05)},
        {"verdict": Verdict("passed", [], {}, "never opened", 1, 0.05)},
        {"verdict": Verdict("passed", [], {}, None, None, None)},
        {"verdict": Verdict("passed", [], {"loss": object()}, "set", 2, 0.05)},
    ],
    ids=["artifact", "pattern", "cycle", "opening", "gate set", "no opening", "numbers"],
)
def test_a_registration_that_fails_in_the_middle_leaves_nothing(
    catalog: Catalog, tmp_path: Path, fault: dict[str, object]
) -> None:
    before = register(catalog, "a", now_us=20)
    with pytest.raises(StoreError):
        register(catalog, "c", now_us=30, **fault)
    reader = CatalogReader(tmp_path / "catalog.db")

    assert catalog.agents.versions() == [before]
    assert [each.version_id for each in reader.learned(Verdict)] == [before.id]
    assert [each.name for each in reader.learned(Stage)] == ["grow:a20", "judge:a20", "grow:c30"]
    assert len(catalog.audit.entries(0, 9)) == 1
    assert len(reader.learned(Opening)) == 2


def test_a_cycle_that_was_cancelled_meanwhile_registers_nothing(catalog: Catalog) -> None:
    ended = begun(catalog)
    catalog.cycles.cancel(ended.id, 11)
    with pytest.raises(StoreError, match=f"{ended.id} is not open"):
        register(catalog, "a", cycle_id=ended.id)
    assert catalog.agents.versions() == []


def test_one_opening_gives_one_verdict(catalog: Catalog) -> None:
    register(catalog, "a", now_us=20)
    with pytest.raises(StoreError, match="refused"):
        register(catalog, "c", now_us=30, verdict=Verdict("passed", [], {}, "set", 1, 0.05))
    assert champion(catalog) == "a"


def test_two_champions_of_one_agent_are_refused_by_the_table_itself(
    catalog: Catalog, tmp_path: Path
) -> None:
    register(catalog, "a", now_us=20)
    register(catalog, "c", now_us=30)
    with (
        sqlite3.connect(tmp_path / "catalog.db") as connection,
        pytest.raises(sqlite3.IntegrityError),
    ):
        connection.execute("UPDATE agent_versions SET status = 'champion'")


def test_the_same_adapter_judged_again_serves_only_if_it_passes(catalog: Catalog) -> None:
    register(catalog, "a", now_us=20)
    register(catalog, "c", now_us=30)
    register(catalog, "a", "rejected", now_us=40)
    assert champion(catalog) == "c"
    register(catalog, "c", "rejected", now_us=50)

    assert champion(catalog) == "c"
    assert register(catalog, "a", now_us=60).previous_id == "writing@cccccccccccc"
    assert champion(catalog) == "a"


def test_a_version_that_waited_takes_the_later_verdict(catalog: Catalog, tmp_path: Path) -> None:
    waiting = register(catalog, "a", "no_verdict", now_us=20)
    assert catalog.agents.waiting() == [waiting]
    register(catalog, "a", "rejected", now_us=30)
    (rejected,) = catalog.agents.versions()

    assert rejected.status == "rejected"
    (verdict,) = CatalogReader(tmp_path / "catalog.db").learned(Verdict, id=rejected.verdict_id)
    assert verdict.decision == "rejected"
    assert catalog.agents.waiting() == []


def test_the_oldest_version_without_a_verdict_waits_until_a_newer_one_serves(
    catalog: Catalog,
) -> None:
    for place, letter in enumerate("01234"):
        register(catalog, letter, "no_verdict", now_us=20 + place)

    assert [each.version[0] for each in catalog.agents.waiting()] == ["0"]
    assert catalog.agents.surplus() == ["1" * 64]
    register(catalog, "a", now_us=40)
    assert catalog.agents.waiting() == []


def test_rollback_goes_back_version_by_version_and_is_audited(catalog: Catalog) -> None:
    for place, letter in enumerate("acd"):
        register(catalog, letter, now_us=20 + place)

    assert catalog.agents.rollback("writing", 90, "owner").version[0] == "c"
    assert catalog.agents.rollback("writing", 91, "owner").version[0] == "a"
    last = catalog.audit.entries(0, 9)[-1]
    assert (last.actor, last.action, last.subject) == ("owner", "agent.rollback", "writing")
    assert last.details == {"from": "writing@cccccccccccc", "to": "writing@aaaaaaaaaaaa"}


def test_a_first_champion_is_rolled_back_to_none(catalog: Catalog) -> None:
    first = register(catalog, "a")

    assert catalog.agents.rollback("writing", 90, "owner") is None
    assert catalog.agents.champions() == []
    assert catalog.audit.entries(0, 9)[-1].details == {"from": first.id, "to": None}
    with pytest.raises(UsageError, match="no version of 'writing' serves"):
        catalog.agents.rollback("writing", 91, "owner")
    assert register(catalog, "c", now_us=95).previous_id is None


def test_a_retired_agent_serves_no_longer_and_the_act_is_audited(catalog: Catalog) -> None:
    first = register(catalog, "a")
    retired = catalog.agents.retire("writing", 90, "cycle", "its pattern is gone")

    assert (retired.id, retired.status) == (first.id, "retired")
    assert catalog.agents.champions() == []
    last = catalog.audit.entries(0, 9)[-1]
    assert (last.actor, last.action, last.subject) == ("cycle", "agent.retire", "writing")
    assert last.details == {"from": first.id, "reason": "its pattern is gone"}
    with pytest.raises(UsageError, match="no version of 'writing' serves"):
        catalog.agents.retire("writing", 91, "owner", "")


def test_absences_count_finished_discoveries_since_a_pattern_was_found(catalog: Catalog) -> None:
    def discover(place: int, *names: str) -> None:
        cycle = begun(catalog, 10 * place)
        catalog.cycles.progress(cycle.id, "discover", 0.0, 10 * place + 1)
        catalog.cycles.stage_done(cycle.id, "discover", None, [], {}, 10 * place + 2)
        for _ in range(2):  # a cycle that comes back records again
            found = [{**PATTERN, "name": name} for name in names]
            ids.update(catalog.patterns.record(cycle.id, found, 10 * place + 3))
        catalog.cycles.finish(cycle.id, "done", "", 10 * place + 4)

    ids: dict[str, str] = {}
    for place, names in enumerate([("a", "b"), ("b",), ("b",), ()], 1):
        discover(place, *names)

    assert catalog.patterns.absences() == {ids["a"]: 3, ids["b"]: 1}
    discover(5, "a")
    assert catalog.patterns.absences() == {ids["b"]: 2}


def test_what_was_rolled_back_is_not_where_the_next_rollback_goes(catalog: Catalog) -> None:
    register(catalog, "a", now_us=20)
    register(catalog, "c", now_us=30)
    catalog.agents.rollback("writing", 35, "owner")
    register(catalog, "d", now_us=40)

    assert catalog.agents.rollback("writing", 45, "owner").version[0] == "a"


def test_a_rollback_that_fails_in_the_middle_changes_nothing(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(catalog, "a", now_us=20)
    register(catalog, "c", now_us=30)
    with pytest.raises(StoreError):
        catalog.agents.rollback("writing", None, "owner")  # the audit entry has no moment

    assert champion(catalog) == "c"


def test_rollback_of_an_agent_that_never_served_is_a_clear_error(catalog: Catalog) -> None:
    register(catalog, "a", "rejected")
    with pytest.raises(UsageError, match="no version of 'writing' serves"):
        catalog.agents.rollback("writing", 1, "owner")
    with pytest.raises(UsageError, match="no version of 'nobody' serves"):
        catalog.agents.rollback("nobody", 1, "owner")


def test_rollback_does_not_go_to_an_agent_of_another_base(catalog: Catalog) -> None:
    register(catalog, "a", now_us=20)
    register(catalog, "c", now_us=30, base_sha256="e" * 64)
    with pytest.raises(RefusedError, match="no version that served on its base"):
        catalog.agents.rollback("writing", 40, "owner")


def test_the_last_three_that_served_and_the_last_three_are_kept(catalog: Catalog) -> None:
    for place, letter in enumerate("acde"):
        register(catalog, letter, now_us=20 + place)
    for place, letter in enumerate("01234"):
        register(catalog, letter, "rejected", now_us=40 + place)

    assert catalog.agents.surplus() == [letter * 64 for letter in "01a"]
    catalog.agents.rollback("writing", 90, "owner")
    catalog.agents.rollback("writing", 91, "owner")
    with pytest.raises(RefusedError):  # "a" served before "c", and may be gone
        catalog.agents.rollback("writing", 92, "owner")
    assert champion(catalog) == "c"
    assert "c" * 64 not in catalog.agents.surplus()


def test_an_adapter_that_another_agent_keeps_is_no_surplus(catalog: Catalog) -> None:
    for place, letter in enumerate("acde"):
        register(catalog, letter, now_us=20 + place)
    register(catalog, "a", now_us=30, agent="reading")

    assert catalog.agents.surplus() == []


def test_both_doors_say_the_same_of_versions(catalog: Catalog, tmp_path: Path) -> None:
    register(catalog, "a", now_us=20)
    register(catalog, "c", "rejected", now_us=30)
    reader = CatalogReader(tmp_path / "catalog.db")

    assert reader.learned(AgentVersion) == list(reversed(catalog.agents.versions()))
    assert reader.learned(AgentVersion, status="champion") == catalog.agents.champions()


def test_a_version_that_served_is_promoted_again_and_no_other(catalog: Catalog) -> None:
    first = register(catalog, "a")
    second = register(catalog, "c", now_us=30)
    rejected = register(catalog, "d", "rejected", now_us=40)

    assert catalog.agents.promote(first.id, 50, "owner").status == "champion"
    assert [version.id for version in catalog.agents.champions()] == [first.id]
    assert catalog.audit.entries(0, 99)[-1].details["to"] == first.id
    for refused in (rejected.id, first.id, "none@0"):
        with pytest.raises((RefusedError, UsageError)):
            catalog.agents.promote(refused, 60, "owner")
    back = catalog.agents.rollback("writing", 70, "owner")
    assert back is not None
    assert back.id == second.id

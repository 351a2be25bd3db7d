"""Patterns, bases, trials and the router's beliefs."""

from pathlib import Path

import pytest

from selflow.core.errors import StoreError, UsageError
from selflow.store.catalog import Catalog
from selflow.store.pattern_records import Pattern, Transition
from selflow.store.reading import CatalogReader
from selflow.store.records import (
    Artifact,
    Base,
    Beliefs,
    Cycle,
    Decision,
    Stage,
    Trial,
)
from selflow.store.row import document
from tests.unit.store.worlds import PATTERN, begun

EVERYTHING = {**PATTERN, "name": "everything", "agreement": None}


def test_a_pattern_keeps_its_id_while_it_keeps_its_name(catalog: Catalog, tmp_path: Path) -> None:
    reader, cycle = CatalogReader(tmp_path / "catalog.db"), begun(catalog)
    first = catalog.patterns.record(cycle.id, [PATTERN, EVERYTHING], 1)
    assert catalog.patterns.record(cycle.id, [EVERYTHING], 2) == {"everything": first["everything"]}
    states = {each.name: (each.state, each.agreement) for each in reader.learned(Pattern)}
    assert states == {"writing": ("absent", 0.9), "everything": ("alive", None)}
    later = catalog.patterns.record(cycle.id, [{**PATTERN, "windows": 50}, EVERYTHING], 3)
    (seen,) = reader.learned(Pattern, name="writing")

    assert later == first
    assert (seen.windows, seen.created_at_us, seen.cycle_id) == (50, 1, cycle.id)
    assert (seen.terms, seen.medoids) == (PATTERN["terms"], PATTERN["medoids"])


def test_two_patterns_of_one_name_are_refused_and_the_name_is_not_quoted(
    catalog: Catalog, tmp_path: Path
) -> None:
    with pytest.raises(StoreError, match="two of 2 patterns have the same name") as caught:
        catalog.patterns.record(begun(catalog).id, [PATTERN, PATTERN], 1)

    assert "writing" not in f"{caught.value}{caught.value.hint}"
    assert CatalogReader(tmp_path / "catalog.db").learned(Pattern) == []


def test_one_base_is_current(catalog: Catalog, tmp_path: Path) -> None:
    cycle = begun(catalog)
    assert catalog.bases.current() is None
    for place, letter in enumerate("ac"):
        catalog.cycles.stage_done(cycle.id, letter, Artifact(letter * 64, "base", 1, {}), [], {}, 1)
        catalog.bases.adopt(letter * 64, "selflow-tiny", cycle.id, place)
    assert catalog.bases.current() == Base("c" * 64, "selflow-tiny", cycle.id, 1)
    catalog.bases.adopt("a" * 64, "selflow-tiny", cycle.id, 9)

    assert catalog.bases.current() == Base("a" * 64, "selflow-tiny", cycle.id, 9)
    assert len(CatalogReader(tmp_path / "catalog.db").learned(Base)) == 2


def test_a_base_that_no_stage_made_is_refused_and_the_current_one_stays(catalog: Catalog) -> None:
    cycle = begun(catalog)
    catalog.cycles.stage_done(cycle.id, "base", Artifact("a" * 64, "base", 1, {}), [], {}, 1)
    catalog.bases.adopt("a" * 64, "selflow-tiny", cycle.id, 1)
    with pytest.raises(StoreError, match="refused"):
        catalog.bases.adopt("c" * 64, "selflow-tiny", cycle.id, 2)

    assert catalog.bases.current().sha256 == "a" * 64


def trial(state: str, tune_bits: float | None, rank: int) -> dict[str, object]:
    config = {"rank": rank}
    return {
        "config": config,
        "state": state,
        "tune_bits": tune_bits,
        "rung_bits": 1.0,
        "seconds": 2.0,
        "error": "",
    }


def test_a_search_recorded_again_replaces_itself(catalog: Catalog, tmp_path: Path) -> None:
    cycle = begun(catalog)
    catalog.trials.record(
        cycle.id, "writing", [trial("finished", 3.0, 4), trial("failed", None, 8)]
    )
    catalog.trials.record(cycle.id, "reading", [trial("rung", 3.0, 4)])
    catalog.trials.record(cycle.id, "writing", [trial("finished", 2.0, 16)])
    reader = CatalogReader(tmp_path / "catalog.db")

    assert [each.config for each in reader.learned(Trial, agent="writing")] == [{"rank": 16}]
    assert [each.state for each in reader.learned(Trial, agent="reading")] == ["rung"]


def test_the_winner_is_the_best_finished_trial_of_the_last_search(catalog: Catalog) -> None:
    assert catalog.trials.winners("writing") == []
    first = begun(catalog, 1)
    catalog.trials.record(first.id, "writing", [trial("finished", 1.0, 4)])
    catalog.cycles.finish(first.id, "done", "", 2)
    second = begun(catalog, 3)
    tried = [trial("finished", 3.0, 8), trial("finished", 2.0, 16), trial("rung", 1.0, 32)]
    catalog.trials.record(second.id, "writing", tried)

    assert catalog.trials.winners("writing") == [{"rank": 16}]
    assert catalog.trials.winners("reading") == []


def test_beliefs_are_replaced_by_newer_ones_alone(catalog: Catalog, tmp_path: Path) -> None:
    assert catalog.routing.snapshot() is None
    first = catalog.routing.save({"pool": 1}, 5, 10)
    again = catalog.routing.save({"pool": 2}, 5, 11)
    with pytest.raises(StoreError, match="up to feedback 4 are older than those up to 5"):
        catalog.routing.save({"pool": 3}, 4, 12)

    assert (first.number, again.number) == (1, 2)
    assert catalog.routing.snapshot() == again
    assert CatalogReader(tmp_path / "catalog.db").learned(Beliefs) == [again]


def test_routed_feedback_comes_with_its_decision(catalog: Catalog, tmp_path: Path) -> None:
    routing = {"arm": "writing", "propensity": 0.25}
    for name, routed in (("dec_1", None), ("dec_2", routing), ("dec_3", routing)):
        catalog.decisions.record(Decision(name, 1, "routed", 9, [{"p": 0.5}], [], None, routed))
        catalog.feedback.record(name, "accepted", True, {}, 2)
    first, second = catalog.feedback.routed_after(0, 9)

    assert (first.decision_id, first.routing, first.predictions) == ("dec_2", routing, [{"p": 0.5}])
    assert catalog.feedback.routed_after(first.number, 9) == [second]
    assert [each.number for each in catalog.feedback.routed_after(0, 1)] == [first.number]
    assert catalog.decisions.find("dec_2").routing == routing
    assert {
        each.id: each.routing for each in CatalogReader(tmp_path / "catalog.db").newest(Decision, 9)
    } == {
        "dec_1": None,
        "dec_2": routing,
        "dec_3": routing,
    }


def test_both_doors_say_the_same_of_cycles_and_stages(catalog: Catalog, tmp_path: Path) -> None:
    cycle, reader = begun(catalog), CatalogReader(tmp_path / "catalog.db")
    catalog.cycles.progress(cycle.id, "represent", 0.5, 11)
    catalog.cycles.stage_done(cycle.id, "discover", None, [], {"k": [1, None]}, 12)

    assert reader.learned(Cycle) == catalog.cycles.latest(9)
    assert reader.learned(Stage, cycle_id=cycle.id) == catalog.cycles.stages(cycle.id)
    assert reader.learned(Stage, cycle_id="cyc_0") == []


def test_a_document_says_moments_as_the_api_does(catalog: Catalog) -> None:
    told = document(begun(catalog, 1_000_000))

    assert (told["requested_at"], told["finished_at"]) == ("1970-01-01T00:00:01.000000Z", None)
    assert not any(name.endswith("_us") for name in told)


def test_the_last_discovery_is_that_of_the_cycle_before(catalog: Catalog) -> None:
    first = begun(catalog)
    catalog.cycles.stage_done(first.id, "discover", None, [], {"patterns": [PATTERN]}, 1)
    assert catalog.patterns.last_discovery(first.id) is None
    catalog.cycles.finish(first.id, "done", "", 2)
    last = catalog.patterns.last_discovery(begun(catalog).id)

    assert last is not None
    assert last.result["patterns"] == [PATTERN]


def test_merges_lead_to_the_last_of_their_chain_and_can_be_undone(catalog: Catalog) -> None:
    found = [{**PATTERN, "name": name} for name in "abcd"]
    catalog.patterns.record(begun(catalog).id, found, 1)
    catalog.patterns.merge("b", "a", "both")
    catalog.patterns.merge("a", "c", None)
    catalog.patterns.merge("d", "b", None)

    assert catalog.patterns.merges() == {"a": "c", "b": "c", "d": "c"}
    with pytest.raises(UsageError, match="one pattern already"):
        catalog.patterns.merge("b", "c", None)
    assert [each.name for each in catalog.patterns.unmerge("a")] == ["a", "b"]
    assert catalog.patterns.merges() == {"d": "c"}
    assert catalog.patterns.unmerge("a") == []


def test_a_part_is_recorded_as_such_and_keeps_its_id(catalog: Catalog, tmp_path: Path) -> None:
    cycle, other = begun(catalog), {**PATTERN, "name": "reading"}
    ids = catalog.patterns.record(cycle.id, [PATTERN, other], 1)
    change = {"pattern": "reading", "change": "survived", "into": ["reading"], "likeness": 0.9}
    again = catalog.patterns.record(
        cycle.id, [PATTERN], 2, parts=[PATTERN, other], transitions=[change]
    )
    reader = CatalogReader(tmp_path / "catalog.db")

    assert again == ids
    assert catalog.patterns.parts() == {"reading"}
    assert catalog.patterns.absences() == {}
    assert reader.learned(Transition) == [Transition(cycle.id, **change)]
    assert catalog.patterns.words()["reading"] == (("docs", 0.5),)

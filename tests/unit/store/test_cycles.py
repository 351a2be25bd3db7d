"""Learning cycles: one at a time, resumed by their journal, ended once."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from selflow.core.errors import StoreError
from selflow.store.catalog import Catalog
from selflow.store.records import Artifact, Parent
from tests.unit.store.worlds import begun

ARTIFACT = Artifact("a" * 64, "base", 10, {})
PARENTS = [Parent("events", "log", 1, 100)]


def test_one_cycle_is_open_at_a_time(catalog: Catalog) -> None:
    first = catalog.cycles.request("owner", 1)

    assert (first.state, first.trigger, first.attempts) == ("requested", "owner", 0)
    assert catalog.cycles.request("size", 2) == first
    assert (
        catalog.cycles.begin(first.id, 100, 3)
        == catalog.cycles.request("size", 4)
        == catalog.cycles.open()
    )
    catalog.cycles.finish(first.id, "done", "", 5)
    assert catalog.cycles.open() is None
    assert catalog.cycles.request("size", 6).id != first.id


def test_those_who_ask_at_once_ask_for_one_cycle(tmp_path: Path, catalog: Catalog) -> None:
    with ThreadPoolExecutor(4) as pool:
        asked = list(pool.map(lambda n: catalog.cycles.request("owner", n).id, range(8)))

    assert len(set(asked)) == len(catalog.cycles.latest(9)) == 1


def test_a_cycle_that_comes_back_keeps_its_watermark_and_counts_its_lives(catalog: Catalog) -> None:
    cycle = catalog.cycles.request("owner", 1)
    catalog.cycles.begin(cycle.id, 100, 2)
    again = catalog.cycles.begin(cycle.id, 900, 7)

    assert (again.upto_seq, again.started_at_us, again.attempts, again.state) == (
        100,
        2,
        2,
        "running",
    )


def test_a_finished_stage_is_found_with_its_artifact_and_lineage(catalog: Catalog) -> None:
    cycle = begun(catalog)
    catalog.cycles.progress(cycle.id, "base", 0.0, 11)

    assert catalog.cycles.stage(cycle.id, "base") is None
    done = catalog.cycles.stage_done(cycle.id, "base", ARTIFACT, PARENTS, {"loss": 1.5}, 14)
    assert catalog.cycles.stage(cycle.id, "base") == done
    assert (done.started_at_us, done.finished_at_us, done.sha256, done.result) == (
        11,
        14,
        "a" * 64,
        {"loss": 1.5},
    )
    assert catalog.predictors.parents("a" * 64) == [
        replace(each, child="a" * 64) for each in PARENTS
    ]


def test_a_stage_is_done_once(catalog: Catalog) -> None:
    cycle = begun(catalog)
    first = catalog.cycles.stage_done(cycle.id, "represent", None, [], {"steps": 1}, 11)
    catalog.cycles.progress(cycle.id, "represent", 0.5, 12)

    assert catalog.cycles.stage_done(cycle.id, "represent", None, [], {"steps": 2}, 13) == first
    assert catalog.cycles.stages(cycle.id) == [first]


def test_a_stage_whose_entry_fails_leaves_no_artifact(catalog: Catalog) -> None:
    cycle = begun(catalog)
    with pytest.raises(StoreError, match="refused"):
        catalog.cycles.stage_done(cycle.id, "base", ARTIFACT, PARENTS, {"loss": object()}, 14)
    catalog.cycles.stage_done(cycle.id, "base", ARTIFACT, [], {}, 15)

    assert catalog.predictors.parents("a" * 64) == []


def test_progress_is_what_is_worked_on_now(catalog: Catalog) -> None:
    cycle = begun(catalog)
    catalog.cycles.progress(cycle.id, "represent", 1.0, 11)
    catalog.cycles.progress(cycle.id, "discover", 0.25, 12)
    catalog.cycles.progress(cycle.id, "discover", 0.5, 13)
    now = catalog.cycles.open()

    assert now is not None
    assert (now.stage, now.done_fraction) == ("discover", 0.5)
    assert [(each.name, each.started_at_us) for each in catalog.cycles.stages(cycle.id)] == [
        ("represent", 11),
        ("discover", 12),
    ]


def test_who_works_for_a_cancelled_cycle_is_told_at_the_next_word(catalog: Catalog) -> None:
    cycle = begun(catalog)

    assert catalog.cycles.cancel(cycle.id, 20)
    for work in (
        lambda: catalog.cycles.progress(cycle.id, "base", 0.5, 21),
        lambda: catalog.cycles.stage_done(cycle.id, "base", None, [], {}, 21),
        lambda: catalog.cycles.begin(cycle.id, 100, 21),
    ):
        with pytest.raises(StoreError, match=f"{cycle.id} is not open") as caught:
            work()
        assert "selflow learn" in caught.value.hint
    assert catalog.cycles.stages(cycle.id) == []


def test_a_cycle_ends_once(catalog: Catalog) -> None:
    cycle = begun(catalog)

    assert catalog.cycles.finish(cycle.id, "failed", "no disk", 20)
    assert not catalog.cycles.finish(cycle.id, "done", "", 21)
    assert not catalog.cycles.cancel(cycle.id, 22)
    (ended,) = catalog.cycles.latest(1)
    assert (ended.state, ended.error, ended.finished_at_us) == ("failed", "no disk", 20)


def test_an_unknown_cycle_is_named(catalog: Catalog) -> None:
    with pytest.raises(StoreError, match="the learning cycle cyc_0 is not open"):
        catalog.cycles.begin("cyc_0", 1, 1)
    assert not catalog.cycles.cancel("cyc_0", 1)


def test_the_newest_cycles_come_first(catalog: Catalog) -> None:
    for now_us in (1, 2, 3):
        catalog.cycles.finish(catalog.cycles.request("owner", now_us).id, "done", "", now_us)

    assert [each.requested_at_us for each in catalog.cycles.latest(2)] == [3, 2]

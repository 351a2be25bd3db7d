"""Patterns over several cycles of a planted stream, with the real catalog and artifacts."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from actors.pattern_history import conclude_with_history
from actors.plan import Plan
from selflow.core.paths import Root
from selflow.core.settings import DiscoverSettings, GateSettings, Settings
from selflow.core.steps import Step
from selflow.discover.discover import Clustered, cluster
from selflow.discover.model import ClusterModel
from selflow.discover.persistence import Labels
from selflow.store.artifacts import ArtifactStore
from selflow.store.catalog import Catalog
from selflow.store.pattern_records import Pattern
from selflow.store.reading import CatalogReader
from selflow.store.records import Artifact
from tests.unit.discover.worlds import planted

pytestmark = pytest.mark.slow

SETTINGS = Settings(
    discover=DiscoverSettings(bootstraps=2, null_sets=0, min_agreement=0.6),
    gate=GateSettings(min_events=20),
)
STEPS, TRUTH = planted(days=20)
DAY = len(STEPS) // 20


def stream(days: int, garden_since: int = 0) -> tuple[Step, ...]:
    """The first days; one of the five activities begins on a day of its own."""
    return tuple(
        step
        for index, (step, name) in enumerate(zip(STEPS[: days * DAY], TRUTH, strict=False))
        if name != "garden" or index >= garden_since * DAY
    )


@cache
def clustered(steps: tuple[Step, ...]) -> Clustered:
    return cluster(steps, SETTINGS.discover, 1)


@dataclass
class World:
    """What of a cycle concerns patterns, one cycle after the other."""

    root: Root
    catalog: Catalog
    settings: Settings = SETTINGS
    documents: list[dict[str, Any]] = field(default_factory=list)
    models: list[str] = field(default_factory=list)

    def cycle(self, steps: Sequence[Step]) -> dict[str, Any]:
        """Find, journal and record, as ``actors.cycle`` does; what the journal holds."""
        cycles, now_us = self.catalog.cycles, len(self.documents) + 1
        cycle = cycles.begin(cycles.request("owner", now_us).id, 1, now_us)
        cycles.stage_done(cycle.id, "represent", None, [], {"train": [0, len(steps)]}, now_us)
        plan = Plan(self.root, self.settings, "1", 0, has_resources=False, gpu_share=0.0)
        files, document = conclude_with_history(plan, cycle.id, clustered(tuple(steps)), [], steps)
        sha256 = ArtifactStore(self.root.artifacts).put(files)
        artifact = Artifact(sha256, "cluster-model", 1, {})
        cycles.progress(cycle.id, "discover", 0.0, now_us)
        cycles.stage_done(cycle.id, "discover", artifact, [], document, now_us)
        self.catalog.patterns.record(
            cycle.id,
            document["patterns"],
            now_us,
            parts=document["parts"],
            transitions=document["transitions"],
        )
        cycles.finish(cycle.id, "done", "", now_us)
        self.documents.append(document)
        self.models.append(sha256)
        return document

    def assigned(self, cycle: int) -> Labels:
        """The patterns of the first days' steps by the model of a cycle."""
        folder = ArtifactStore(self.root.artifacts).get(self.models[cycle])
        return ClusterModel.load(folder).assign_before(FIRST)

    def row(self, name: str) -> Pattern:
        return next(iter(CatalogReader(self.root.catalog).learned(Pattern, name=name)))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    root = Root(tmp_path, tmp_path)
    root.make()
    with closing(Catalog.open(root.catalog)) as catalog:
        yield World(root, catalog)


def changes(document: dict[str, Any]) -> dict[str, str]:
    return {item["pattern"]: item["change"] for item in document["transitions"]}


def reasons(document: dict[str, Any]) -> dict[str, str]:
    return {item["name"]: item["reason"] for item in document["patterns"]}


def named(document: dict[str, Any], word: str) -> str:
    (name,) = (item["name"] for item in document["patterns"] if word in item["name"])
    return str(name)


FIRST, FORGOTTEN = stream(12), stream(12, garden_since=12)


@pytest.mark.setting("discover.min_cycles")
def test_a_first_cycle_admits_what_both_halves_of_its_days_have(world: World) -> None:
    found = world.cycle(stream(18, garden_since=10))
    late = named(found, "garden")
    changed = SETTINGS.discover.model_copy(update={"min_cycles": 1})
    admitted = [item["alive_cycles"] for item in found["patterns"] if not item["reason"]]

    assert reasons(found)[late] == "alive 1 of 2 cycles"
    assert set(admitted) == {2}
    assert set(changes(found).values()) == {"emerged"}
    world.settings = SETTINGS.model_copy(update={"discover": changed})
    assert reasons(world.cycle(stream(18, garden_since=10)))[late] == ""


def test_halves_are_clustered_only_where_a_cluster_lacks_nothing_else(world: World) -> None:
    strict = SETTINGS.gate.model_copy(update={"min_events": 1_000_000})
    world.settings = SETTINGS.model_copy(update={"gate": strict})
    found = world.cycle(FIRST)
    world.settings = SETTINGS
    second = world.cycle(FIRST)

    assert {item["alive_cycles"] for item in found["patterns"]} == {1}
    assert [item["alive_cycles"] for item in second["patterns"] if not item["reason"]]


def test_a_new_pattern_waits_for_its_second_cycle(world: World) -> None:
    world.cycle(FORGOTTEN)
    second = world.cycle(stream(18, garden_since=12))
    new = named(second, "garden")
    third = world.cycle(stream(20, garden_since=12))

    assert changes(second)[new] == "emerged"
    assert (reasons(second)[new], reasons(third)[new]) == ("alive 1 of 2 cycles", "")
    assert changes(third)[new] == "survived"
    assert {i["pattern"]: i["likeness"] for i in third["transitions"]}[new] > 0.9


def test_a_pattern_that_is_not_found_disappeared_and_may_return(world: World) -> None:
    gone = named(world.cycle(FIRST), "garden")
    second = world.cycle(FORGOTTEN)
    state = world.row(gone).state
    third = world.cycle(stream(18, garden_since=12))

    assert (changes(second)[gone], state) == ("disappeared", "absent")
    assert changes(third)[gone] == "returned"
    assert (world.row(gone).state, world.row(gone).alive_cycles) == ("alive", 1)


def test_the_owners_merge_sticks_over_cycles_until_it_is_undone(world: World) -> None:
    first = world.cycle(FIRST)
    one, other = named(first, "garden"), named(first, "holiday")
    numbers = [item["number"] for item in first["patterns"] if item["name"] in {one, other}]
    world.catalog.patterns.merge(other, one, "leisure")
    for _ in range(2):
        found = world.cycle(FIRST)
        (both,) = (item for item in found["patterns"] if item["name"] == one)

        assert sorted(both["parts"]) == sorted([one, other])
        assert (both["reason"], other in reasons(found)) == ("", False)
        assert (world.row(one).state, world.row(other).state) == ("alive", "part")
        assert (world.row(one).title, world.row(other).merged_into) == ("leisure", one)
    before, after = world.assigned(0), world.assigned(-1)
    assert np.array_equal(after == both["number"], np.isin(before, numbers))
    assert both["steps"] == int(np.isin(before, numbers).sum())
    assert both["windows"] == sum(part["windows"] for part in found["parts"])
    world.catalog.patterns.unmerge(one)
    found = world.cycle(FIRST)

    assert ({one, other} <= set(reasons(found)), found["parts"]) == (True, [])
    assert set(changes(found).values()) == {"survived"}


def test_a_merge_sticks_where_only_the_part_is_found(world: World) -> None:
    first = world.cycle(FIRST)
    gone, other = named(first, "garden"), named(first, "holiday")
    world.catalog.patterns.merge(other, gone, None)
    found = world.cycle(FORGOTTEN)
    (both,) = (item for item in found["patterns"] if item["name"] == gone)

    assert (both["parts"], other in reasons(found)) == ((other,), False)


def test_a_model_that_is_gone_leaves_names_to_words(world: World) -> None:
    before = reasons(world.cycle(FIRST))
    ArtifactStore(world.root.artifacts).remove(world.models[0])

    assert set(reasons(world.cycle(FIRST))) == set(before)

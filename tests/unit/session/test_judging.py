"""A candidate before the gate, with scores that are known: what is opened, and what is credited."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from actors.judging import Recorder, judge_on_gate
from actors.messages import Candidate, Judged, Snapshot
from actors.plan import Plan
from selflow.core.paths import Root
from selflow.core.settings import Settings
from selflow.core.steps import Step
from selflow.predict.agents import RecordedExpert
from selflow.predict.paired import PairedBaseline
from selflow.predict.steps import StepTable
from selflow.store.catalog import Catalog
from selflow.store.reading import CatalogReader
from selflow.store.records import Opening
from tests.unit.predict.worlds import noise
from tests.unit.store.worlds import begun, register

LABELS = [f"n{i}" for i in range(8)]
STEPS = noise(6, 400, len(LABELS))
SURE, IGNORANT = 0.6, 1 / 8
BASE, ADAPTER = "b" * 64, "a" * 64


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    opened = Catalog.open(tmp_path / "catalog.db")
    yield opened
    opened.close()


class Gate:
    """A catalog, a snapshot with the last 220 steps as gate part, and models that know by rote."""

    def __init__(self, catalog: Catalog, folder: Path, min_events: int = 60) -> None:
        settings = Settings.model_validate({"gate": {"min_events": min_events}})
        self.plan = Plan(Root(folder, folder), settings, "1", 0, False, 0.0)
        self.catalog = catalog
        self.cycle_id = begun(catalog).id
        self.snapshot = snapshot(STEPS)

    def judge(self, candidate: Candidate, record: Recorder) -> Judged:
        past = baseline(self.snapshot.gate[0])
        return judge_on_gate(
            self.plan, self.cycle_id, candidate, self.snapshot, past, self.catalog, record
        )


@cache
def baseline(first: int) -> bytes:
    return PairedBaseline.learn(STEPS[:first]).save()


def snapshot(steps: list[Step]) -> Snapshot:
    return Snapshot(StepTable.of(steps), 400, 9, (0, 120), (120, 160), (180, 400))


def candidate(gate_from_us: int | None = None) -> Candidate:
    return Candidate("seer", "", -1, "", BASE, adapter_sha256=ADAPTER, gate_from_us=gate_from_us)


def by_hash(**sure: float) -> Recorder:
    """Models by the first letter of their hash: how often their favourite comes."""

    def record(name: str, base_sha256: str, sha256: str, first: int) -> RecordedExpert:
        chance = sure[(sha256 or base_sha256)[0]]
        rng = np.random.default_rng(1)
        p = np.full((len(STEPS), len(LABELS)), (1 - chance) / (len(LABELS) - 1), np.float32)
        for row, step in enumerate(STEPS):
            others = [label for label in LABELS if label not in step.labels]
            favourite = step.labels[0] if rng.random() < chance else str(rng.choice(others))
            p[row, LABELS.index(favourite)] = chance
        return RecordedExpert(name, tuple(LABELS), p[first:], np.zeros(len(STEPS) - first))

    return record


def openings(folder: Path) -> list[Opening]:
    return CatalogReader(folder / "catalog.db").learned(Opening)


@pytest.mark.slow
def test_an_agent_that_knows_what_comes_is_credited_beside_counts_and_base(
    catalog: Catalog, tmp_path: Path
) -> None:
    judged = Gate(catalog, tmp_path).judge(candidate(), by_hash(a=SURE, b=IGNORANT))

    assert judged.numbers["slice_is_met"], judged.reasons
    assert (judged.opening, judged.alpha) == (1, 0.05)
    (opening,) = openings(tmp_path)
    assert (opening.first_us, opening.last_us) == (STEPS[180].ts_us, STEPS[-1].ts_us)

    bits = {name: figures["log_loss_bits"] for name, figures in judged.figures.items()}
    assert list(bits) == ["pool", "without", "with"]
    assert abs(bits["pool"] - bits["without"]) < 0.05
    assert bits["without"] - bits["with"] == pytest.approx(
        judged.numbers["slice_gain_bits"], abs=1e-6
    )


@pytest.mark.slow
def test_too_few_steps_are_left_unopened_and_cost_no_level(
    catalog: Catalog, tmp_path: Path
) -> None:
    judged = Gate(catalog, tmp_path, min_events=221).judge(candidate(), by_hash(a=1, b=1))

    assert (judged.decision, judged.opening) == ("no_verdict", None)
    assert judged.reasons[0].startswith("The gate part holds 220 steps of its own slice")
    assert openings(tmp_path) == []


@pytest.mark.slow
def test_a_version_that_waited_is_judged_on_all_that_came_after_what_it_knows(
    catalog: Catalog, tmp_path: Path
) -> None:
    gate = Gate(catalog, tmp_path, min_events=240)
    first_us = STEPS[150].ts_us

    assert gate.judge(candidate(), by_hash(a=SURE, b=IGNORANT)).decision == "no_verdict"
    judged = gate.judge(candidate(first_us), by_hash(a=SURE, b=IGNORANT))

    assert judged.numbers["slice_is_met"], judged.reasons
    assert judged.numbers["gate_steps"] == 250
    assert [each.first_us for each in openings(tmp_path)] == [first_us]


def test_a_set_that_retired_is_not_looked_at(catalog: Catalog, tmp_path: Path) -> None:
    gate = Gate(catalog, tmp_path)
    for place in range(5):
        catalog.verdicts.open_gate(
            lambda opened: ("old", len(opened) + 1),
            (STEPS[170].ts_us, STEPS[390].ts_us),
            str(place),
            gate.cycle_id,
            1,
        )

    judged = gate.judge(candidate(), by_hash(a=SURE, b=IGNORANT))

    assert (judged.decision, judged.opening) == ("no_verdict", None)
    assert "were opened 5 times before" in judged.reasons[0]
    assert judged.figures == {}


@pytest.mark.slow
def test_an_adapter_that_says_what_its_base_says_is_credited_with_nothing(
    catalog: Catalog, tmp_path: Path
) -> None:
    judged = Gate(catalog, tmp_path).judge(candidate(), by_hash(a=SURE, b=SURE))
    bits = {name: judged.figures[name]["log_loss_bits"] for name in ("pool", "without", "with")}

    assert judged.decision == "rejected"
    assert judged.numbers["slice_gain_bits"] < 0.05
    assert bits["pool"] - bits["without"] > 0.5, "the base itself is what helps"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stands_on", "expected"), [("o", "pool"), (BASE, "without")], ids=["old base", "this base"]
)
def test_a_champion_is_compared_with_the_base_that_it_stands_on(
    catalog: Catalog, tmp_path: Path, stands_on: str, expected: str
) -> None:
    register(catalog, "c", agent="seer", base_sha256=stands_on[0] * 64)

    models = by_hash(a=SURE, b=SURE, c=IGNORANT, o=IGNORANT)
    judged = Gate(catalog, tmp_path).judge(candidate(), models)
    bits = {name: figures["log_loss_bits"] for name, figures in judged.figures.items()}

    assert bits["pool"] - bits["without"] > 0.5, "the new base is what helps"
    assert bits["champion"] == pytest.approx(bits[expected], abs=0.05)


@pytest.mark.slow
def test_an_agent_on_the_new_base_keeps_that_base_beside_a_champion(
    catalog: Catalog, tmp_path: Path
) -> None:
    register(catalog, "c", agent="seer", base_sha256="o" * 64)
    register(catalog, "d", agent="writing", base_sha256=BASE, now_us=30)

    models = by_hash(a=SURE, b=SURE, c=IGNORANT, d=IGNORANT, o=IGNORANT)
    judged = Gate(catalog, tmp_path).judge(candidate(), models)
    bits = {name: figures["log_loss_bits"] for name, figures in judged.figures.items()}

    assert bits["champion"] == pytest.approx(bits["without"], abs=0.05)

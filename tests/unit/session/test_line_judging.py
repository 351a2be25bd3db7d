"""An agent of lines before the gate: what is opened, what is credited, and to which part."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from actors.line_judging import GateLook, LineCandidate, judge_lines, lacking_later_lines
from actors.messages import Judged
from actors.plan import Plan
from selflow.core.lora import LoraAdapter
from selflow.core.paths import Root
from selflow.core.settings import Settings
from selflow.judge.ledger import OPENINGS, alpha_at
from selflow.store.catalog import Catalog
from selflow.store.reading import CatalogReader
from selflow.store.records import Opening
from selflow.text.agent import LineAgent, Replayed
from selflow.text.byte_model import ByteModel
from selflow.text.examples import OwnLine
from selflow.text.paired import LineOutcomes
from tests.unit.store.worlds import begun as begun_cycle
from tests.unit.text.models import QUERY, WIDTH, begun, random_model

PAST, GATE = 50, 110
BARE, ADAPTED = "a" * 64, "b" * 64
WORDS = (b"ls", b"cd a", b"make", b"vi b")
LINES = [
    OwnLine(seq, seq * 600_000_000, WORDS[seq % 3 if seq % 7 else 3], b"~")
    for seq in range(1, PAST + GATE + 1)
]


class Rote(LineAgent):
    """An agent that is known to save so many bits a line, one of its parts so many."""

    def replay(
        self, past: Sequence[OwnLine], gate: Sequence[OwnLine], model: ByteModel
    ) -> Replayed:
        replayed = super().replay(past, gate[:20], model)
        n, saved = len(gate), np.random.default_rng(1).normal(2.0, 1.0, len(gate))
        pool = replace(
            replayed.pool,
            bits=np.full(n, 20.0),
            hit_at_5=np.ones(n, np.bool_),
            confidence=np.full(n, 0.5),
            outcome=np.arange(n) % 2.0,
        )
        whole = replace(pool, bits=pool.bits - saved)
        return Replayed(pool, whole, {"model": pool, "memory": replace(pool, bits=whole.bits + 0)})

    def outcomes(self, gate: Sequence[OwnLine], model: ByteModel) -> LineOutcomes:
        if len(gate) == 20 or self.adapter is None:
            return super().outcomes(gate, model)
        ((_, up),) = self.adapter.factors.values()
        whole = self.replay([], gate, model).whole
        return replace(whole, bits=whole.bits - float(up.max()))


class Useless(Rote):
    """The same, no better than the pool without its adapter."""

    def replay(
        self, past: Sequence[OwnLine], gate: Sequence[OwnLine], model: ByteModel
    ) -> Replayed:
        replayed = super().replay(past, gate, model)
        return replace(replayed, whole=replayed.pool)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    opened = Catalog.open(tmp_path / "catalog.db")
    yield opened
    opened.close()


def judge(
    catalog: Catalog,
    folder: Path,
    kind: type[LineAgent] = LineAgent,
    lines: Sequence[OwnLine] = LINES,
    adapter_bits: float | None = None,
    serving: type[LineAgent] | None = None,
    **gate: float,
) -> Judged:
    model = random_model(folder / "model")
    agent = kind.grow(LINES, LINES[-1].seq, LINES[PAST].ts_us, model)
    settings = Settings.model_validate({"gate": gate})
    plan = Plan(Root(folder, folder), settings, "1", 0, has_resources=False, gpu_share=0.0)
    adapted = None
    if adapter_bits is not None:
        up = np.full((WIDTH, 1), adapter_bits, np.float32)
        down = np.ones((1, WIDTH), np.float32)
        adapter = LoraAdapter(model.sha256, {QUERY: (down, up)})
        adapted = agent.with_adapter(adapter, begun(model, adapter))
    before = None if serving is None else serving.grow(LINES[:30], 30, LINES[20].ts_us, model)
    candidate = LineCandidate(agent, adapted, BARE, ADAPTED if adapted else "", before)
    look = GateLook(begun_cycle(catalog).id, candidate.whole_sha256, catalog)
    return judge_lines(plan, look, candidate, model, lines)


def openings(folder: Path) -> list[Opening]:
    return CatalogReader(folder / "catalog.db").learned(Opening)


def test_an_agent_that_saves_bits_passes_and_each_part_is_judged(
    catalog: Catalog, tmp_path: Path
) -> None:
    judged = judge(catalog, tmp_path, Rote)
    parts, lines = judged.figures["parts"], judged.figures["lines"]

    assert judged.decision == "passed", judged.reasons
    assert parts["model"]["is_met"]
    assert not parts["memory"]["is_met"]
    assert lines["pool"]["bits_per_line"] - lines["agent"]["bits_per_line"] == pytest.approx(
        parts["model"]["gain_bits"]
    )
    (opening,) = openings(tmp_path)
    assert (opening.first_us, opening.last_us) == (LINES[PAST].ts_us, LINES[-1].ts_us)


@pytest.mark.slow
def test_a_model_that_knows_nothing_is_rejected_and_the_memory_is_what_helps(
    catalog: Catalog, tmp_path: Path
) -> None:
    judged = judge(catalog, tmp_path)
    parts = judged.figures["parts"]

    assert judged.decision == "rejected", judged.reasons
    assert not parts["model"]["is_met"]
    assert parts["memory"]["is_met"]
    assert parts["memory"]["gain_bits"] > 1.0


def test_an_adapter_that_saves_bits_serves_with_its_agent(catalog: Catalog, tmp_path: Path) -> None:
    judged = judge(catalog, tmp_path, Rote, adapter_bits=1.0)
    parts = judged.figures["parts"]

    assert (judged.decision, judged.sha256) == ("passed", ADAPTED)
    assert parts["adapter"]["is_met"]
    assert parts["adapter"]["gain_bits"] == pytest.approx(1.0)
    assert parts["model"]["gain_bits"] == pytest.approx(3.0, abs=0.3)
    assert len(openings(tmp_path)) == 1


@pytest.mark.parametrize("bits", [0.0, -1.0])
def test_an_adapter_that_saves_nothing_is_left_out_of_an_agent_that_passes(
    catalog: Catalog, tmp_path: Path, bits: float
) -> None:
    judged = judge(catalog, tmp_path, Rote, adapter_bits=bits)

    assert (judged.decision, judged.sha256) == ("passed", BARE)
    assert not judged.figures["parts"]["adapter"]["is_met"]
    assert judged.figures["parts"]["adapter"]["gain_bits"] == pytest.approx(bits)
    assert judged.figures["parts"]["model"]["is_met"]


@pytest.mark.slow
def test_no_adapter_brings_an_agent_into_service_that_fails_without_it(
    catalog: Catalog, tmp_path: Path
) -> None:
    judged = judge(catalog, tmp_path, Useless, adapter_bits=1.0)

    assert (judged.decision, judged.sha256) == ("rejected", BARE)
    assert judged.figures["parts"]["adapter"]["is_met"]


@pytest.mark.slow
def test_an_adapter_of_zeros_changes_no_bit_and_is_left_out(
    catalog: Catalog, tmp_path: Path
) -> None:
    judged = judge(catalog, tmp_path, adapter_bits=0.0)

    assert judged.sha256 == BARE
    assert not judged.figures["parts"]["adapter"]["is_met"]
    assert judged.figures["parts"]["adapter"]["gain_bits"] < 0.05


class Champion(LineAgent):
    """An agent that serves, known to save so many bits a line on the pool of ``Rote``."""

    saves_bits = 0.0

    def outcomes(self, gate: Sequence[OwnLine], model: ByteModel) -> LineOutcomes:
        pool = (
            Rote.grow(LINES, LINES[-1].seq, LINES[PAST].ts_us, model).replay([], gate, model).pool
        )
        return replace(pool, bits=pool.bits - self.saves_bits)


@pytest.mark.slow
@pytest.mark.parametrize(("saves_bits", "decision"), [(1.0, "passed"), (3.0, "rejected")])
@pytest.mark.parametrize("adapter_bits", [None, 0.5])
def test_a_successor_has_to_beat_the_version_that_serves(
    catalog: Catalog,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    saves_bits: float,
    decision: str,
    adapter_bits: float | None,
) -> None:
    monkeypatch.setattr(Champion, "saves_bits", saves_bits)
    judged = judge(catalog, tmp_path, Rote, adapter_bits=adapter_bits, serving=Champion)
    lines = judged.figures["lines"]
    gain = lines["serving"]["bits_per_line"] - lines["agent"]["bits_per_line"]

    assert judged.decision == decision, judged.reasons
    assert judged.sha256 == (ADAPTED if adapter_bits else BARE)
    assert gain == pytest.approx(2.0 - saves_bits + (adapter_bits or 0.0), abs=0.3)
    assert judged.figures["parts"]["model"]["is_met"]


@pytest.mark.slow
@pytest.mark.parametrize(("saves_bits", "decision"), [(1.0, "passed"), (3.0, "rejected")])
@pytest.mark.parametrize("adapter_bits", [0.0, -1.5])
def test_a_successor_serves_without_an_adapter_that_earns_no_place(
    catalog: Catalog,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    saves_bits: float,
    decision: str,
    adapter_bits: float,
) -> None:
    monkeypatch.setattr(Champion, "saves_bits", saves_bits)
    judged = judge(catalog, tmp_path, Rote, adapter_bits=adapter_bits, serving=Champion)
    adapter, lines = judged.figures["parts"]["adapter"], judged.figures["lines"]

    assert (judged.decision, judged.sha256) == (decision, BARE), judged.reasons
    assert not adapter["is_met"]
    assert adapter["gain_bits"] == pytest.approx(adapter_bits)
    assert lines["agent with adapter"]["bits_per_line"] == pytest.approx(
        lines["agent"]["bits_per_line"] - adapter_bits
    )


@pytest.mark.slow
def test_asking_a_successor_without_its_adapter_is_a_further_look(
    catalog: Catalog, tmp_path: Path
) -> None:
    judged = judge(catalog, tmp_path, Rote, adapter_bits=0.0, serving=Champion)
    looks = [(look.candidate, look.opening) for look in openings(tmp_path)]

    assert looks == [(ADAPTED, 1), (BARE, 2)]
    assert judged.opening == 2
    assert judged.alpha == pytest.approx(alpha_at(Settings().gate, 2))


@pytest.mark.slow
def test_a_successor_whose_adapter_earns_no_place_is_rejected_on_retired_lines(
    catalog: Catalog, tmp_path: Path
) -> None:
    for letter in "cdef"[: OPENINGS - 1]:
        GateLook(begun_cycle(catalog).id, letter * 64, catalog).open(LINES[PAST:])
    judged = judge(catalog, tmp_path, Rote, adapter_bits=0.0, serving=Champion)

    assert judged.decision == "rejected"
    assert judged.reasons == ("Its adapter did not earn its place beside the base.",)
    assert len(openings(tmp_path)) == OPENINGS


@pytest.mark.slow
def test_a_version_that_serves_has_learned_every_line_before_the_gate(
    catalog: Catalog, tmp_path: Path
) -> None:
    judged = judge(catalog, tmp_path, serving=LineAgent)
    lines = judged.figures["lines"]

    assert lines["serving"] == lines["agent"], "it knows the same lines as the candidate"
    assert judged.decision == "rejected"


def test_a_successor_waits_until_the_gate_part_is_new(tmp_path: Path) -> None:
    model = random_model(tmp_path / "model")
    serving = LineAgent.grow(LINES[:30], 30, LINES[20].ts_us, model)

    assert lacking_later_lines(serving, LINES[30:]) == ""
    assert lacking_later_lines(serving, LINES[27:]) == "3 more lines since the serving version"


@pytest.mark.setting("gate.min_lines")
def test_too_few_lines_are_left_unopened(catalog: Catalog, tmp_path: Path) -> None:
    judged = judge(catalog, tmp_path, Rote, min_lines=111)

    assert (judged.decision, judged.opening) == ("no_verdict", None)
    assert judged.reasons[0].startswith("The gate part holds 110")
    assert openings(tmp_path) == []
    assert judge(catalog, tmp_path, Rote, min_lines=110).decision == "passed"


def test_lines_that_come_after_the_judged_ones_change_nothing_before(
    catalog: Catalog, tmp_path: Path
) -> None:
    model = random_model(tmp_path / "model")
    rng = np.random.default_rng(3)
    later = [replace(line, text=bytes(rng.integers(97, 123, 6).tolist())) for line in LINES[PAST:]]
    as_it_came = LineAgent.grow(LINES, LINES[-1].seq, LINES[PAST].ts_us, model)
    scrambled = LineAgent.grow([*LINES[:PAST], *later], LINES[-1].seq, LINES[PAST].ts_us, model)

    assert as_it_came.files() == scrambled.files()
    assert as_it_came.lines == PAST


def test_an_agent_comes_out_of_its_files_as_it_went_in(tmp_path: Path) -> None:
    model = random_model(tmp_path / "model")
    agent = LineAgent.grow(LINES[:30], 30, LINES[20].ts_us, model)
    for name, content in agent.files().items():
        (tmp_path / name).write_bytes(content)
    loaded = LineAgent.load(tmp_path)

    assert loaded.files() == agent.files()
    assert loaded.unknown_from_seq == LINES[20].seq
    assert [loaded.knows(line) for line in LINES[19:21]] == [True, False]
    assert loaded.suggester(model).state() == agent.suggester(model).state()

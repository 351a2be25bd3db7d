"""A candidate before the gate: the pool with it, without it, and with the champion it would
follow.
"""

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from actors.messages import Candidate, Judged, Snapshot
from actors.plan import Plan
from selflow.core.clock import SystemClock
from selflow.core.events import Json
from selflow.core.scores import BASE_EXPERT
from selflow.core.steps import Step
from selflow.store.artifacts import ArtifactStore
from selflow.store.catalog import Catalog

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from selflow.judge.gate import Verdict
    from selflow.lm.loaded import LoadedBase
    from selflow.predict.agents import RecordedExpert
    from selflow.predict.grades import Tally
    from selflow.predict.paired import PairedBaseline
    from selflow.store.records import AgentVersion

Recorder = Callable[[str, str, str, int], "RecordedExpert"]
"""Name, base and adapter by their hashes (no adapter: the base alone), and first step: what it says
of every step from there on, before it came.
"""


def judge_on_gate(
    plan: Plan,
    cycle_id: str,
    candidate: Candidate,
    snapshot: Snapshot,
    past: bytes,
    catalog: Catalog,
    record: Recorder,
) -> Judged:
    """Open the gate part once and judge; too few steps are left unopened, and cost no level.

    Its base and agents that serve under other names are in the pool on both sides: what counts is
    what the candidate adds. A candidate that waited for later events is judged on all steps that
    came after those it knows.

    Cost: the pool over the gate part three or four times (2 ms per step), and one scoring pass for
    the base and each adapter.
    """
    from selflow.judge.gate import too_few
    from selflow.judge.ledger import OPENINGS, alpha_at, gate_set_id, next_opening

    steps, settings = snapshot.table.steps(), plan.settings.gate
    first = gate_start(candidate, snapshot)
    gate, ts_us = steps[first:], snapshot.table.ts_us[first:]
    in_slice = np.array(slices(plan, candidate, steps)[first:])
    counts = {"gate_steps": len(gate), "slice_steps": int(in_slice.sum())}
    if reason := too_few(ts_us, in_slice, settings):
        return Judged("no_verdict", (reason,), counts)
    look = catalog.verdicts.open_gate(
        partial(next_opening, gate_set_id(gate), ts_us),
        (int(ts_us[0]), int(ts_us[-1])),
        candidate.adapter_sha256,
        cycle_id,
        SystemClock().now_us(),
    )
    if look is None:
        reason = (
            f"More than half of the {len(gate):,} gate steps were opened {OPENINGS} times before. "
            "It is judged again once there are enough later events."
        )
        return Judged("no_verdict", (reason,), counts)
    pool = baseline(plan, steps, first, past if first == snapshot.gate[0] else None)
    replayed = _replay(pool, candidate, gate, catalog.agents.champions(), first, record)
    verdict = _verdict(replayed, ts_us, in_slice, plan, look.opening)
    figures: dict[str, Json] = {name: {**tally.figures()} for name, tally in replayed.items()}
    return Judged(
        verdict.decision,
        verdict.reasons,
        verdict.numbers,
        look.gate_set,
        look.opening,
        alpha_at(settings, look.opening),
        figures,
    )


def slices(plan: Plan, candidate: Candidate, steps: Sequence[Step]) -> list[bool]:
    """Which steps belong to the candidate's pattern, by what came before each."""
    if candidate.number < 0:
        return [True] * len(steps)
    from selflow.discover.model import ClusterModel

    model = ClusterModel.load(ArtifactStore(plan.root.artifacts).get(candidate.model_sha256))
    return [number == candidate.number for number in model.assign_before(steps).tolist()]


def gate_start(candidate: Candidate, snapshot: Snapshot) -> int:
    """Index of the first step that neither the candidate nor its base, pattern or settings know."""
    if candidate.gate_from_us is None:
        return snapshot.gate[0]
    return bisect_left(snapshot.table.ts_us.tolist(), candidate.gate_from_us)


def baseline(
    plan: Plan, steps: Sequence[Step], first: int, past: bytes | None = None
) -> "PairedBaseline":
    """The pool after all steps before ``first``: from its saved state, or learned now (2 ms per
    step).
    """
    from selflow.predict.paired import PairedBaseline
    from selflow.predict.prior import shipped

    if past is not None:
        return PairedBaseline.load(past)
    section = plan.settings.predict
    prior = shipped() if section.use_prior else None
    return PairedBaseline.learn(steps[:first], alpha=section.share_alpha, prior=prior)


def _replay(
    pool: "PairedBaseline",
    candidate: Candidate,
    gate: Sequence[Step],
    champions: "Sequence[AgentVersion]",
    first: int,
    record: Recorder,
) -> "dict[str, Tally]":
    """Grades on the gate part: of the ``pool`` of counts, ``without`` the candidate but with its
    base and all other agents, ``with`` it too, and what serves now if it has a ``champion``.

    The base stands on both sides: what it knows is not a merit of an adapter on it. A champion on
    another base is replayed beside that one, as it serves (``serve.model_registry``): the
    candidate's base comes in only with an agent on it.
    """
    others = {
        version.agent: record(version.agent, version.base_sha256, version.sha256, first)
        for version in champions
    }
    before = others.pop(candidate.agent, None)
    base = record(BASE_EXPERT, candidate.base_sha256, "", first)
    itself = record(candidate.agent, candidate.base_sha256, candidate.adapter_sha256, first)
    replayed = {
        "pool": pool.replay(gate),
        "without": pool.replay(gate, [base, *others.values()]),
        "with": pool.replay(gate, [base, *others.values(), itself]),
    }
    if before is not None:
        in_use = {version.agent: version.base_sha256 for version in champions}
        if candidate.base_sha256 not in in_use.values():
            base = record(BASE_EXPERT, in_use[candidate.agent], "", first)
        replayed["champion"] = pool.replay(gate, [base, *others.values(), before])
    return replayed


def _verdict(
    replayed: "Mapping[str, Tally]",
    ts_us: "NDArray[np.int64]",
    in_slice: "NDArray[np.bool_]",
    plan: Plan,
    opening: int,
) -> "Verdict":
    from selflow.judge.gate import Evidence, Outcomes, judge

    outcomes = {name: Outcomes(*tally.outcomes()) for name, tally in replayed.items()}
    evidence = Evidence(
        ts_us, in_slice, outcomes["without"], outcomes["with"], outcomes.get("champion")
    )
    return judge(evidence, plan.settings.gate, opening, plan.settings.learning.seed)


def recorder(plan: Plan, steps: Sequence[Step]) -> Recorder:
    """Scores by the models themselves; each base is loaded when it is first asked for."""
    from selflow.lm.base import device_of
    from selflow.lm.loaded import add_adapter, load_base
    from selflow.lm.scoring import score_steps
    from selflow.predict.agents import RecordedExpert

    store = ArtifactStore(plan.root.artifacts)
    bases: dict[str, LoadedBase] = {}

    def record(name: str, base_sha256: str, sha256: str, first: int) -> RecordedExpert:
        if base_sha256 not in bases:
            device = device_of(plan.settings.lm.device)
            bases[base_sha256] = load_base(store.get(base_sha256), device)
        loaded, adapter = bases[base_sha256], None
        if sha256:
            adapter = f"{name}-{sha256[:12]}"
            add_adapter(loaded, adapter, store.get(sha256))
        p, other_p = score_steps(loaded, adapter, steps, first, len(steps))
        return RecordedExpert(name, loaded.vocabulary.labels, p, other_p)

    return record

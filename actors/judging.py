"""A candidate before the gate: the pool with it, without it, and with the champion it would
follow.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from actors.messages import Candidate, Judged, Snapshot
from actors.plan import Plan
from actors.targets import slices
from selflow.core.clock import SystemClock
from selflow.core.events import Json
from selflow.core.steps import Step
from selflow.store.artifacts import ArtifactStore
from selflow.store.catalog import Catalog

if TYPE_CHECKING:
    from selflow.predict.agents import RecordedExpert

Record = Callable[[str, str], "RecordedExpert"]


def judge_on_gate(
    plan: Plan,
    cycle_id: str,
    candidate: Candidate,
    snapshot: Snapshot,
    past: bytes,
    catalog: Catalog,
) -> Judged:
    """Open the gate set once and judge.

    Agents that serve under other names are in the pool on both sides: what counts is what the
    candidate adds.

    Cost: the pool over the gate part two or three times (2 ms per step), and one scoring pass per
    adapter.
    """
    from selflow.judge.gate import Evidence, Outcomes, alpha_at, gate_set_id, judge, may_open
    from selflow.predict.paired import PairedBaseline

    steps = snapshot.table.steps()
    gate, settings = steps[slice(*snapshot.gate)], plan.settings.gate
    gate_set = gate_set_id(gate)
    opening = catalog.verdicts.open_gate(
        gate_set, candidate.adapter_sha256, cycle_id, SystemClock().now_us()
    )
    alpha = alpha_at(settings, opening)
    if not may_open(opening):
        reason = f"this gate set was opened {opening - 1} times; newer events must make a new one"
        return Judged("no_verdict", (reason,), {}, gate_set, opening, alpha)
    champions = catalog.agents.champions()
    record = recorder(plan, candidate.base_sha256, steps, snapshot.gate[0])
    others = [
        record(each.agent, each.sha256) for each in champions if each.agent != candidate.agent
    ]
    before = [
        record(each.agent, each.sha256) for each in champions if each.agent == candidate.agent
    ]
    pool = PairedBaseline.load(past)
    without = pool.replay(gate, others)
    joined = pool.replay(gate, [*others, record(candidate.agent, candidate.adapter_sha256)])
    champion = pool.replay(gate, [*others, *before]) if before else None
    evidence = Evidence(
        ts_us=np.array([step.ts_us for step in gate]),
        in_slice=np.array(slices(plan, candidate, steps)[slice(*snapshot.gate)]),
        without=Outcomes(*without.outcomes()),
        joined=Outcomes(*joined.outcomes()),
        champion=Outcomes(*champion.outcomes()) if champion else None,
    )
    verdict = judge(evidence, settings, opening, plan.settings.learning.seed)
    figures: dict[str, Json] = {"without": {**without.figures()}, "with": {**joined.figures()}}
    return Judged(
        verdict.decision, verdict.reasons, verdict.numbers, gate_set, opening, alpha, figures
    )


def recorder(plan: Plan, base_sha256: str, steps: Sequence[Step], first: int) -> Record:
    """What an adapter on this base says of each step from ``first`` on, before it came."""
    from selflow.lm.base import device_of
    from selflow.lm.loaded import add_adapter, load_base
    from selflow.lm.scoring import score_steps
    from selflow.predict.agents import RecordedExpert

    store = ArtifactStore(plan.root.artifacts)
    loaded = load_base(store.get(base_sha256), device_of(plan.settings.lm.device))

    def record(agent: str, sha256: str) -> RecordedExpert:
        name = f"{agent}-{sha256[:12]}"
        add_adapter(loaded, name, store.get(sha256))
        p, other_p = score_steps(loaded, name, steps, first, len(steps))
        return RecordedExpert(agent, loaded.epoch.labels, p, other_p)

    return record

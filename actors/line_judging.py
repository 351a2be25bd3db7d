"""An agent that completes lines before the gate: the owner's later lines by the pool of text rules,
and by that pool with the agent's parts.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from actors.messages import Judged
from actors.plan import Plan
from selflow.core.clock import SystemClock
from selflow.core.events import SHELL_COMMAND, Json
from selflow.core.steps import Step, event_label
from selflow.store.catalog import Catalog
from selflow.store.records import Opening

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from selflow.core.settings import GateSettings
    from selflow.judge.gate import Outcomes
    from selflow.text.agent import LineAgent, Replayed
    from selflow.text.byte_model import ByteModel
    from selflow.text.examples import OwnLine
    from selflow.text.paired import LineOutcomes


def line_steps(lines: "Sequence[OwnLine]") -> list[Step]:
    """Lines as steps, for whoever splits by time or names a gate set."""
    return [
        Step(line.ts_us, (event_label(SHELL_COMMAND, line.text.decode("utf-8", "replace")),))
        for line in lines
    ]


@dataclass(frozen=True, slots=True)
class GateLook:
    """Who looks at the gate part: the cycle, the artifact, and the catalog that has the ledger."""

    cycle_id: str
    sha256: str
    catalog: Catalog


def judge_lines(
    plan: Plan,
    who: GateLook,
    agent: "LineAgent",
    model: "ByteModel",
    lines: "Sequence[OwnLine]",
) -> Judged:
    """Open the lines that the agent does not know once, and judge it and each of its parts.

    Both sides have learned every line before; each line is judged before it is learned. The pool is
    what completes lines without an agent (``serve.text_state.make_arms``).

    Args:
        plan: The session's.
        who: Whose look it is.
        agent: What is in the artifact.
        model: What the agent stands on.
        lines: The owner's newest lines, oldest first, with those that the agent knows.

    Cost: bench/text.py prints what a line costs; the gate part is judged once by the pool, the
    agent and the agent without each part, and the pool learns the lines before it.
    """
    from selflow.judge.gate import too_few
    from selflow.judge.ledger import OPENINGS, gate_set_id, next_opening

    past = [line for line in lines if agent.knows(line)]
    gate = [line for line in lines if not agent.knows(line)]
    ts_us = np.array([line.ts_us for line in gate], np.int64)
    if reason := too_few(ts_us, np.ones(len(gate), np.bool_), _settings(plan)):
        return Judged("no_verdict", (reason,), {"gate_steps": len(gate)})
    look = who.catalog.verdicts.open_gate(
        partial(next_opening, gate_set_id(line_steps(gate)), ts_us),
        (int(ts_us[0]), int(ts_us[-1])),
        who.sha256,
        who.cycle_id,
        SystemClock().now_us(),
    )
    if look is None:
        reason = f"More than half of the {len(gate):,} gate lines were opened {OPENINGS} times."
        return Judged("no_verdict", (reason,), {"gate_steps": len(gate)})
    return _judged(agent.replay(past, gate, model), ts_us, look, plan)


def _judged(replayed: "Replayed", ts_us: "NDArray[np.int64]", look: Opening, plan: Plan) -> Judged:
    """The verdict on the whole, and what it says of each part."""
    from selflow.judge.gate import Evidence, judge
    from selflow.judge.ledger import alpha_at
    from selflow.judge.parts import judge_parts

    settings, seed = _settings(plan), plan.settings.learning.seed
    alpha = alpha_at(settings, look.opening)
    pool, whole = replayed.pool, replayed.whole
    in_slice = np.ones(len(ts_us), np.bool_)
    evidence = Evidence(ts_us, in_slice, _outcomes(pool), _outcomes(whole))
    verdict = judge(evidence, settings, look.opening, seed)
    without_bits = {name: part.bits for name, part in replayed.without.items()}
    parts = judge_parts(ts_us, whole.bits, without_bits, settings, alpha, seed)
    figures: dict[str, Json] = {
        "parts": {name: asdict(part) for name, part in parts.items()},
        "lines": {
            "pool": _figures(pool),
            "agent": _figures(whole),
            **{f"agent without {name}": _figures(part) for name, part in replayed.without.items()},
        },
    }
    return Judged(
        verdict.decision,
        verdict.reasons,
        verdict.numbers,
        look.gate_set,
        look.opening,
        alpha,
        figures,
    )


def _settings(plan: Plan) -> "GateSettings":
    """The gate's, with the least number of lines: a line has ten times the bits of a step."""
    gate = plan.settings.gate
    return gate.model_copy(update={"min_events": gate.min_lines})


def _outcomes(line_outcomes: "LineOutcomes") -> "Outcomes":
    from selflow.judge.gate import Outcomes

    return Outcomes(
        line_outcomes.bits,
        line_outcomes.hit_at_5,
        line_outcomes.confidence,
        line_outcomes.outcome,
    )


def _figures(line_outcomes: "LineOutcomes") -> dict[str, Json]:
    return {
        "lines": len(line_outcomes.bits),
        "bits_per_line": float(line_outcomes.bits.mean()),
        "hit@1": float(line_outcomes.outcome.mean()),
        "hit@5": float(line_outcomes.hit_at_5.mean()),
    }

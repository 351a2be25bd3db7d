"""An agent that completes lines before the gate: the owner's later lines by the pool of text rules,
and by that pool with the agent's parts.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

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


_NO_PLACE = "Its adapter did not earn its place beside the base."


def line_steps(lines: "Sequence[OwnLine]") -> list[Step]:
    """Lines as steps, for whoever splits by time or names a gate set."""
    return [
        Step(line.ts_us, (event_label(SHELL_COMMAND, line.text.decode("utf-8", "replace")),))
        for line in lines
    ]


def lacking_later_lines(serving: "LineAgent", gate: "Sequence[OwnLine]") -> str:
    """Why no successor is grown; empty once every line of the gate part came after the serving
    version was judged, so that it is chosen by what neither it nor its verdict has seen.
    """
    known = sum(line.seq <= serving.watermark_seq for line in gate)
    return f"{known:,} more lines since the serving version" if known else ""


@dataclass(frozen=True, slots=True)
class GateLook:
    """Who looks at the gate part: the cycle, the artifact, and the catalog that has the ledger."""

    cycle_id: str
    sha256: str
    catalog: Catalog

    def open(self, gate: "Sequence[OwnLine]") -> Opening | None:
        """Enter it in the ledger before any loss is computed; None if the lines have retired."""
        from selflow.judge.ledger import gate_set_id, next_opening

        ts_us = np.array([line.ts_us for line in gate], np.int64)
        return self.catalog.verdicts.open_gate(
            partial(next_opening, gate_set_id(line_steps(gate)), ts_us),
            (int(ts_us[0]), int(ts_us[-1])),
            self.sha256,
            self.cycle_id,
            SystemClock().now_us(),
        )


@dataclass(frozen=True, slots=True)
class LineCandidate:
    """An agent of lines that may come, and the same with an adapter of its model, if there is one;
    both know the same lines.
    """

    agent: "LineAgent"
    adapted: "LineAgent | None"
    sha256: str
    """The artifact of ``agent``."""
    adapted_sha256: str
    serving: "LineAgent | None" = None
    """The version that serves: what has to be beaten, where there is one."""

    @property
    def whole_sha256(self) -> str:
        """The artifact that has all parts."""
        return self.adapted_sha256 or self.sha256


def judge_lines(
    plan: Plan,
    who: GateLook,
    candidate: LineCandidate,
    model: "ByteModel",
    lines: "Sequence[OwnLine]",
) -> Judged:
    """Open the lines that the agent does not know once, and judge it and each of its parts.

    Both sides have learned every line before; each line is judged before it is learned. The pool is
    what completes lines without an agent (``serve.text_state.make_arms``). The adapter is asked
    last, and only for a place in an agent that has passed without it (decision 0035): one that
    does not earn it is left out, and the agent serves without. Where a version serves, that is the
    other side in the pool's place, and the candidate is asked as it would serve (decision 0040); if
    its adapter earns no place, once more without it, which is a further look (decision 0047).

    Args:
        plan: The session's.
        who: Whose look it is.
        candidate: What is in the artifacts.
        model: What the agent stands on.
        lines: The owner's newest lines, oldest first, with those that the agent knows.

    Cost: bench/text.py prints what a line costs; the gate part is judged once by the pool, the
    agent, the agent with its adapter and without each other part, and the pool learns the lines
    before it.
    """
    from selflow.judge.gate import too_few
    from selflow.judge.ledger import OPENINGS

    agent = candidate.agent
    past = [line for line in lines if agent.knows(line)]
    gate = [line for line in lines if not agent.knows(line)]
    ts_us = np.array([line.ts_us for line in gate], np.int64)
    if reason := too_few(ts_us, np.ones(len(gate), np.bool_), _settings(plan)):
        return Judged("no_verdict", (reason,), {"gate_steps": len(gate)})
    look = who.open(gate)
    if look is None:
        reason = f"More than half of the {len(gate):,} gate lines were opened {OPENINGS} times."
        return Judged("no_verdict", (reason,), {"gate_steps": len(gate)})
    bench = _GateBench(ts_us, look, _settings(plan), plan.settings.learning.seed)
    replayed = agent.replay(past, gate, model)
    if candidate.serving is not None:
        serving = candidate.serving.go_on(lines, agent.upto_us, model).outcomes(gate, model)
        replayed = replace(replayed, serving=serving)
    if candidate.adapted is None:
        return bench.judge(replayed, candidate.sha256)
    adapted = replace(replayed, whole=candidate.adapted.outcomes(gate, model))
    if candidate.serving is not None:
        again = replace(who, sha256=candidate.sha256)
        return bench.succeed(replayed, adapted, candidate, partial(again.open, gate))
    judged = bench.judge(replayed, candidate.sha256)
    return bench.with_adapter(judged, replayed, adapted, candidate.adapted_sha256)


@dataclass(frozen=True, slots=True)
class _GateBench:
    """The gate's demands on one opening of lines."""

    ts_us: "NDArray[np.int64]"
    look: Opening
    settings: "GateSettings"
    seed: int

    def judge(self, replayed: "Replayed", sha256: str) -> Judged:
        """The verdict on a whole, and what it says of each part."""
        from selflow.judge.gate import Evidence, judge

        in_slice = np.ones(len(self.ts_us), np.bool_)
        before, whole = _outcomes(replayed.serving or replayed.pool), _outcomes(replayed.whole)
        evidence = Evidence(self.ts_us, in_slice, before, whole)
        verdict = judge(evidence, self.settings, self.look.opening, self.seed)
        figures: dict[str, Json] = {
            "parts": self._parts(replayed.whole, replayed.without),
            "lines": {
                "pool": _figures(replayed.pool),
                "agent": _figures(replayed.whole),
                **({"serving": _figures(replayed.serving)} if replayed.serving else {}),
                **{
                    f"agent without {name}": _figures(part)
                    for name, part in replayed.without.items()
                },
            },
        }
        return Judged(
            verdict.decision,
            verdict.reasons,
            verdict.numbers,
            self.look.gate_set,
            self.look.opening,
            self._alpha,
            figures,
            sha256,
        )

    def with_adapter(
        self, judged: Judged, replayed: "Replayed", adapted: "Replayed", sha256: str
    ) -> Judged:
        """The verdict on the agent with its adapter, where the agent has passed without it and the
        adapter earns its place there; else that on the agent without, with the adapter's figures.
        """
        adapter = self._parts(adapted.whole, {"adapter": replayed.whole})
        if judged.decision == "passed" and adapter["adapter"]["is_met"]:
            whole = self.judge(_with_part(adapted, replayed.whole), sha256)
            if whole.decision == "passed":
                return whole
        return _left_out(judged, adapter, adapted.whole)

    def succeed(
        self,
        replayed: "Replayed",
        adapted: "Replayed",
        candidate: LineCandidate,
        look_again: Callable[[], Opening | None],
    ) -> Judged:
        """The verdict on an agent with its adapter in the place of a version that serves, which may
        have one too: it has to beat that one, and its adapter to earn its place. If the adapter
        earns none, that on the agent without it, at the level of one more look.
        """
        whole = self.judge(_with_part(adapted, replayed.whole), candidate.adapted_sha256)
        parts: Any = whole.figures["parts"]
        if parts["adapter"]["is_met"]:
            return whole
        look = look_again()
        if look is None:
            return replace(whole, decision="rejected", reasons=(_NO_PLACE,))
        without = replace(self, look=look).judge(replayed, candidate.sha256)
        return _left_out(without, {"adapter": parts["adapter"]}, adapted.whole)

    def _parts(
        self, whole: "LineOutcomes", without: Mapping[str, "LineOutcomes"]
    ) -> dict[str, Any]:
        from selflow.judge.parts import judge_parts

        bits = {name: part.bits for name, part in without.items()}
        verdicts = judge_parts(self.ts_us, whole.bits, bits, self.settings, self._alpha, self.seed)
        return {name: asdict(verdict) for name, verdict in verdicts.items()}

    @property
    def _alpha(self) -> float:
        from selflow.judge.ledger import alpha_at

        return alpha_at(self.settings, self.look.opening)


def _left_out(judged: Judged, adapter: Mapping[str, Json], adapted: "LineOutcomes") -> Judged:
    """The verdict on an agent without its adapter, with the adapter's figures."""
    lines: Any = judged.figures["lines"]
    parts: Any = judged.figures["parts"]
    figures: dict[str, Json] = {
        "parts": {**parts, **adapter},
        "lines": {**lines, "agent with adapter": _figures(adapted)},
    }
    return replace(judged, figures=figures)


def _with_part(adapted: "Replayed", without: "LineOutcomes") -> "Replayed":
    return replace(adapted, without={**adapted.without, "adapter": without})


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

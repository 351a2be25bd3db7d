"""The two controls of the gate: where an agent can help it must pass, and on the same stream
shuffled it must fail.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from selflow.core.clock import SystemClock
from selflow.core.settings import GateSettings, LmSettings, LoraSettings
from selflow.core.steps import Step
from selflow.judge.gate import Evidence, Outcomes, Verdict, judge
from selflow.judge.splits import split_by_time
from selflow.lm.base import grow_tiny
from selflow.lm.data import AgentData
from selflow.lm.loaded import add_adapter, load_base
from selflow.lm.lora import LoraRun
from selflow.lm.scoring import score_steps
from selflow.predict.agents import RecordedExpert
from selflow.predict.paired import PairedBaseline
from tests.lm.worlds import planted_steps, shuffled_targets

STEPS = 4_300
EPOCHS = 4


def verdict_on(steps: Sequence[Step], folder: Path) -> Verdict:
    """Base and adapter from the train part, settings from the tune part, judged on the gate
    part.
    """
    split = split_by_time(steps)
    base = folder / "base"
    settings = LmSettings(base_epochs=EPOCHS)
    grow_tiny(steps[slice(*split.train)], settings, 7, base, SystemClock(), lambda _done, _of: None)
    data = AgentData(steps[: split.tune[1]], range(*split.train), range(*split.tune))
    run = LoraRun(base, data, LoraSettings(), {}, 7, "cpu")
    run.advance(1.0)
    run.export(folder / "adapter")
    loaded = load_base(base)
    add_adapter(loaded, "agent", folder / "adapter")
    first = split.gate[0]
    p, other_p = score_steps(loaded, "agent", steps, first, len(steps))
    pool = PairedBaseline.learn(steps[:first])
    without = pool.replay(steps[first:])
    joined = pool.replay(steps[first:], [RecordedExpert("agent", loaded.epoch.labels, p, other_p)])
    moments = np.array([step.ts_us for step in steps[first:]])
    everywhere = np.ones(len(moments), dtype=bool)
    evidence = Evidence(
        moments, everywhere, Outcomes(*without.outcomes()), Outcomes(*joined.outcomes())
    )
    return judge(evidence, GateSettings(), 1, 7)


@pytest.mark.parametrize(("stream", "decision"), [(list, "passed"), (shuffled_targets, "rejected")])
def test_the_gate_knows_an_agent_that_helps_from_one_that_cannot(
    stream: object, decision: str, tmp_path: Path
) -> None:
    steps = planted_steps(STEPS, seed=7)
    given = steps if stream is list else shuffled_targets(steps, seed=3)

    verdict = verdict_on(given, tmp_path)

    assert verdict.decision == decision, verdict.reasons

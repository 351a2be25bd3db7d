"""The stages of a cycle that grow and judge the agent of the shell's lines; like those of
``actors/stages.py``.
"""

from typing import TYPE_CHECKING

import ray

from actors.buffer import BufferLink
from actors.messages import Judged, StageRequest, StageResult
from actors.stages import READ_EVENTS, keep_artifact, requested_candidate, step_back, store_of

if TYPE_CHECKING:
    from selflow.text.examples import OwnLine

MAX_LINES = 4_000
"""The newest lines that an agent is grown from and judged on: minutes of one core."""


@ray.remote(num_cpus=1, max_retries=1, max_calls=1)
def read_lines(upto_seq: int) -> "list[OwnLine]":
    """The shell's newest lines up to a watermark, oldest first."""
    from collections import deque

    from selflow.text.examples import SHELL, own_line

    step_back()
    feed, cursor, lines = BufferLink(), 0, deque["OwnLine"](maxlen=MAX_LINES)
    while cursor < upto_seq and (events := feed.read(cursor, min(READ_EVENTS, upto_seq - cursor))):
        cursor = events[-1].seq
        for stored in events:
            if (found := own_line(stored)) and found[0] == SHELL:
                lines.append(found[1])
    return sorted(lines, key=lambda line: (line.ts_us, line.seq))


@ray.remote(num_cpus=1, max_retries=1, max_calls=1)
def grow_line_agent(request: StageRequest, lines: "list[OwnLine]", upto_seq: int) -> StageResult:
    """An agent that knows all but the gate part; no artifact where the lines are too few for one,
    or no language model is installed.
    """
    from selflow.text.engine import shipped_base

    from actors.line_judging import line_steps
    from selflow.judge.splits import LEAST_STEPS, split_by_time
    from selflow.text.agent import LineAgent

    step_back()
    base = shipped_base()
    if base is None or len(lines) < LEAST_STEPS:
        return StageResult({"lines": len(lines), "has_model": base is not None})
    gate = split_by_time(line_steps(lines)).gate
    agent = LineAgent.grow(lines, upto_seq, lines[gate[0]].ts_us, base.sha256)
    result = {"lines": len(lines), "learned": agent.lines, "base_sha256": base.sha256}
    return keep_artifact(request, "line-agent", agent.files(), result)


@ray.remote(num_cpus=1, max_retries=1, max_calls=1)
def judge_line_agent(request: StageRequest, lines: "list[OwnLine]") -> Judged:
    """Enter the look in the ledger first, then compare the pool of text rules with the agent."""
    from actors.line_judging import judge_lines
    from selflow.text.agent import LineAgent

    step_back()
    plan, candidate = request.plan, requested_candidate(request)
    agent = LineAgent.load(store_of(plan).get(candidate.adapter_sha256))
    with plan.catalog() as catalog:
        return judge_lines(plan, request.cycle_id, candidate.adapter_sha256, agent, lines, catalog)

"""The stages of a cycle that grow and judge the agent of the shell's lines; like those of
``actors/stages.py``.
"""

from typing import TYPE_CHECKING

import ray

from actors.buffer import BufferLink
from actors.messages import Judged, StageRequest, StageResult
from actors.stages import READ_EVENTS, keep_artifact, requested_candidate, step_back, store_of
from selflow.core.events import Json

if TYPE_CHECKING:
    from selflow.text.examples import OwnLine

MAX_LINES = 2_000
"""The newest lines that an agent is grown from and judged on: three minutes of one core."""


def installed_base_sha256() -> str:
    """The hash of the language model that agents of lines are grown on; empty if there is none."""
    from selflow.core.errors import ArtifactError
    from selflow.text.byte_model import shipped_base

    try:
        return shipped_base().sha256
    except ArtifactError:  # the stage that would grow an agent says so
        return ""


@ray.remote(num_cpus=1, max_retries=1, max_calls=1)
def read_lines(upto_seq: int) -> "list[OwnLine]":
    """The shell's newest lines up to a watermark, oldest first."""
    from collections import deque

    from selflow.text.examples import shell_line

    step_back()
    feed, cursor, lines = BufferLink(), 0, deque["OwnLine"](maxlen=MAX_LINES)
    while cursor < upto_seq and (events := feed.read(cursor, min(READ_EVENTS, upto_seq - cursor))):
        cursor = events[-1].seq
        for stored in events:
            if (line := shell_line(stored)) is not None:
                lines.append(line)
    return sorted(lines, key=lambda line: (line.ts_us, line.seq))


@ray.remote(num_cpus=1, max_retries=1, max_calls=1)
def grow_line_agent(request: StageRequest, lines: "list[OwnLine]", upto_seq: int) -> StageResult:
    """An agent that knows all but the gate part; no artifact where the lines are too few for one,
    or no language model is installed.
    """
    from actors.line_judging import line_steps
    from selflow.core.errors import ArtifactError
    from selflow.judge.splits import LEAST_STEPS, split_by_time
    from selflow.text.agent import LineAgent
    from selflow.text.byte_model import shipped_base

    step_back()
    if len(lines) < LEAST_STEPS:
        return StageResult({"lines": len(lines), "lacking": f"{LEAST_STEPS} lines"})
    try:
        model = shipped_base()
    except ArtifactError as error:
        return StageResult({"lines": len(lines), "lacking": str(error)})
    gate = split_by_time(line_steps(lines)).gate
    agent = LineAgent.grow(lines, upto_seq, lines[gate[0]].ts_us, model)
    result: dict[str, Json] = {
        "lines": len(lines),
        "learned": agent.lines,
        "base_sha256": agent.base_sha256,
    }
    return keep_artifact(request, "line-agent", agent.files(), result)


@ray.remote(num_cpus=1, max_retries=1, max_calls=1)
def judge_line_agent(request: StageRequest, lines: "list[OwnLine]") -> Judged:
    """Enter the look in the ledger first, then compare the pool of text rules with the agent."""
    from actors.line_judging import GateLook, judge_lines
    from selflow.text.agent import LineAgent
    from selflow.text.byte_model import shipped_base

    step_back()
    plan, candidate = request.plan, requested_candidate(request)
    agent = LineAgent.load(store_of(plan).get(candidate.adapter_sha256))
    with plan.catalog() as catalog:
        look = GateLook(request.cycle_id, candidate.adapter_sha256, catalog)
        return judge_lines(plan, look, agent, shipped_base(), lines)

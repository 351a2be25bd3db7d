"""The stages of a cycle that grow, adapt and judge the agents of lines; like those of
``actors/stages.py``.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import ray

from actors.buffer import BufferLink
from actors.messages import Candidate, Failure, Judged, StageRequest, StageResult
from actors.progress import report_trials, run_place
from actors.stages import (
    READ_EVENTS,
    keep_artifact,
    requested_candidate,
    step_back,
    store_of,
    write_files,
)
from selflow.core.errors import ArtifactError, SelFlowError
from selflow.core.events import Json
from selflow.core.surfaces import LINE_SURFACES, LineSurface

if TYPE_CHECKING:
    from selflow.text.agent import LineAgent
    from selflow.text.examples import OwnLine
    from tune.search import SearchResult

MAX_LINES: Mapping[LineSurface, int] = {"shell": 2_000, "commit": 600}
"""The newest lines that an agent is grown from and judged on: three minutes of one core. A message
is five times as long as a command, and each of its keys is a completion to learn from.
"""
LEAST_ADAPTED_LINES = 400
"""With fewer, 40 lines or less would compare the adapters of a search."""


def installed_base_sha256() -> str:
    """The hash of the language model that agents of lines are grown on; empty if there is none."""
    from selflow.text.byte_model import shipped_base

    try:
        return shipped_base().sha256
    except ArtifactError:  # the stage that would grow an agent says so
        return ""


@ray.remote(num_cpus=1, max_retries=1, max_calls=1, num_returns=1 + len(LINE_SURFACES))
def read_lines(upto_seq: int) -> "tuple[dict[LineSurface, int] | list[OwnLine], ...]":
    """How many lines of each surface are taken, and for each of ``LINE_SURFACES`` the newest ones
    up to a watermark, oldest first.
    """
    from collections import deque

    from selflow.text.examples import own_line

    step_back()
    feed, cursor = BufferLink(), 0
    newest = {name: deque["OwnLine"](maxlen=MAX_LINES[name]) for name in LINE_SURFACES}
    while cursor < upto_seq and (events := feed.read(cursor, min(READ_EVENTS, upto_seq - cursor))):
        cursor = events[-1].seq
        for surface, line in filter(None, map(own_line, events)):
            newest[surface].append(line)
    counts = {surface: len(lines) for surface, lines in newest.items()}
    in_order = (sorted(lines, key=lambda line: (line.ts_us, line.seq)) for lines in newest.values())
    return (counts, *in_order)


def lacking_lines(lines: int) -> StageResult | None:
    """Why no agent is grown, if the lines are too few for one."""
    from selflow.judge.splits import LEAST_STEPS

    if lines >= LEAST_STEPS:
        return None
    return StageResult({"lines": lines, "lacking": f"{LEAST_STEPS} lines"})


@ray.remote(num_cpus=1, max_retries=1, max_calls=1)
def grow_line_agent(request: StageRequest, lines: "list[OwnLine]", upto_seq: int) -> StageResult:
    """An agent without an adapter that knows all but the gate part; no artifact where no language
    model is installed, or too little came since the one that serves was judged. What an adapter can
    be searched on stays in the cycle's folder.
    """
    from actors.line_judging import lacking_later_lines, line_steps
    from selflow.judge.splits import split_by_time
    from selflow.text.adapting import LineData
    from selflow.text.agent import LineAgent
    from selflow.text.byte_model import shipped_base

    step_back()
    try:
        model = shipped_base()
    except ArtifactError as error:
        return StageResult({"lines": len(lines), "lacking": str(error)})
    split = split_by_time(line_steps(lines))
    serving = _serving(request)
    if serving and (lacking := lacking_later_lines(serving, lines[slice(*split.gate)])):
        return StageResult({"lines": len(lines), "lacking": lacking})
    before = LineAgent.grow(lines, upto_seq, lines[split.tune[0]].ts_us, model)
    agent = before.go_on(lines, lines[split.gate[0]].ts_us, model)
    result: dict[str, Json] = {
        "lines": len(lines),
        "learned": agent.lines,
        "base_sha256": agent.base_sha256,
    }
    if len(lines) >= LEAST_ADAPTED_LINES:
        train, tune = lines[slice(*split.train)], lines[slice(*split.tune)]
        data = LineData.measure(before.mixer(model), model, train, tune)
        write_files(_folder(request, "before"), before.files())
        write_files(_folder(request, "data"), data.files())
        result["tune_lines"] = len(tune)
    return keep_artifact(request, "line-agent", agent.files(), result)


@ray.remote(num_cpus=0, max_retries=0, max_calls=1)
def adapt_line_agent(request: StageRequest, lines: "list[OwnLine]") -> StageResult | Failure:
    """The agent with the adapter that a search finds; no artifact where none of them saved a bit on
    the tune part, by the mix with it against the mix with the base alone.
    """
    from selflow.text.adapting import LineData
    from selflow.text.byte_model import shipped_base

    step_back()
    try:
        best = _search_adapter(request)
    except SelFlowError as error:
        return Failure(str(error))
    without = LineData.load(_folder(request, "data")).bits(shipped_base())
    result: dict[str, Json] = {
        "tune_bits": best.tune_bits,
        "tune_bits_without": without,
        "config": dict(best.config),
        "trials": [trial.document() for trial in best.trials],
    }
    if best.tune_bits >= without:
        return StageResult(result | {"left_out": "it saved nothing on the tune part"})
    adapted: StageResult = ray.get(go_on_adapted.remote(request, lines, best.folder, result))
    return adapted


@ray.remote(num_cpus=1, max_retries=1, max_calls=1)
def go_on_adapted(
    request: StageRequest, lines: "list[OwnLine]", best: Path, result: Mapping[str, Json]
) -> StageResult:
    """The agent as it was before the tune part, with an adapter from there on: so the mix learns
    how far to trust it by lines that it has not learned.
    """
    from selflow.text.agent import LineAgent
    from selflow.text.byte_model import shipped_base
    from tune.line_run import exported

    step_back()
    without = requested_candidate(request).adapter_sha256
    upto_us = LineAgent.load(store_of(request.plan).get(without)).upto_us
    before = LineAgent.load(_folder(request, "before")).with_adapter(*exported(best))
    agent = replace(before, adapter_learns=request.plan.settings.lm.adapter_learns)
    agent = agent.go_on(lines, upto_us, shipped_base())
    return keep_artifact(request, "line-agent", agent.files(), result, (without,))


def _search_adapter(request: StageRequest) -> "SearchResult":
    from selflow.text.byte_model import BASE
    from tune.line_run import LINE_CHOICES, LINE_PLAN, LINE_RATES, LineRun
    from tune.search import SearchJob, search

    plan, candidate = request.plan, requested_candidate(request)
    data = _folder(request, "data")
    job = SearchJob(
        agent=candidate.agent,
        base=BASE,
        data=data,
        out=request.folder("tune") / candidate.agent,
        lora=plan.settings.lora.model_copy(update=LINE_PLAN),
        tune=plan.settings.tune,
        warm=candidate.warm,
        seed=plan.settings.learning.seed,
        device="cpu",
        has_resources=plan.has_resources,
        gpu_share=0.0,
        make_run=LineRun,
        rates=LINE_RATES,
        choices=LINE_CHOICES | {"start": _write_starts(request, candidate, data)},
        progress=run_place(request, f"adapt:{candidate.agent}"),
    )
    return search(job, report_trials(request, f"adapt:{candidate.agent}"))


def _write_starts(request: StageRequest, candidate: Candidate, data: Path) -> tuple[str, ...]:
    """What an adapter may start from: the base, or that of an agent that serves, unless that one
    knows a line by which adapters are compared.
    """
    from selflow.text.adapter_file import pack_adapter
    from selflow.text.adapting import LineData
    from selflow.text.agent import LineAgent
    from tune.line_run import FROM_BASE, start_file

    names = [FROM_BASE]
    store, compared = store_of(request.plan), LineData.load(data).tune
    with request.plan.catalog() as catalog:
        serving = [one for surface in LINE_SURFACES for one in catalog.agents.champions(surface)]
    for version in serving:
        if version.base_sha256 != candidate.base_sha256:
            continue
        try:
            agent = LineAgent.load(store.get(version.sha256))
        except ArtifactError:  # nothing serves from it either
            continue
        adapter, is_same = agent.adapter, version.agent == candidate.agent
        if adapter is not None and not (is_same and any(map(agent.knows, compared))):
            (data / start_file(version.id)).write_bytes(pack_adapter(adapter))
            names.append(version.id)
    return tuple(names)


@ray.remote(num_cpus=1, max_retries=1, max_calls=1)
def judge_line_agent(request: StageRequest, lines: "list[OwnLine]") -> Judged:
    """Enter the look in the ledger first, then compare the pool of text rules, or the version that
    serves, with the agent.
    """
    from actors.line_judging import GateLook, LineCandidate, judge_lines
    from selflow.text.byte_model import shipped_base

    step_back()
    plan, candidate = request.plan, requested_candidate(request)
    agents = LineCandidate(
        _load(request, candidate.adapter_sha256),
        _load(request, candidate.adapted_sha256) if candidate.adapted_sha256 else None,
        candidate.adapter_sha256,
        candidate.adapted_sha256,
        _serving(request),
    )
    with plan.catalog() as catalog:
        look = GateLook(request.cycle_id, agents.whole_sha256, catalog)
        return judge_lines(plan, look, agents, shipped_base(), lines)


def _serving(request: StageRequest) -> "LineAgent | None":
    """The version that serves, which a candidate has to beat; None too where its artifact cannot be
    read: then the replica cannot serve it either, and says so.
    """
    sha256 = requested_candidate(request).serving_sha256
    try:
        return _load(request, sha256) if sha256 else None
    except ArtifactError:
        return None


def _load(request: StageRequest, sha256: str) -> "LineAgent":
    """An agent as it will serve."""
    from selflow.text.agent import LineAgent

    agent = LineAgent.load(store_of(request.plan).get(sha256))
    return replace(agent, adapter_learns=request.plan.settings.lm.adapter_learns)


def _folder(request: StageRequest, name: str) -> Path:
    return request.folder(requested_candidate(request).agent) / name

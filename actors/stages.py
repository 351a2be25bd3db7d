"""The heavy stages of a cycle, each a Ray task whose process exits and gives its memory back.

Rules and stores are imported inside: whoever only launches these tasks stays light.
"""

from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import ray

from actors.buffer import BufferLink
from actors.messages import Candidate, Failure, Judged, Snapshot, StageRequest, StageResult
from actors.plan import Plan
from actors.progress import report_trials, run_place, shown_steps
from selflow.core.clock import SystemClock
from selflow.core.errors import SelFlowError
from selflow.core.events import Json
from selflow.core.training_steps import StepReport

if TYPE_CHECKING:
    from selflow.store.artifacts import ArtifactStore

READ_EVENTS = 500
_DAY_US = 86_400_000_000


@ray.remote(num_cpus=1, max_retries=1, max_calls=1)
def represent(plan: Plan, upto_seq: int) -> Snapshot:
    """The log up to a watermark as steps, split by time. The same watermark gives the same
    snapshot.
    """
    from selflow.core.steps import Step
    from selflow.judge.splits import split_by_time
    from selflow.predict.steps import StepBuilder, StepTable

    step_back()
    feed, builder, cursor = BufferLink(), StepBuilder(plan.settings.predict.burst_gap_s), 0
    steps: list[Step] = []
    while cursor < upto_seq and (events := feed.read(cursor, min(READ_EVENTS, upto_seq - cursor))):
        cursor = events[-1].seq
        for stored in events:
            steps += builder.feed(stored.event)
    steps = sorted([*steps, *builder.close()], key=lambda step: step.ts_us)
    split = split_by_time(steps)
    days = len({step.ts_us // _DAY_US for step in steps})
    return Snapshot(StepTable.of(steps), cursor, days, split.train, split.tune, split.gate)


@ray.remote(num_cpus=1, max_retries=1, max_calls=1)
def pool_past(plan: Plan, snapshot: Snapshot) -> bytes:
    """The pool after everything before the gate part, without any agent: where every judgement
    starts.
    """
    from actors.judging import baseline

    step_back()
    return baseline(plan, snapshot.table.steps(), snapshot.gate[0]).save()


@ray.remote(num_cpus=1, max_retries=1, max_calls=1)
def find_patterns(request: StageRequest, snapshot: Snapshot) -> StageResult:
    """Cluster the train part; the null data sets are shared with one task per further core: a
    process costs more than a data set.
    """
    from actors.pattern_history import conclude_with_history
    from selflow.discover.discover import cluster, null_numbers, null_score
    from selflow.discover.usual import fit_usual

    step_back()
    plan = request.plan
    section, seed = plan.settings.discover, plan.settings.learning.seed
    steps = snapshot.table.steps()[slice(*snapshot.train)]
    with shown_steps(request, "discover") as on_step:
        clustered = cluster(steps, section, seed, lambda done, of: on_step(StepReport(done, of)))
    folder = write_files(request.folder("clustered"), clustered.files())
    resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    numbers, cores = null_numbers(clustered, section), int(resources["CPU"])
    shares = [numbers[first::cores] for first in range(1, min(cores, len(numbers)))]
    refs = [null_sets.remote(folder, share) for share in shares]
    own = [null_score(clustered, number) for number in numbers[::cores]]
    nulls = [*own, *chain.from_iterable(ray.get(refs))]
    files, document = conclude_with_history(plan, request.cycle_id, clustered, nulls, steps)
    # What is usual is measured with later events alone, so all that came before may be known to it
    usual = fit_usual(snapshot.table.steps(), seed)
    if usual is not None:
        files |= usual.files()
    return keep_artifact(request, "cluster-model", files, document)


@ray.remote(num_cpus=1, max_retries=1, max_calls=1)
def null_sets(folder: Path, numbers: range) -> list[Any]:  # NullScores; their module is heavy
    """How much agreement the same procedure finds where there is none."""
    from selflow.discover.discover import Clustered, null_score

    step_back()
    clustered = Clustered.load(folder)
    return [null_score(clustered, number) for number in numbers]


@ray.remote(num_cpus=1, max_retries=1, max_calls=1)
def make_base(request: StageRequest, snapshot: Snapshot, stands_on: str) -> StageResult:
    """The base: the embedded one trained on the train part, or one from this machine fitted
    to it. No artifact where agents stand on a base that the stream has not outgrown.
    """
    from selflow.lm import base as bases

    step_back()
    plan, out = request.plan, request.folder("base")
    section, seed, clock = plan.settings.lm, plan.settings.learning.seed, SystemClock()
    steps = snapshot.table.steps()[slice(*snapshot.train)]
    if stands_on:
        unknown = bases.unknown_fraction(store_of(plan).get(stands_on), steps)
        if unknown <= bases.OUTGROWN_FRACTION:
            return StageResult({"kept": stands_on, "unknown_fraction": unknown})
    source = bases.resolve_base(section.base)
    with shown_steps(request, "base") as on_step:
        if source is None:
            base = bases.grow_tiny(steps, section, seed, out, clock, on_step)
        else:
            base = bases.adopt(source, steps, section, seed, out, clock, on_step)
    return keep_artifact(request, "base", out, base.document())


@ray.remote(num_cpus=0, max_retries=0, max_calls=1)
def grow_agent(request: StageRequest, snapshot: Snapshot) -> StageResult | Failure:
    """Search the settings of one agent with Ray Tune; the best adapter becomes an artifact."""
    from actors.judging import slices
    from selflow.lm.data import AgentData, select_targets
    from tune.search import SearchJob, search

    step_back()
    plan, candidate = request.plan, requested_candidate(request)
    settings, store = plan.settings, store_of(plan)
    steps = snapshot.table.steps()[: snapshot.tune[1]]
    is_own = slices(plan, candidate, steps)
    train, tune = select_targets(is_own, snapshot.train, snapshot.tune, settings.learning.seed)
    data = request.folder("data") / f"{candidate.agent}.msgpack"
    data.parent.mkdir(parents=True, exist_ok=True)
    AgentData(steps, train, tune).save(data)
    job = SearchJob(
        agent=candidate.agent,
        base=store.get(candidate.base_sha256),
        data=data,
        out=request.folder("tune") / candidate.agent,
        lora=settings.lora,
        tune=settings.tune,
        device=settings.lm.device,
        warm=candidate.warm,
        seed=settings.learning.seed,
        has_resources=plan.has_resources,
        gpu_share=plan.gpu_share,
        progress=run_place(request, f"grow:{candidate.agent}"),
    )
    try:
        best = search(job, report_trials(request, f"grow:{candidate.agent}"))
    except SelFlowError as error:
        return Failure(str(error))
    result: dict[str, Json] = {
        "tune_bits": best.tune_bits,
        "config": dict(best.config),
        "trials": [trial.document() for trial in best.trials],
        "train_steps": len(train),
        "tune_steps": len(tune),
    }
    return keep_artifact(
        request, "adapter", best.folder, result, (candidate.base_sha256, candidate.model_sha256)
    )


@ray.remote(num_cpus=1, max_retries=1, max_calls=1)
def judge_candidate(request: StageRequest, snapshot: Snapshot, past: bytes) -> Judged:
    """Open the gate part once, enter that in the ledger first, and compare the pool with and
    without the candidate.
    """
    from actors.judging import judge_on_gate, recorder

    step_back()
    plan, candidate = request.plan, requested_candidate(request)
    record = recorder(plan, snapshot.table.steps())
    with plan.catalog() as catalog:
        return judge_on_gate(plan, request.cycle_id, candidate, snapshot, past, catalog, record)


def requested_candidate(request: StageRequest) -> Candidate:
    """The candidate of a request that is about one."""
    if request.candidate is None:
        raise SelFlowError
    return request.candidate


def store_of(plan: Plan) -> "ArtifactStore":
    """The session's artifacts."""
    from selflow.store.artifacts import ArtifactStore

    return ArtifactStore(plan.root.artifacts)


def step_back() -> None:
    """Learning yields to everything else on the machine."""
    psutil.Process().nice(19)


def keep_artifact(
    request: StageRequest,
    kind: str,
    content: Mapping[str, bytes] | Path,
    result: Mapping[str, Json],
    parents: tuple[str, ...] = (),
) -> StageResult:
    """Keep what a stage made as an artifact."""
    store = store_of(request.plan)
    sha256 = store.put(content)
    size_bytes = sum(path.stat().st_size for path in store.get(sha256).rglob("*") if path.is_file())
    return StageResult(result, sha256, size_bytes, kind, parents)


def write_files(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Write files into a folder of a cycle, for a later stage of it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder

"""One learning cycle: the task that owns its refs, and journals every stage so that another life
goes on with it.
"""

import logging
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import ray
from ray.exceptions import RayActorError, RayError, RayTaskError, WorkerCrashedError

from actors.launchers import ClustererShell, EvaluatorShell, TrainerShell
from actors.line_agents import (
    LEAST_ADAPTED_LINES,
    installed_base_sha256,
    lacking_lines,
    read_lines,
)
from actors.messages import (
    Candidate,
    Failure,
    Judged,
    Snapshot,
    StageRequest,
    StageResult,
    waiting_candidate,
)
from actors.plan import Plan
from actors.shell import ServiceRef, cause_of
from actors.stages import pool_past, represent
from selflow.core.clock import Clock, SystemClock
from selflow.core.errors import NotRunningError, SelFlowError, StoreError, public_text
from selflow.core.events import Json
from selflow.core.surfaces import LINE_AGENTS, LINE_SURFACES, SURFACES, LineSurface, Surface
from selflow.discover.candidates import choose_patterns, why_retire
from selflow.discover.trigger import lacking
from selflow.store.artifacts import ArtifactStore
from selflow.store.catalog import Catalog
from selflow.store.cycles import End
from selflow.store.records import Artifact, Cycle, Parent, Verdict
from tune.leftovers import release_leftovers

MAX_CALLS = 5
"""A service that dies while it works is called again so often; the supervisor recreates it
meanwhile.
"""
PATIENCE_S = 180.0
"""How long to wait for a service that is unavailable."""
_POLL_S = 0.2
_log = logging.getLogger(__name__)
_CLUSTERER = ServiceRef("clusterer", ClustererShell)
_TRAINER = ServiceRef("trainer", TrainerShell)
_EVALUATOR = ServiceRef("evaluator", EvaluatorShell)


@ray.remote(num_cpus=0, max_retries=0, max_calls=1)
def run_cycle(plan: Plan, cycle: Cycle) -> None:
    """Run a cycle from its last finished stage on, and write down how it ended."""
    clock = SystemClock()
    if cycle.attempts == 1:  # in a later life of it a search may be at work, and is joined
        release_leftovers()
    catalog = plan.catalog()
    try:
        lacks = LearningCycle(plan, cycle, catalog, clock).run()
    except (SelFlowError, RayTaskError) as error:
        catalog.cycles.finish(cycle.id, "failed", _failure_text(error), clock.now_us())
    else:
        end: End = "skipped" if lacks else "done"
        catalog.cycles.finish(cycle.id, end, "; ".join(lacks), clock.now_us())
    finally:
        catalog.close()
    shutil.rmtree(plan.root.work / cycle.id, ignore_errors=True)


class LearningCycle:
    """The stages in their order. What a finished stage made is read from the journal, never made
    again.
    """

    def __init__(self, plan: Plan, cycle: Cycle, catalog: Catalog, clock: Clock) -> None:
        self._plan = plan
        self._cycle = cycle
        self._catalog = catalog
        self._clock = clock

    def run(self) -> tuple[str, ...]:
        """From the snapshot to the roster; returns what was lacking, empty if it ran to its end.

        Raises:
            SelFlowError: The cycle cannot go on.
        """
        upto_seq = self._cycle.upto_seq or 0
        snapshot = represent.remote(self._plan, upto_seq)
        lacks = self._lacks(ray.get(snapshot))
        if lacks:
            return lacks
        past = pool_past.remote(self._plan, snapshot)
        discovery = self._stage("discover", lambda: self._ask(_CLUSTERER, "discover", (snapshot,)))
        base_sha256 = self._base(snapshot)
        ids = self._catalog.patterns.record(
            self._cycle.id,
            _patterns(discovery),
            self._clock.now_us(),
            parts=discovery["parts"],
            transitions=discovery["transitions"],
        )
        self._retire_vanished()
        self._judge_waiting(base_sha256, snapshot, past)
        serving = {champion.agent for champion in self._catalog.agents.champions()}
        hidden = self._catalog.patterns.hidden()
        visible = [item for item in _patterns(discovery) if item["name"] not in hidden]
        for pattern in choose_patterns(visible, serving, self._plan.settings.learning):
            candidate = self._candidate(
                pattern, ids[pattern["name"]], discovery["artifact"], base_sha256
            )
            self._grow_and_judge(candidate, snapshot, past)
        self._grow_line_agents(upto_seq)
        agents = self._catalog.agents
        serving_ids: Json = [one.id for name in SURFACES for one in agents.champions(name)]
        self._stage("serve", lambda: StageResult({"champions": serving_ids}))
        self._sweep()
        return ()

    def _lacks(self, snapshot: Snapshot) -> tuple[str, ...]:
        """A cycle that nobody asked for goes on only with events of enough kinds and days."""
        labels, days = len(snapshot.table.labels), snapshot.days
        is_asked = self._cycle.trigger == "owner"
        lacks = () if is_asked else lacking(labels, days, self._plan.settings.buffer)
        numbers: dict[str, Json] = {**snapshot.document(), "lacking": list(lacks)}
        self._stage("represent", lambda: StageResult(numbers))
        return lacks

    def _base(self, snapshot: Any) -> str:  # noqa: ANN401  (a ref)
        """The base of this cycle. While agents serve, the one they stand on stays until the stream
        has outgrown it; then they serve on it until their successors on the new one have passed.
        """
        current, champions = self._catalog.bases.current(), self._catalog.agents.champions()
        stands_on = current.sha256 if current is not None and champions else ""
        if stands_on and {champion.base_sha256 for champion in champions} != {stands_on}:
            waits: dict[str, Json] = {"kept_for": [champion.id for champion in champions]}
            result = self._stage("base", lambda: StageResult(waits))
        else:
            result = self._stage("base", lambda: self._ask(_TRAINER, "base", (snapshot, stands_on)))
        if result["artifact"] is None:
            return stands_on
        sha256: str = result["artifact"]
        self._catalog.bases.adopt(sha256, str(result["name"]), self._cycle.id, self._clock.now_us())
        return sha256

    def _candidate(
        self, pattern: Mapping[str, Any], pattern_id: str, model: str, base_sha256: str
    ) -> Candidate:
        name = str(pattern["name"])
        won = self._catalog.trials.winners(name)
        return Candidate(name, pattern_id, int(pattern["number"]), model, base_sha256, tuple(won))

    def _grow_and_judge(self, candidate: Candidate, snapshot: Any, past: Any) -> None:  # noqa: ANN401  (refs)
        grown = self._stage(
            f"grow:{candidate.agent}",
            lambda: self._ask(_TRAINER, "grow", (snapshot,), candidate),
            candidate,
        )
        if "failed" in grown:
            return
        ready = Candidate(
            candidate.agent,
            candidate.pattern_id,
            candidate.number,
            candidate.model_sha256,
            candidate.base_sha256,
            adapter_sha256=grown["artifact"],
        )
        self._judge(ready, f"judge:{candidate.agent}", "judge", (snapshot, past))

    def _grow_line_agents(self, upto_seq: int) -> None:
        """The agents of lines; where one on the installed language model serves, its successor."""
        installed = installed_base_sha256()
        read: Any = read_lines.remote(upto_seq)  # one ref for each value
        counts, *refs = read
        for surface, lines in zip(LINE_SURFACES, refs, strict=True):
            champions = self._catalog.agents.champions(surface)
            serving = next((one.sha256 for one in champions if one.base_sha256 == installed), "")
            ready = Candidate(LINE_AGENTS[surface], None, -1, "", "", serving_sha256=serving)
            self._grow_lines(surface, lines, ray.get(counts)[surface], upto_seq, ready)

    def _grow_lines(
        self,
        surface: LineSurface,
        lines: Any,  # noqa: ANN401  (a ref)
        count: int,
        upto_seq: int,
        ready: Candidate,
    ) -> None:
        """The agent of a surface, with an adapter too where there is enough to search one; the gate
        says which of the two serves.
        """
        name, lacking = ready.agent, lacking_lines(count)
        grown = self._stage(
            f"grow:{name}",
            lambda: lacking or self._ask(_TRAINER, "grow_lines", (lines, upto_seq), ready),
        )
        if grown["artifact"] is None:
            return
        ready = replace(ready, base_sha256=grown["base_sha256"], adapter_sha256=grown["artifact"])
        if count >= LEAST_ADAPTED_LINES:
            warm = tuple(self._catalog.trials.winners(name))
            wanted = replace(ready, warm=warm)
            adapted = self._stage(
                f"adapt:{name}",
                lambda: self._ask(_TRAINER, "adapt_lines", (lines,), wanted),
                wanted,
            )
            ready = replace(ready, adapted_sha256=adapted["artifact"] or "")
        self._judge(ready, f"judge:{name}", "judge_lines", (lines,), surface)
        self._drop_unjudged({ready.adapter_sha256, ready.adapted_sha256} - {""})

    def _drop_unjudged(self, artifacts: set[str]) -> None:
        """Remove those that no version is known by."""
        known = {version.sha256 for version in self._catalog.agents.versions()}
        for sha256 in artifacts - known:
            ArtifactStore(self._plan.root.artifacts).remove(sha256)

    def _retire_vanished(self) -> None:
        """Agents whose patterns are gone serve no longer."""
        absences, parts = self._catalog.patterns.absences(), self._catalog.patterns.parts()
        for champion in self._catalog.agents.champions():
            missed = absences.get(champion.pattern_id or "", 0)
            reason = why_retire(champion.agent, missed, parts)
            if reason:
                self._catalog.agents.retire(champion.agent, self._clock.now_us(), "cycle", reason)

    def _judge_waiting(self, base_sha256: str, snapshot: Any, past: Any) -> None:  # noqa: ANN401  (refs)
        """Judge the versions that got no verdict in an earlier cycle, by what has come since."""
        parts = self._catalog.patterns.parts()
        for version in self._catalog.agents.waiting():
            is_ours = version.cycle_id == self._cycle.id or version.agent in parts
            if version.base_sha256 == base_sha256 and not is_ours:
                discovery = self._catalog.cycles.stage(version.cycle_id, "discover")
                split = self._catalog.cycles.stage(version.cycle_id, "represent")
                candidate = waiting_candidate(version, discovery, split)
                if candidate is not None:
                    self._judge(candidate, f"judge:{version.id}", "judge", (snapshot, past))

    def _judge(
        self,
        ready: Candidate,
        name: str,
        method: str,
        refs: tuple[Any, ...],
        surface: Surface = "next",
    ) -> None:
        if self._catalog.cycles.stage(self._cycle.id, name) is None:
            self._catalog.cycles.progress(self._cycle.id, name, 0.0, self._clock.now_us())
            judged: Judged = self._ask(_EVALUATOR, method, refs, ready)
            self._register(ready, judged, name, surface)

    def _register(self, candidate: Candidate, judged: Judged, stage: str, surface: Surface) -> None:
        """Verdict, version, promotion and journal entry, in one transaction."""
        now_us = self._clock.now_us()
        self._catalog.agents.register(
            agent=candidate.agent,
            sha256=judged.sha256 or candidate.adapter_sha256,
            base_sha256=candidate.base_sha256,
            pattern_id=candidate.pattern_id,
            cycle_id=self._cycle.id,
            verdict=Verdict(
                judged.decision,
                judged.reasons,
                {**judged.numbers, **judged.figures},
                judged.gate_set,
                judged.opening,
                judged.alpha,
            ),
            stage=stage,
            now_us=now_us,
            surface=surface,
        )

    def _ask(
        self,
        service: ServiceRef[Any],
        method: str,
        refs: tuple[Any, ...],
        candidate: Candidate | None = None,
    ) -> Any:  # noqa: ANN401  (what the service answers)
        """One call of a service that may die meanwhile; the work is found again by its key or by
        its folder.
        """
        request = StageRequest(self._plan, self._cycle.id, refs, candidate)
        for _ in range(MAX_CALLS):
            try:
                return ray.get(getattr(self._handle(service), method).remote(request))
            except (RayActorError, RayTaskError) as error:
                if not isinstance(cause_of(error), RayActorError | WorkerCrashedError):
                    raise
                _log.warning("%s died in %s; retrying", service.name, method)
        raise StoreError(
            f"the {service.name} died {MAX_CALLS} times in {method}",
            "see selflow logs; then selflow learn",
        )

    def _stage(
        self,
        name: str,
        make: Callable[[], StageResult | Failure],
        candidate: Candidate | None = None,
    ) -> Any:  # noqa: ANN401
        """The result of a stage: from the journal, or made now and journalled with its artifact."""
        journal = self._catalog.cycles
        done = journal.stage(self._cycle.id, name)
        if done is None:
            journal.progress(self._cycle.id, name, 0.0, self._clock.now_us())
            result = make()
            if isinstance(result, Failure):
                result = StageResult({"failed": result.reason})
            if candidate is not None:
                trials: Any = result.result.get("trials", [])
                self._catalog.trials.record(self._cycle.id, candidate.agent, trials)
            artifact = (
                Artifact(result.sha256, result.kind, result.size_bytes, {})
                if result.sha256
                else None
            )
            parents = [Parent("events", "log", 1, self._cycle.upto_seq or 0)] if artifact else []
            parents += [Parent("artifact", sha256) for sha256 in result.parents]
            done = journal.stage_done(
                self._cycle.id, name, artifact, parents, result.result, self._clock.now_us()
            )
        return {**done.result, "artifact": done.sha256}

    def _handle(self, service: ServiceRef[Any]) -> Any:  # noqa: ANN401  (an actor handle)
        """The service, once the supervisor has recreated it."""
        deadline_s = self._clock.monotonic_s() + PATIENCE_S
        while True:
            try:
                return service.handle()
            except NotRunningError:
                if self._clock.monotonic_s() > deadline_s:
                    raise
                self._clock.sleep(_POLL_S)

    def _sweep(self) -> None:
        store = ArtifactStore(self._plan.root.artifacts)
        for sha256 in self._catalog.agents.surplus():
            store.remove(sha256)


def _patterns(discovery: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list(discovery["patterns"])


def _failure_text(error: BaseException) -> str:
    """For the owner: the words of an error of ours, else the kind of fault; its trace stands in the
    log.
    """
    cause = cause_of(error)
    if isinstance(cause, SelFlowError):
        return public_text(cause)
    _log.error("the cycle failed", exc_info=error)
    return f"{public_text(cause)}; see selflow logs for the traceback"


class CycleRunner:
    """At most one cycle's task, in Ray. For the supervisor's thread."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._task: Any = None

    def start(self, cycle: Cycle) -> None:
        """Run the cycle from its last finished stage on."""
        self._task = run_cycle.remote(self._plan, cycle)

    def outcome(self) -> str | None:
        """None while it runs; then why it failed, empty if it ended or its process died."""
        ready, _ = ray.wait([self._task], timeout=0)
        if not ready:
            return None
        try:
            ray.get(self._task)
        except RayTaskError as error:
            return f"{type(error.cause).__name__} in the cycle; see selflow logs"
        except RayError:
            return ""  # its process died: the cycle is still open and goes on in the next one
        return ""

    def cancel(self) -> None:
        """End it, and with the launchers all that they started; the supervisor recreates them."""
        ray.cancel(self._task, force=True)
        for service in (_CLUSTERER, _TRAINER, _EVALUATOR):
            service.kill()

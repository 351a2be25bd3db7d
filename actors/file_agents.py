"""Agents for a file alone: ``selflow eval stream --agents`` finds this by the entry-point group
``selflow.growers``.

A private Ray and a temporary state root; both are gone afterwards. Nothing that is grown has seen a
step that it is measured on.
"""

import logging
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selflow.core.clock import SystemClock
from selflow.core.config import by_reference
from selflow.core.paths import Root
from selflow.core.settings import Settings
from selflow.core.steps import Step

if TYPE_CHECKING:
    from actors.messages import Candidate, StageRequest
    from actors.plan import Plan
    from selflow.predict.regrowth import Answers, Grown, Growth

Note = Callable[[str], None]


def grow(steps: Sequence[Step], settings: Settings, note: Note) -> "Grown":
    """What agents said of each later step of a stream before it came: each owner's, grown again at
    fixed points from that owner's steps before (``selflow/predict/regrowth.py``), and learning
    online from each step after they said something of it.

    Raises:
        UsageError: Nobody has enough steps. SelFlowError: A base could not be made, or the tasks
        that do it failed.

    Cost: for each owner and growth discovery and a base, minutes for 10,000 steps; one search per
    agent, in whose place later growths train with what won.
    """
    from selflow.predict.regrowth import grow_by_owner

    with (
        tempfile.TemporaryDirectory(prefix="selflow-eval-") as folder,
        _private_ray(Path(folder)) as root,
    ):
        return grow_by_owner(steps, _Grower(root, settings, note))


class _Grower:
    """Grows one owner's agents, each growth in a folder of its own that is then removed."""

    def __init__(self, root: Root, settings: Settings, note: Note) -> None:
        self._root, self._settings, self._note = root, settings, note
        self._won: dict[tuple[int, str], Mapping[str, Any]] = {}
        """By owner and name, the configuration that an earlier growth's search chose."""

    def __call__(self, growth: "Growth") -> "list[Answers]":
        share = f"{growth.first:,} steps"
        of = f"owner {growth.owner + 1} of {growth.owners}, " if growth.owners > 1 else ""
        with tempfile.TemporaryDirectory(dir=self._root.path, prefix="growth-") as folder:
            root = Root(Path(folder), Path(folder))
            root.make()
            plan = self._plan(root)
            return list(self._grow(plan, growth, lambda what: self._note(f"{of}{share}: {what}")))

    def _plan(self, root: Root) -> "Plan":
        import ray

        from actors.plan import Plan, gpu_share

        resources = ray.cluster_resources()  # type: ignore[no-untyped-call]
        share = gpu_share(self._settings, resources)
        settings = by_reference(self._settings)
        return Plan(root, settings, "eval", 0, has_resources=False, gpu_share=share)

    def _grow(self, plan: "Plan", growth: "Growth", note: Note) -> "Iterator[Answers]":
        from actors.messages import Candidate, StageRequest
        from actors.stages import find_patterns, make_base
        from selflow.discover.candidates import choose_patterns

        cycle_id, snapshot = _begin(plan, growth)
        note("finding patterns")
        request = StageRequest(plan, cycle_id)
        discovery = _result(find_patterns.remote(request, snapshot))
        note("training the base")
        base = _result(make_base.options(**plan.accelerated()).remote(request, snapshot, ""))
        patterns: Any = discovery.result["patterns"]
        for pattern in choose_patterns(patterns, (), plan.settings.learning):
            name = str(pattern["name"])
            number = int(pattern["number"])
            candidate = Candidate(name, "", number, discovery.sha256, base.sha256)
            note(f"growing an agent for {name}")
            answers = self._agent(request, candidate, snapshot, growth, note)
            if answers is not None:
                yield answers

    def _agent(
        self,
        request: "StageRequest",
        candidate: "Candidate",
        snapshot: Any,  # noqa: ANN401  (an object ref)
        growth: "Growth",
        note: Note,
    ) -> "Answers | None":
        from actors.messages import Failure
        from actors.stages import grow_agent

        won = self._won.get((growth.owner, candidate.agent))
        if won is not None:
            settings = request.plan.settings
            once = settings.model_copy(
                update={"tune": settings.tune.model_copy(update={"num_samples": 1})}
            )
            request = replace(request, plan=replace(request.plan, settings=once))
            candidate = replace(candidate, warm=(won,))
        result = _result(grow_agent.remote(replace(request, candidate=candidate), snapshot))
        if isinstance(result, Failure):
            note(f"{candidate.agent}: {result.reason}")
            return None
        config: Any = result.result["config"]
        self._won[growth.owner, candidate.agent] = config
        note(f"{candidate.agent} predicts, then learns, {growth.predicted_steps:,} steps")
        grown = replace(candidate, adapter_sha256=result.sha256)
        return _answers(request.plan, grown, growth, float(config["learning_rate"]))


def _begin(plan: "Plan", growth: "Growth") -> tuple[str, Any]:
    """A cycle in the catalog for the stages to report to, and the owner's past as an object ref."""
    import ray

    from actors.messages import Snapshot
    from selflow.judge.splits import split_by_time
    from selflow.predict.steps import StepTable

    past = growth.steps[: growth.first]
    split, n = split_by_time(past), len(past)
    # What the gate would judge on is past too: nobody judges here, the pool's weights do.
    tune = (split.tune[0], n)
    snapshot = ray.put(Snapshot(StepTable.of(past), n, 0, split.train, tune, (n, n)))
    with plan.catalog() as catalog:
        cycle = catalog.cycles.request("owner", SystemClock().now_us())
        catalog.cycles.begin(cycle.id, n, SystemClock().now_us())
    return cycle.id, snapshot


def _answers(plan: "Plan", candidate: "Candidate", growth: "Growth", rate: float) -> "Answers":
    """What a new agent says of each step until the next growth, while it follows its owner."""
    from actors.judging import slices
    from selflow.core.scores import LabelScores
    from selflow.lm.base import device_of
    from selflow.lm.following import follow
    from selflow.lm.loaded import add_adapter, load_base
    from selflow.predict.regrowth import Answers
    from selflow.store.artifacts import ArtifactStore

    store = ArtifactStore(plan.root.artifacts)
    loaded = load_base(store.get(candidate.base_sha256), device_of(plan.settings.lm.device))
    add_adapter(loaded, candidate.agent, store.get(candidate.adapter_sha256))
    is_own = slices(plan, candidate, growth.steps)
    p, other_p = follow(
        loaded,
        candidate.agent,
        growth.steps,
        is_own,
        growth.first,
        learning_rate=rate,
        seed=plan.settings.learning.seed,
    )
    labels = loaded.vocabulary.labels
    said = [LabelScores(labels, *row) for row in zip(p, other_p.tolist(), strict=True)]
    return Answers(candidate.agent, said)


def _result(ref: Any) -> Any:  # noqa: ANN401  (a ref, and what its task returned)
    """What a stage made, or its own error without Ray's wrapping."""
    import ray
    from ray.exceptions import RayTaskError

    from actors.shell import cause_of

    try:
        return ray.get(ref)
    except RayTaskError as error:
        raise cause_of(error) from error


@contextmanager
def _private_ray(folder: Path) -> Iterator[Root]:
    """Ray on loopback for this process alone, with its files in ``folder``."""
    from actors.ray_head import PRIVATE, make_token

    root = Root(folder, folder)
    root.make()
    os.environ.update({**PRIVATE, **make_token(root)})
    import ray

    with redirect_stdout(sys.stderr):  # Ray's own errors do not belong among the data
        ray.init(
            address="local",
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            object_store_memory=100_000_000,
            _temp_dir=str(folder / "ray"),
        )
        try:
            yield root
        finally:
            ray.shutdown()

"""Agents for a file alone: ``selflow eval stream --agents`` finds this by the entry-point group
``selflow.growers``.

A private Ray and a temporary state root; both are gone afterwards. Nothing that is grown has seen a
step that it is measured on.
"""

import logging
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selflow.core.clock import SystemClock
from selflow.core.config import by_reference
from selflow.core.errors import UsageError
from selflow.core.paths import Root
from selflow.core.settings import Settings
from selflow.core.steps import Step

if TYPE_CHECKING:
    from selflow.predict.agents import RecordedExpert

GROWN_FRACTION = 0.5
"""Agents are grown from this part of the stream and measured on the rest."""
Note = Callable[[str], None]


def grow(
    steps: Sequence[Step], settings: Settings, note: Note
) -> "tuple[int, list[RecordedExpert]]":
    """Agents grown from the first half of a stream, and what each says of every later step before
    it came.

    Returns:
        The index of the first step that they are asked for, and one expert per agent.

    Raises:
        UsageError: The stream is one of several users, or too short. SelFlowError: No agent could
        be grown.

    Cost: discovery, a base and a search: minutes for 10,000 steps.
    """
    if any(step.user for step in steps):
        raise UsageError(
            "agents are grown from one person's stream", "leave out --user, or --agents"
        )
    first = int(len(steps) * GROWN_FRACTION)
    with (
        tempfile.TemporaryDirectory(prefix="selflow-eval-") as folder,
        _private_ray(Path(folder)) as root,
    ):
        return first, _grow(root, list(steps), first, settings, note)


def _grow(
    root: Root, steps: list[Step], first: int, settings: Settings, note: Note
) -> "list[RecordedExpert]":
    import ray

    from actors.judging import recorder
    from actors.messages import Candidate, Failure, Snapshot, StageRequest, StageResult
    from actors.plan import Plan, gpu_share
    from actors.stages import find_patterns, grow_agent, make_base
    from selflow.discover.candidates import choose_patterns
    from selflow.judge.splits import split_by_time
    from selflow.predict.steps import StepTable

    resources = ray.cluster_resources()  # type: ignore[no-untyped-call]
    plan = Plan(
        root,
        by_reference(settings),
        "eval",
        0,
        has_resources=False,
        gpu_share=gpu_share(settings, resources),
    )
    past = steps[:first]
    split = split_by_time(past)
    # What the gate would judge on is past too: nobody judges here, the pool's weights do.
    snapshot = ray.put(
        Snapshot(
            StepTable.of(past), len(past), 0, split.train, (split.tune[0], first), (first, first)
        )
    )
    with plan.catalog() as catalog:
        cycle = catalog.cycles.request("owner", SystemClock().now_us())
        catalog.cycles.begin(cycle.id, len(past), SystemClock().now_us())
    note("finding patterns")
    discovery: StageResult = _result(find_patterns.remote(StageRequest(plan, cycle.id), snapshot))
    note("training the base")
    base: StageResult = _result(
        make_base.options(**plan.accelerated()).remote(StageRequest(plan, cycle.id), snapshot, "")
    )
    grown: list[tuple[str, str]] = []
    patterns: Any = discovery.result["patterns"]
    for pattern in choose_patterns(patterns, (), settings.learning):
        name = str(pattern["name"])
        note(f"growing an agent for {name}")
        candidate = Candidate(name, "", int(pattern["number"]), discovery.sha256, base.sha256)
        result = _result(
            grow_agent.remote(StageRequest(plan, cycle.id, candidate=candidate), snapshot)
        )
        if isinstance(result, Failure):
            note(f"{name}: {result.reason}")
        else:
            grown.append((name, result.sha256))
    record = recorder(plan, steps)
    return [record(name, base.sha256, sha256, first) for name, sha256 in grown]


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

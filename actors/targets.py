"""Which steps are an agent's own, and which it learns from."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from actors.messages import Candidate, Snapshot
from actors.plan import Plan
from selflow.core.settings import LearningSettings
from selflow.core.steps import Step
from selflow.store.artifacts import ArtifactStore
from selflow.store.records import AgentVersion, Stage

ANCHORS_FRACTION = 0.15
"""Of an agent's data: steps of other patterns, so that it does not forget them
(docs/learning.md#agents).
"""
LEAST_TUNE_STEPS = 50
"""A pattern with fewer steps in the tune part is tuned on all of it."""


def chosen(
    patterns: Sequence[Mapping[str, Any]], serving: Collection[str], learning: LearningSettings
) -> list[Mapping[str, Any]]:
    """Patterns that get a candidate: first those whose agent serves, then new ones, within the
    owner's limits.
    """
    known = [each for each in patterns if each["name"] in serving]
    fresh = [each for each in patterns if each["name"] not in serving]
    room = max(0, learning.keep_agents - len(serving))
    return [*known, *fresh[: min(learning.new_agents, room)]]


def waiting_candidate(
    version: AgentVersion, found: Stage | None, split: Stage | None
) -> Candidate | None:
    """A version that got no verdict, as a candidate again, by what its own cycle journalled; None
    if that does not hold its pattern.
    """
    patterns: Any = found.result.get("patterns", []) if found else []
    gate_from_us = split.result.get("gate_from_us") if split else None
    number = next((each["number"] for each in patterns if each["name"] == version.agent), None)
    if number is None or found is None or not isinstance(gate_from_us, int):
        return None
    return Candidate(
        version.agent,
        version.pattern_id,
        int(number),
        found.sha256 or "",
        version.base_sha256,
        adapter_sha256=version.sha256,
        gate_from_us=gate_from_us,
    )


def slices(plan: Plan, candidate: Candidate, steps: Sequence[Step]) -> list[bool]:
    """Which steps belong to the candidate's pattern, by what came before each."""
    if candidate.number < 0:
        return [True] * len(steps)
    from selflow.discover.model import ClusterModel

    model = ClusterModel.load(ArtifactStore(plan.root.artifacts).get(candidate.model_sha256))
    return [number == candidate.number for number in model.assign_before(steps).tolist()]


def targets(snapshot: Snapshot, is_own: Sequence[bool], seed: int) -> tuple[list[int], list[int]]:
    """The steps that an agent learns to predict, and those that its settings are chosen by."""
    own = [i for i in range(*snapshot.train) if is_own[i]]
    others = [i for i in range(*snapshot.train) if not is_own[i]]
    wanted = min(len(others), round(len(own) * ANCHORS_FRACTION / (1 - ANCHORS_FRACTION)))
    anchors = (
        np.random.default_rng(seed).choice(len(others), wanted, replace=False).tolist()
        if wanted
        else []
    )
    tune = [i for i in range(*snapshot.tune) if is_own[i]]
    if len(tune) < LEAST_TUNE_STEPS:
        tune = list(range(*snapshot.tune))
    return sorted([*own, *(others[i] for i in anchors)]), tune

"""A cycle's patterns beside those of the cycles before it, and as their owner merged them."""

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from actors.plan import Plan
from selflow.core.errors import ArtifactError
from selflow.core.steps import Step
from selflow.store.artifacts import ArtifactStore

if TYPE_CHECKING:
    from selflow.discover.discover import Clustered, NullScore
    from selflow.discover.identity import Past
    from selflow.discover.model import ClusterModel
    from selflow.discover.naming import Pattern
    from selflow.discover.persistence import Labels
    from selflow.store.records import Stage

SHARED_STEPS = 20_000
"""The newest that the last cycle learned from: on them its model and this one are compared."""
GROUPS_FILE = "clusters-before-merging.npz"
_log = logging.getLogger(__name__)


def conclude_with_history(
    plan: Plan,
    cycle_id: str,
    clustered: "Clustered",
    nulls: "Sequence[NullScore]",
    steps: Sequence[Step],
) -> tuple[dict[str, bytes], dict[str, Any]]:
    """What a cycle found, under the names that it keeps, merged as its owner wants it: the files of
    the model, and the document for the journal.
    """
    from selflow.discover.discover import any_waits_for_cycles, conclude
    from selflow.discover.identity import identify
    from selflow.discover.merging import merge
    from selflow.discover.model import packed

    past, merges = _past(plan, cycle_id, clustered.model, steps)
    identified = identify(clustered.patterns, past)
    patterns, settings = identified.patterns, plan.settings
    min_gate_steps = settings.gate.min_events
    if past.is_empty and any_waits_for_cycles(clustered, settings.discover, min_gate_steps):
        patterns = _alive_in_halves(clustered, patterns)
    named, parts = merge(replace(clustered, patterns=patterns), steps, merges)
    discovery = conclude(named, nulls, settings.discover, min_gate_steps)
    document = {
        **discovery.document(),
        "parts": [asdict(part) for part in parts],
        "transitions": [asdict(transition) for transition in identified.transitions],
    }
    files = {
        **discovery.model.files(),
        **_map_files(named, identified.patterns),
        GROUPS_FILE: packed({"groups": clustered.model.groups}),
        "found.json": json.dumps(document, sort_keys=True).encode(),
    }
    return files, document


def _map_files(named: "Clustered", before: "Sequence[Pattern]") -> dict[str, bytes]:
    """The map for the owner; nothing where nothing was clustered."""
    from selflow.discover.features import stacked
    from selflow.discover.views import map_files

    if named.views is None:
        return {}
    x = (stacked(named.blocks) - named.model.mean) @ named.model.axes
    names, parts = (
        {pattern.number: pattern.name for pattern in own} for own in (named.patterns, before)
    )
    return map_files(x, named.labels, named.views, names, parts)


def _alive_in_halves(
    clustered: "Clustered", patterns: "Sequence[Pattern]"
) -> "tuple[Pattern, ...]":
    """In the first cycle that finds clusters, the halves of its days count as two cycles. Both
    are clustered only where a cluster waits for nothing else: they cost half of a discovery, and
    in the next cycle every cluster that lives on has been found by two.
    """
    from selflow.discover.discover import found_in_halves

    halves = found_in_halves(clustered)
    return tuple(
        replace(pattern, alive_cycles=max(1, halves[pattern.number]))
        if pattern.number >= 0
        else pattern
        for pattern in patterns
    )


def _past(
    plan: Plan, cycle_id: str, model: "ClusterModel", steps: Sequence[Step]
) -> "tuple[Past, dict[str, str]]":
    """The patterns of the last discovery before their owner merged any, the newest steps of it as
    both models assign them, the words of all others that ever were; and the owner's merges.
    """
    from pydantic import TypeAdapter

    from selflow.discover.identity import Past
    from selflow.discover.naming import EVERYTHING, Pattern

    with plan.catalog() as catalog:
        last, words = catalog.patterns.last_discovery(cycle_id), catalog.patterns.words()
        merges = catalog.patterns.merges()
        split = catalog.cycles.stage(last.cycle_id, "represent") if last else None
    items: list[Any] = []
    if last is not None:
        items = [item for item in _items(last, "patterns") if not item["parts"]]
        items += _items(last, "parts")
    patterns = TypeAdapter(list[Pattern]).validate_python(items)
    known = {EVERYTHING, *(pattern.name for pattern in patterns)}
    absent = {name: own for name, own in words.items() if name not in known}
    train: Any = split.result["train"] if split else (0, 0)
    shared = steps[: train[1]][-SHARED_STEPS:]
    before = _labels_before(plan, last, shared) if last and shared else None
    compared = None if before is None else (model.assign_before(shared), before)
    return Past(patterns, compared, absent), merges


def _items(stage: "Stage", name: str) -> list[Any]:
    items: Any = stage.result[name]
    return list(items)


def _labels_before(plan: Plan, last: "Stage", steps: Sequence[Step]) -> "Labels | None":
    """The clusters of these steps by the last cycle's model; None where that is not kept."""
    from selflow.discover.model import ClusterModel, unpacked

    try:
        folder = ArtifactStore(plan.root.artifacts).get(last.sha256 or "")
        groups = unpacked(folder / GROUPS_FILE)["groups"]
        return replace(ClusterModel.load(folder), groups=groups).assign_before(steps)
    except ArtifactError as error:
        _log.warning("the last cycle's model cannot be read; names go by words: %s", error)
        return None

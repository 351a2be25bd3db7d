"""Which patterns get an agent in a cycle."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from selflow.core.settings import LearningSettings


def choose_patterns(
    patterns: Sequence[Mapping[str, Any]], serving: Collection[str], learning: LearningSettings
) -> list[Mapping[str, Any]]:
    """Patterns that get a candidate: first those whose agent serves, then new ones, within the
    owner's limits.
    """
    known = [pattern for pattern in patterns if pattern["name"] in serving]
    new = [pattern for pattern in patterns if pattern["name"] not in serving]
    room = max(0, learning.keep_agents - len(serving))
    return [*known, *new[: min(learning.new_agents, room)]]

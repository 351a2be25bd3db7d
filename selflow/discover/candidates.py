"""Which patterns get an agent in a cycle."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from selflow.core.settings import LearningSettings


def choose_patterns(
    patterns: Sequence[Mapping[str, Any]], serving: Collection[str], learning: LearningSettings
) -> list[Mapping[str, Any]]:
    """Patterns that get a candidate: first those whose agent serves, then new ones that nothing
    speaks against, within the owner's limits.

    An agent that serves gets a successor as long as its pattern is found at all: what grows it must
    be surer than what keeps it.
    """
    known = [pattern for pattern in patterns if pattern["name"] in serving]
    new = [
        pattern for pattern in patterns if pattern["name"] not in serving and not pattern["reason"]
    ]
    room = max(0, learning.keep_agents - len(serving))
    return [*known, *new[: min(learning.new_agents, room)]]

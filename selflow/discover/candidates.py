"""Which patterns get an agent in a cycle, and which lose theirs."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from selflow.core.settings import LearningSettings

MAX_ABSENCES = 3
"""Discoveries in a row that may miss the pattern of an agent that serves."""


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


def why_retire(agent: str, absences: int, parts: Collection[str]) -> str:
    """Why the agent of a pattern serves no longer; empty if it does.

    Args:
        agent: Its name, which is its pattern's.
        absences: In how many discoveries in a row the pattern was not found.
        parts: Patterns that the last one found as parts of another: that has an agent of its own.
    """
    if agent in parts:
        return "its pattern was merged into another"
    if absences >= MAX_ABSENCES:
        return f"its pattern was not found in {MAX_ABSENCES} cycles"
    return ""

"""What the router chooses between: one arm per way to answer, none of which contains another alone.

An agent alone is no arm of predictions: the pool already holds it, weighs it at every step and
is better than any one of its members on the past, so that such an arm only costs answers. What a
choice can show is whether the pool is better off without an agent (decision 0019).
"""

from collections.abc import Mapping

POOL, BASE, MIX = "pool", "base", "mix"
"""``mix`` completes lines of text: one's own bytes, shared text and lines of the past."""
_WITHOUT = "without:"
"""An agent's name holds no colon."""


def prediction_arms(agents: Mapping[str, str]) -> dict[str, str]:
    """The arms of ``POST /v1/predict``, each with its version: the pool of all, and the pool
    without each agent.

    Args:
        agents: The agents of the pool, by name: version.
    """
    return {POOL: ""} | {f"{_WITHOUT}{name}": version for name, version in agents.items()}


def text_arms(base_version: str, agents: Mapping[str, str]) -> dict[str, str]:
    """The arms of a text, each with its version: the base alone, and each agent on it."""
    return {BASE: base_version, **agents}


def left_out(arm: str) -> str | None:
    """Which agent the pool of an arm goes without; None if it is the pool of all."""
    return arm.removeprefix(_WITHOUT) if arm.startswith(_WITHOUT) else None

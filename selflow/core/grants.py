"""What one verified token may do: the words that the catalog stores and the guard checks."""

from dataclasses import dataclass
from typing import Final, Literal

Scope = Literal["view", "operate", "admin"]
OWNER = "owner"
"""Who acts, in the audit log, when a command of the owner's does."""
IMPORT = "import"
"""The kind of consent that an import brings along, and the first part of its batches' source."""
ACTIVITYWATCH = "activitywatch"
"""The kind of consent to what ActivityWatch's watchers send, and the source of its batches."""

COMMITS: Final = "git_commits"
"""The kind of consent to commits; it names the repositories, and `selflow git install --record`
brings it along.
"""


@dataclass(frozen=True, slots=True)
class Grant:
    """What one verified token may do.

    ``only`` narrows the token to some areas (``inference``, ``feedback``, ``metrics``, ...),
    ``sources`` to events of some sources; empty is not a restriction. The owner's own token
    (``is_owner``) has no rate.
    """

    token_id: str
    scope: Scope
    only: frozenset[str] = frozenset()
    is_owner: bool = False
    sources: frozenset[str] = frozenset()

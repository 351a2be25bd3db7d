"""What one verified token may do: the words that the catalog stores and the guard checks."""

from dataclasses import dataclass
from typing import Literal

Scope = Literal["view", "operate", "admin"]


@dataclass(frozen=True, slots=True)
class Grant:
    """What one verified token may do.

    ``only`` narrows the token to some areas (``inference``, ``feedback``, ``metrics``, ...); empty
    is no narrowing. The owner's own token (``is_owner``) has no rate.
    """

    token_id: str
    scope: Scope
    only: frozenset[str] = frozenset()
    is_owner: bool = False

"""What a token may do, by the rows of the catalog. Needs no database: light listeners check too."""

import hashlib
import hmac
from collections.abc import Iterable

from selflow.core.grants import Grant
from selflow.store.records import Token

OWNER_LABEL = "owner"


def secret_sha256(secret: str) -> str:
    """As the catalog keeps it."""
    return hashlib.sha256(secret.encode()).hexdigest()


def grant_of(tokens: Iterable[Token], secret: str, now_us: int) -> Grant | None:
    """What a token may do; None if it is unknown, revoked or expired. Takes the same time for
    each.
    """
    wanted, match = secret_sha256(secret), None
    for token in tokens:
        if hmac.compare_digest(token.secret_sha256, wanted) and token.revoked_at_us is None:
            match = token
    if match is None or (match.expires_at_us is not None and match.expires_at_us <= now_us):
        return None
    return Grant(
        match.id,
        match.scope,
        frozenset(match.only),
        is_owner=match.label == OWNER_LABEL,
        sources=frozenset(match.sources),
    )

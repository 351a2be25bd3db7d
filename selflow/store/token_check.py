"""What a token is and may do, by the rows of the catalog. Needs no database: light listeners make
and check tokens too.
"""

import hashlib
import hmac
from collections.abc import Collection, Iterable
from typing import Any

from selflow.core.clock import rfc3339
from selflow.core.errors import UsageError
from selflow.core.grants import Grant, Scope
from selflow.core.ids import new_id, new_token
from selflow.store.records import Token

OWNER_LABEL = "owner"
SESSION_LABEL = "browser"
"""Of the tokens that stand in a browser's cookie."""
AREAS = ("ingest", "inference", "feedback", "metrics", "mcp")
SCOPES: tuple[Scope, ...] = ("view", "operate", "admin")


def checked_token(
    scope: Scope,
    label: str,
    now_us: int,
    *,
    only: Collection[str] = (),
    sources: Collection[str] = (),
    expires_at_us: int | None = None,
) -> tuple[str, Token]:
    """A new token, not yet stored: the text to show once, and the row to keep.

    Raises:
        UsageError: An unknown scope or area, sources of a token that may do more than ingest,
        a label of ours, or an end that has passed.
    """
    unknown = [area for area in only if area not in AREAS]
    if scope not in SCOPES or unknown:
        raise UsageError(
            f"unknown {'area' if unknown else 'scope'} {(unknown or [scope])[0]!r} for a token",
            f"scopes: {', '.join(SCOPES)}; areas: {', '.join(AREAS)}",
        )
    if sources and set(only) != {"ingest"}:
        # Answers are learned from all sources together: no other route can tell them apart.
        raise UsageError(
            "only a token for ingest can be restricted to sources", "add --only ingest"
        )
    if label in {OWNER_LABEL, SESSION_LABEL}:
        whose = "the owner's own token" if label == OWNER_LABEL else "sessions of browsers"
        raise UsageError(f"the label {label} is reserved for {whose}", "choose another label")
    if expires_at_us is not None and expires_at_us <= now_us:
        raise UsageError("the expiry is in the past", "choose an expiry in the future")
    secret = new_token()
    token = Token(
        new_id("tok"),
        scope,
        sorted(only),
        sorted(sources),
        label,
        now_us,
        expires_at_us,
        None,
        secret_sha256(secret),
    )
    return secret, token


def token_item(token: Token, now_us: int) -> dict[str, Any]:
    """The row as a document with ``state``: valid, revoked or expired."""
    ends_us, state = token.expires_at_us, "valid"
    if token.revoked_at_us is not None:
        state = "revoked"
    elif ends_us is not None and ends_us <= now_us:
        state = "expired"
    return {
        "id": token.id,
        "scope": token.scope,
        "only": list(token.only),
        "sources": list(token.sources),
        "label": token.label,
        "created_at": rfc3339(token.created_at_us),
        "expires_at": None if ends_us is None else rfc3339(ends_us),
        "state": state,
    }


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

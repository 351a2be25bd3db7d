"""Bearer tokens: stored as SHA-256, shown once, compared in constant time."""

import hashlib
import hmac
from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from selflow.core.errors import UsageError
from selflow.core.grants import Grant, Scope
from selflow.core.ids import new_id, new_token
from selflow.store.audit import chain
from selflow.store.database import Database
from selflow.store.records import Token
from selflow.store.tables import tokens

AREAS = ("ingest", "inference", "feedback", "metrics", "mcp")
_SCOPES: tuple[Scope, ...] = ("view", "operate", "admin")
_OWNER = "owner"


class Tokens:
    """Makes, checks and ends tokens; making and ending is audited."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self,
        scope: Scope,
        label: str,
        now_us: int,
        actor: str,
        *,
        only: Collection[str] = (),
        expires_at_us: int | None = None,
    ) -> tuple[str, Token]:
        """A new token: the text to show once, and the row that is kept.

        Raises:
            UsageError: An unknown scope or area, the owner's label, or an end that has passed.
        """
        unknown = [area for area in only if area not in AREAS]
        if scope not in _SCOPES or unknown:
            raise UsageError(
                f"unknown {'area' if unknown else 'scope'} {(unknown or [scope])[0]!r} for a token",
                f"scopes: {', '.join(_SCOPES)}; areas: {', '.join(AREAS)}",
            )
        if label == _OWNER:
            raise UsageError(
                f"the label {_OWNER} is kept for the owner's own token", "choose another label"
            )
        if expires_at_us is not None and expires_at_us <= now_us:
            raise UsageError("the token would end before it begins", "choose an end in the future")
        token = Token(new_id("tok"), scope, tuple(sorted(only)), label, now_us, expires_at_us, None)
        with self._database.write() as connection:
            return _insert(connection, token, actor), token

    def renew_owner(self, now_us: int) -> str:
        """The owner's own admin token, made anew; the one before it ends."""
        token = Token(new_id("tok"), "admin", (), _OWNER, now_us, None, None)
        standing = (tokens.c.label == _OWNER) & tokens.c.revoked_at_us.is_(None)
        with self._database.write() as connection:
            connection.execute(tokens.update().where(standing).values(revoked_at_us=now_us))
            return _insert(connection, token, _OWNER)

    def verify(self, secret: str, now_us: int) -> Grant | None:
        """What the token may do; None if it is unknown, revoked or expired. Takes the same time for
        each.
        """
        wanted, found = _sha256(secret), None
        with self._database.read() as connection:
            for row in connection.execute(
                sa.select(tokens).where(tokens.c.revoked_at_us.is_(None))
            ):
                if hmac.compare_digest(row.sha256, wanted):
                    found = row
        if found is None or (found.expires_at_us is not None and found.expires_at_us <= now_us):
            return None
        return Grant(found.id, found.scope, frozenset(found.only), is_owner=found.label == _OWNER)

    def revoke(self, token_id: str, now_us: int, actor: str) -> bool:
        """End a token; False if it did not stand."""
        standing = (tokens.c.id == token_id) & tokens.c.revoked_at_us.is_(None)
        with self._database.write() as connection:
            changed = connection.execute(
                tokens.update().where(standing).values(revoked_at_us=now_us)
            )
            if changed.rowcount:
                chain(connection, now_us, actor, "token.revoke", token_id)
            return bool(changed.rowcount)

    def list_all(self) -> list[Token]:
        """Every token that was ever made, oldest first."""
        with self._database.read() as connection:
            return [
                Token(
                    row.id,
                    row.scope,
                    tuple(row.only),
                    row.label,
                    row.created_at_us,
                    row.expires_at_us,
                    row.revoked_at_us,
                )
                for row in connection.execute(
                    sa.select(tokens).order_by(tokens.c.created_at_us, tokens.c.id)
                )
            ]


def _insert(connection: Connection, token: Token, actor: str) -> str:
    secret = new_token()
    connection.execute(
        tokens.insert().values(
            id=token.id,
            sha256=_sha256(secret),
            scope=token.scope,
            only=list(token.only),
            label=token.label,
            created_at_us=token.created_at_us,
            expires_at_us=token.expires_at_us,
        )
    )
    details = {"scope": token.scope, "label": token.label}
    chain(connection, token.created_at_us, actor, "token.create", token.id, details)
    return secret


def _sha256(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()

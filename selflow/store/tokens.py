"""Bearer tokens: stored as SHA-256, shown once, compared in constant time."""

from collections.abc import Collection
from dataclasses import replace

from sqlalchemy.engine import Connection

from selflow.core.grants import Grant, Scope
from selflow.core.ids import new_id, new_token
from selflow.store.audit import chain
from selflow.store.database import Database, add, find, put
from selflow.store.records import Token
from selflow.store.token_check import OWNER_LABEL, checked_token, grant_of, secret_sha256


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
        sources: Collection[str] = (),
        expires_at_us: int | None = None,
    ) -> tuple[str, Token]:
        """A new token: the text to show once, and the row that is kept.

        Raises:
            UsageError: An unknown scope or area, sources of a token that may do more than ingest,
            the owner's label, or an end that has passed.
        """
        secret, token = checked_token(
            scope, label, now_us, only=only, sources=sources, expires_at_us=expires_at_us
        )
        with self._database.write() as connection:
            _add(connection, token, actor)
        return secret, token

    def renew_owner(self, now_us: int) -> str:
        """The owner's own admin token, recreated; the one before it ends."""
        secret = new_token()
        token = Token(
            new_id("tok"), "admin", [], [], OWNER_LABEL, now_us, None, None, secret_sha256(secret)
        )
        with self._database.write() as connection:
            for before in find(connection, Token, label=OWNER_LABEL, revoked_at_us=None):
                put(connection, replace(before, revoked_at_us=now_us))
            _add(connection, token, OWNER_LABEL)
        return secret

    def verify(self, secret: str, now_us: int) -> Grant | None:
        """What the token may do; None if it is unknown, revoked or expired. Takes the same time for
        each.
        """
        return grant_of(self._database.records(Token, revoked_at_us=None), secret, now_us)

    def revoke(self, token_id: str, now_us: int, actor: str) -> bool:
        """End a token; False if it did not stand."""
        with self._database.write() as connection:
            for standing in find(connection, Token, id=token_id, revoked_at_us=None):
                put(connection, replace(standing, revoked_at_us=now_us))
                chain(connection, now_us, actor, "token.revoke", token_id)
                return True
        return False

    def list_all(self) -> list[Token]:
        """Every token that was ever made, oldest first."""
        return self._database.records(Token)


def _add(connection: Connection, token: Token, actor: str) -> None:
    add(connection, token)
    details = {"scope": token.scope, "label": token.label}
    chain(connection, token.created_at_us, actor, "token.create", token.id, details)

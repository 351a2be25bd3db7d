"""``selflow token``: bearer tokens for the owner's programs, narrowed, with an end, revocable."""

from collections.abc import Sequence
from typing import Annotated

import typer

from selflow.core.clock import SystemClock
from selflow.core.errors import RefusedError, UsageError
from selflow.core.grants import OWNER, Scope
from selflow.core.invocation import Invocation, printable, table, unknown_name
from selflow.core.until import end_us
from selflow.store.commands.names import token_names
from selflow.store.commands.opening import open_catalog
from selflow.store.token_check import AREAS, OWNER_LABEL, SCOPES, token_item

app = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True)


@app.callback()
def token() -> None:
    """Create, list and revoke bearer tokens."""


@app.command()
def create(
    ctx: typer.Context,
    *,
    scope: Annotated[
        str, typer.Option(metavar="SCOPE", help=f"One of {', '.join(SCOPES)}.")
    ] = "operate",
    label: Annotated[str, typer.Option(metavar="TEXT", help="What the token is for.")] = "",
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="AREA", help=f"Restrict the token to {', '.join(AREAS)}; may be repeated."
        ),
    ] = None,
    source: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Restrict a token with --only ingest to events of this source; may be repeated.",
        ),
    ] = None,
    expires: Annotated[
        str | None,
        typer.Option(metavar="WHEN", help="Expiry: a duration (90m, 12h, 30d) or a date."),
    ] = None,
) -> None:
    """Create a token and print it once; SelFlow keeps only its hash."""
    call: Invocation = ctx.obj
    now_us = SystemClock().now_us()
    expires_at_us = None if expires is None else end_us(expires, now_us)
    with open_catalog(call) as catalog:
        secret, token = catalog.tokens.create(
            _scope(scope),
            label,
            now_us,
            OWNER,
            only=only or (),
            sources=source or (),
            expires_at_us=expires_at_us,
        )
    call.note(f"{token.id}: scope {token.scope}; store the token now, it is not shown again")
    call.show({**token_item(token, now_us), "token": secret}, [secret])


@app.command("list")
def list_tokens(
    ctx: typer.Context,
    *,
    show_all: Annotated[
        bool, typer.Option("--all", help="Include revoked and expired tokens.")
    ] = False,
) -> None:
    """List the tokens that are valid, oldest first."""
    call: Invocation = ctx.obj
    now_us = SystemClock().now_us()
    with open_catalog(call) as catalog:
        items = [token_item(token, now_us) for token in catalog.tokens.list_all()]
    shown = [item for item in items if show_all or item["state"] == "valid"]
    names = ("id", "label", "scope", "only", "sources", "created_at", "expires_at", "state")
    rows = [[_shown(item[name]) for name in names] for item in shown]
    call.show({"items": shown, "next": None}, table(names, rows))


@app.command()
def revoke(
    ctx: typer.Context,
    token_id: Annotated[
        str,
        typer.Argument(
            metavar="ID",
            help="The id that selflow token list shows.",
            autocompletion=token_names,
        ),
    ],
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be revoked, and revoke nothing.")
    ] = False,
) -> None:
    """Revoke a token; a listener refuses it within two seconds."""
    call: Invocation = ctx.obj
    now_us = SystemClock().now_us()
    with open_catalog(call) as catalog:
        known = {token.id: token for token in catalog.tokens.list_all()}
        if token_id not in known:
            raise unknown_name("token", token_id, known, "selflow token list --all")
        if known[token_id].label == OWNER_LABEL:
            raise RefusedError(
                "the owner's own token cannot be revoked", "selflow up replaces it at each start"
            )
        is_valid = token_item(known[token_id], now_us)["state"] == "valid"
        if not dry_run:
            catalog.tokens.revoke(token_id, now_us, OWNER)
    done = ("would be revoked" if dry_run else "revoked") if is_valid else "was not valid"
    call.show({"id": token_id, "was_valid": is_valid, "dry_run": dry_run}, [f"{token_id}: {done}"])


def _scope(text: str) -> Scope:
    for scope in SCOPES:
        if scope == text:
            return scope
    raise UsageError(f"unknown scope: {printable(text)}", f"scopes: {', '.join(SCOPES)}")


def _shown(value: object) -> object:
    return ", ".join(value) if isinstance(value, Sequence) and not isinstance(value, str) else value

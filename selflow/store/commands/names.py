"""Names that a shell completes while the owner types a command. What cannot be read has no names:
completion is silent.
"""

import os
from collections.abc import Callable, Iterable
from pathlib import Path

import typer

from selflow.core.errors import SelFlowError
from selflow.core.invocation import Invocation
from selflow.core.paths import find_root
from selflow.store.pattern_records import Pattern
from selflow.store.reading import CatalogReader
from selflow.store.records import AgentVersion, Cycle, Token

_SHOWN_CYCLES = 20


def pattern_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Of the current patterns."""
    return _completed(
        ctx, incomplete, lambda reader: (p.name for p in reader.learned(Pattern, state="alive"))
    )


def agent_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Of the agents; behind an @, of their versions."""

    def names(reader: CatalogReader) -> Iterable[str]:
        versions = reader.learned(AgentVersion)
        is_version = "@" in incomplete
        return dict.fromkeys(v.id if is_version else v.agent for v in versions)

    return _completed(ctx, incomplete, names)


def version_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Of the versions that served before."""
    return _completed(
        ctx,
        incomplete,
        lambda reader: (v.id for v in reader.learned(AgentVersion, status="retired")),
    )


def cycle_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Of the newest cycles."""
    return _completed(
        ctx, incomplete, lambda reader: (c.id for c in reader.newest(Cycle, _SHOWN_CYCLES))
    )


def token_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Of the tokens that were not revoked."""
    return _completed(
        ctx,
        incomplete,
        lambda reader: (t.id for t in reader.learned(Token) if t.revoked_at_us is None),
    )


def _completed(
    ctx: typer.Context, incomplete: str, names: Callable[[CatalogReader], Iterable[str]]
) -> list[str]:
    given = ctx.find_root().params
    try:
        call = Invocation(
            find_root(given.get("home"), os.environ),
            os.environ,
            Path.cwd(),
            config_file=given.get("config"),
            profile=given.get("profile"),
        )
        known = list(names(CatalogReader(call.catalog_location())))
    except (SelFlowError, OSError):
        return []
    return [name for name in known if name.startswith(incomplete) and name.isprintable()]

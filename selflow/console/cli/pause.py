"""``selflow pause`` and ``selflow resume``: nothing is collected for a while."""

from typing import Annotated

import typer

from selflow.core.clock import SystemClock
from selflow.core.errors import UsageError
from selflow.core.grants import OWNER
from selflow.core.invocation import Invocation
from selflow.core.until import end_us, pause_text
from selflow.store.pauses import pause_item, pause_now, resume_now


def pause(
    ctx: typer.Context,
    until: Annotated[
        str | None,
        typer.Argument(
            metavar="UNTIL",
            help="15m, 1h, 2d, tomorrow (midnight), or a date; without it: until selflow resume.",
        ),
    ] = None,
) -> None:
    """Collect nothing for a while, and start no learning cycle by itself.

    What happens meanwhile is not read later. A running cycle goes on; answers go on.
    """
    call: Invocation = ctx.obj
    now_us = SystemClock().now_us()
    _must_have_a_catalog(call)
    end = None if until is None else end_us(until, now_us)
    begun = pause_now(call.catalog_location(), end, now_us, OWNER)
    item = pause_item(begun)
    call.show(item, [f"collection is {pause_text(item['until'], now_us)}"])


def resume(ctx: typer.Context) -> None:
    """Collect and learn again; nothing of the pause is read."""
    call: Invocation = ctx.obj
    _must_have_a_catalog(call)
    ended = resume_now(call.catalog_location(), SystemClock().now_us(), OWNER)
    text = "collection goes on" if ended else "collection was not paused"
    call.show({"was_paused": ended is not None}, [text])


def _must_have_a_catalog(call: Invocation) -> None:
    location = call.catalog_location()
    if not isinstance(location, str) and not location.exists():
        raise UsageError("nothing is collected yet", "selflow init says what may be collected")

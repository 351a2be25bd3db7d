"""``selflow url``: where a listener is, if it listens."""

from dataclasses import fields
from typing import Annotated

import typer

from selflow.core.errors import NotRunningError, UsageError
from selflow.core.invocation import Invocation
from selflow.core.listening import listens
from selflow.core.session_files import Endpoints

NAMES = tuple(item.name for item in fields(Endpoints))


def url(
    ctx: typer.Context, name: Annotated[str, typer.Argument(help=f"One of {', '.join(NAMES)}.")]
) -> None:
    """Print the address of a listener.

    Exit code 3 if it does not listen: it is really asked for a connection.
    """
    call: Invocation = ctx.obj
    if name not in NAMES:
        raise UsageError(f"unknown listener: {name}", f"listeners: {', '.join(NAMES)}")
    address = call.endpoints().get(name)
    if address is None:
        raise NotRunningError(
            f"{name} is not running", "selflow status shows the state; selflow up starts SelFlow"
        )
    if not listens(address):
        raise NotRunningError(f"nothing listens at {address}", "selflow status shows what runs")
    call.show({"name": name, "url": address}, [address])

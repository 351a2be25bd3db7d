"""``selflow demo``: the whole loop on real events, station by station, each checked and
measured.
"""

from typing import Annotated

import typer

from selflow.core.invocation import Invocation


def demo(
    ctx: typer.Context,
    *,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave SelFlow running on the demo's state folder.")
    ] = False,
    rows: Annotated[
        int | None, typer.Option(min=500, help="Replay only the newest rows of the sample.")
    ] = None,
) -> None:
    """Replay real events, grow and judge agents, serve, predict later events over HTTP, and learn
    from the outcomes.
    """
    from actors.demo.loop import run_loop  # numpy: a shell that completes waits

    call: Invocation = ctx.obj
    if not run_loop(call, keep=keep, rows=rows):
        raise typer.Exit(1)

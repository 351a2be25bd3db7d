"""``selflow status`` as Typer sees it, for the forms of the command line that ``main`` does not
answer directly.
"""

import typer

from selflow.console.cli.status_report import status_report


def status(ctx: typer.Context) -> None:
    """Show what runs, how full the buffer is and what listens.

    Every process is checked again. Exit code 3 if SelFlow does not run.
    """
    raise typer.Exit(status_report(ctx.obj))

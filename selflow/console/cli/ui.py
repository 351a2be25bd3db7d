"""``selflow ui``: opens the page in a browser that is signed in by a code that is good once."""

from typing import Annotated

import typer

from selflow.console.page_opening import open_page, page_url
from selflow.core.invocation import Invocation


def ui(
    ctx: typer.Context,
    *,
    print_url: Annotated[
        bool, typer.Option("--print", help="Print the address instead of opening it.")
    ] = False,
) -> None:
    """Open the web page, signed in.

    The address holds a code that is good once and for a minute.
    """
    call: Invocation = ctx.obj
    url = page_url(call.root)
    if not print_url and open_page(call.root, url):
        base = call.endpoints()["console"]
        call.show({"url": base, "opened": True}, [f"opened {base}"])
    else:
        call.show({"url": url, "opened": False}, [url])

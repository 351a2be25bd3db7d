"""``selflow ui``: opens the page in a browser that is signed in by a code that is good once."""

import http.client
import json
import socket
import webbrowser
from html import escape
from typing import Annotated

import typer

from selflow.core.errors import NotRunningError
from selflow.core.invocation import Invocation
from selflow.core.paths import write_private

_TIMEOUT_S = 5.0


class _OwnersConnection(http.client.HTTPConnection):
    """HTTP over the console's Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket instead of a port."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_TIMEOUT_S)
        self.sock.connect(self._path)


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
    base = call.endpoints().get("console")
    if base is None:
        raise NotRunningError("the console is not running", "start it with: selflow up")
    # A name of its own, so that the cookie does not go to other servers on 127.0.0.1
    address = base.replace("127.0.0.1", "selflow.localhost")
    url = f"{address}/login#{_code(call)}"
    is_open = False
    if not print_url:
        page = call.root.run / "open.html"  # the code must not stand in the browser's arguments
        target = escape(url, quote=True)
        write_private(page, f'<meta http-equiv="refresh" content="0;url={target}">')
        is_open = webbrowser.open(page.as_uri())
    if is_open:
        call.show({"url": base, "opened": True}, [f"opened {base}"])
    else:
        call.show({"url": url, "opened": False}, [url])


def _code(call: Invocation) -> str:
    connection = _OwnersConnection(str(call.root.socket("console.sock")))
    try:
        connection.request("POST", "/api/auth/code")
        answer = json.loads(connection.getresponse().read())
        return str(answer["code"])
    except (OSError, ValueError, KeyError, http.client.HTTPException) as error:
        raise NotRunningError(
            "the console does not answer", "selflow status shows what runs"
        ) from error
    finally:
        connection.close()

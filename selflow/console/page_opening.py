"""Opens the web page in a browser that a one-time code signs in: for ``selflow ui`` and the
tray.
"""

import webbrowser
from urllib.parse import quote

from selflow.console.owner_client import ask_console
from selflow.core.errors import NotRunningError
from selflow.core.paths import Root, write_private
from selflow.core.session_files import read_endpoints


def page_url(root: Root, path: str = "/") -> str:
    """The address that signs in and shows a page; its code is good once and for a minute.

    Raises:
        NotRunningError: No console answers.
    """
    recorded = read_endpoints(root)
    base = recorded.urls().get("console") if recorded else None
    if base is None:
        raise NotRunningError("the console is not running", "start it with: selflow up")
    # A name of its own, so that the cookie does not go to other servers on 127.0.0.1
    address = base.replace("127.0.0.1", "selflow.localhost")
    wanted = "" if path == "/" else f"?to={quote(path)}"
    code = ask_console(root, "POST", "/api/auth/code")["code"]
    return f"{address}/login{wanted}#{code}"


def open_page(root: Root, url: str) -> bool:
    """Whether a browser opened it."""
    from html import escape  # a table of half a megabyte, which the tray need not hold

    page = root.run / "open.html"  # the code must not stand in the browser's arguments
    target = escape(url, quote=True)
    write_private(page, f'<meta http-equiv="refresh" content="0;url={target}">')
    return webbrowser.open(page.as_uri())

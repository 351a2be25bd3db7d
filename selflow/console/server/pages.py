"""The web page: built files, one page for every address of its own, and a plain text if it is not
built.

``make web`` builds it into ``selflow/console/static``. Names below ``/assets`` carry a hash of
their content, so that a browser keeps them for ever; the page itself is asked for each time.
"""

import mimetypes
from importlib.metadata import version
from pathlib import Path

from fastapi import Request, Response

from selflow.console.server.read_model import Model
from selflow.console.server.routes import Routes
from selflow.core.errors import ApiError

ASSETS = "assets"
_FOREVER = "public, max-age=31536000, immutable"
_ASK_AGAIN = "no-cache"
routes = Routes()


@routes.get("/", None, in_schema=False)
def index(request: Request, model: Model) -> Response:
    """The page."""
    return _page(request, model)


@routes.get("/assets/{name:path}", None, in_schema=False)
def asset(name: str, request: Request) -> Response:
    """A file that never changes."""
    folder = _folder(request) / ASSETS
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()) or not path.is_file():
        raise ApiError(404, "asset_not_found", "there is no such file", "load the page again")
    return _file(request, path, _FOREVER)


@routes.get("/{page}", None, in_schema=False)
def page(page: str, request: Request, model: Model) -> Response:
    """A file beside the page, else the page: its script shows what the address names."""
    path = _folder(request) / page
    if page != "index.html" and not page.startswith(".") and path.is_file():
        return _file(request, path, _ASK_AGAIN)
    return _page(request, model)


def _page(request: Request, model: Model) -> Response:
    path = _folder(request) / "index.html"
    if path.is_file():
        return _file(request, path, _ASK_AGAIN)
    text = (
        "The web page is not built. Run `make web`.\n\n"
        f"SelFlow {version('selflow')} is {model.status()['state']}; "
        "selflow status tells more.\n"
    )
    return Response(text, media_type="text/plain", headers={"cache-control": "no-store"})


def _file(request: Request, path: Path, cache: str) -> Response:
    """A file, packed if it was built so and the browser takes it. Files of a page are small: they
    are read whole.
    """
    headers = {"cache-control": cache, "vary": "accept-encoding"}
    media = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    packed = path.with_name(path.name + ".gz")
    if "gzip" in request.headers.get("accept-encoding", "") and packed.is_file():
        path, headers["content-encoding"] = packed, "gzip"
    return Response(path.read_bytes(), media_type=media, headers=headers)


def _folder(request: Request) -> Path:
    folder: Path = request.app.state.static
    return folder

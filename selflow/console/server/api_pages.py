"""``/docs`` and ``/openapi.json``: the API described, with files of our own alone."""

from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response

from selflow.console.server.routes import Routes
from selflow.core.errors import ApiError

_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>SelFlow: the API of the console</title>
<link rel="stylesheet" href="/assets/{folder}/swagger-ui.css"></head>
<body><div id="api"></div>
<script src="/assets/{folder}/swagger-ui-bundle.js"></script>
<script src="/assets/{folder}/start.js"></script></body>
</html>
"""
routes = Routes()


@routes.get("/openapi.json", "view", in_schema=False)
def schema(request: Request) -> dict[str, Any]:
    """The OpenAPI document of this listener."""
    app: FastAPI = request.app
    return app.openapi()


@routes.get("/docs", "view", in_schema=False)
def docs(request: Request) -> Response:
    """Swagger UI over that document; its files are built with the page."""
    static: Path = request.app.state.static
    folders = sorted(path.name for path in static.glob("assets/swagger-ui-*"))
    if not folders:
        raise ApiError(404, "page_not_built", "the web page is not built", "run: make web")
    return Response(_PAGE.format(folder=folders[-1]), media_type="text/html")

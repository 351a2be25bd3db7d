"""ActivityWatch's port in this process: its surface over a store on the disk."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from selflow.console.server.activitywatch.access import Access
from selflow.console.server.activitywatch.service import AwService
from selflow.console.server.activitywatch.surface import Surface
from selflow.core.clock import as_datetime
from selflow.core.listener_settings import AwSettings
from tests.unit.console.server.worlds import NOW_US, Console

PORT = 5600
BUCKET = "aw-watcher-window_host"
DESCRIPTION = {"client": "aw-watcher-window", "type": "currentwindow", "hostname": "host"}


def moment(at_s: float) -> str:
    return as_datetime(NOW_US + round(at_s * 1e6)).isoformat()


def raw_event(at_s: float, lasts_s: float = 0, **data: Any) -> dict[str, Any]:
    return {"timestamp": moment(at_s), "duration": lasts_s, "data": data}


@dataclass
class Port:
    """The surface, asked with a token of a scope or, with None, without one."""

    console: Console
    service: AwService
    settings: AwSettings = AwSettings(port=PORT)  # noqa: RUF009  (frozen)

    def surface(self) -> Surface:
        return Surface(self.service, Access(PORT, self.settings, self.console.model.verify))

    def ask(
        self,
        method: str,
        path: str,
        scope: str | None = "admin",
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> httpx.Response:
        given = dict(headers or {})
        if scope is not None:
            given["authorization"] = f"Bearer {self.console.tokens[scope]}"
        return asyncio.run(_ask(self.surface(), method, path, given, **more))

    def make_bucket(self, name: str = BUCKET, **more: Any) -> None:
        assert self.ask("POST", f"buckets/{name}", json={**DESCRIPTION, **more}).status_code == 200

    def beat(self, event: Mapping[str, Any], pulsetime: str = "5", **more: Any) -> httpx.Response:
        path = f"buckets/{BUCKET}/heartbeat?pulsetime={pulsetime}"
        return self.ask("POST", path, json=event, **more)

    def events(self, query: str = "") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ask("GET", f"buckets/{BUCKET}/events{query}").json()
        return found


async def _ask(
    app: Any, method: str, path: str, headers: Mapping[str, str], **more: Any
) -> httpx.Response:
    transport = httpx.ASGITransport(app)
    base = f"http://127.0.0.1:{PORT}"
    async with httpx.AsyncClient(transport=transport, base_url=base) as client:
        return await client.request(method, f"/api/0/{path}", headers=headers, **more)


def as_form(document: object) -> dict[str, Any]:
    return {"files": {"buckets.json": ("export.json", json.dumps(document).encode())}}

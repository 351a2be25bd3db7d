"""A console in this process: its routes behind the guard, over a catalog and a log on the disk."""

import asyncio
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from selflow.console.server.app import guarded, make_app, socket_policies
from selflow.console.server.follower import take_in
from selflow.console.server.read_model import ReadModel
from selflow.core.codec import encode_record
from selflow.core.events import Event
from selflow.core.grants import OWNER
from selflow.core.paths import Root
from selflow.store.catalog import Catalog
from selflow.store.log import EventLog
from selflow.testing import ManualClock
from selflow.web.owner_socket import SocketGuard

PORT = 7730
BASE = f"http://127.0.0.1:{PORT}"
NOW_US = 1_767_225_600_000_000
HOUR_US = 3_600_000_000


def ignore(route: str, status: int, duration_s: float) -> None:
    """Observes nothing."""


@dataclass
class Console:
    """What the tests ask, with a token for each scope."""

    root: Root
    catalog: Catalog
    clock: ManualClock
    tokens: Mapping[str, str]
    model: ReadModel
    app: FastAPI
    sent: int = 0
    cookies: dict[str, str] = field(default_factory=dict)

    @classmethod
    def make(cls, root: Root, static: Path) -> "Console":
        clock = ManualClock(NOW_US)
        catalog = Catalog.open(root.catalog)
        tokens = {
            scope: catalog.tokens.create(scope, "test", NOW_US, OWNER)[0]  # type: ignore[arg-type]
            for scope in ("view", "operate", "admin")
        }
        model = ReadModel(root, os.environ, clock)
        return cls(root, catalog, clock, tokens, model, make_app(model, static))

    def close(self) -> None:
        self.model.close()
        self.catalog.close()

    def store(self, events: Iterable[Event]) -> None:
        """Append to the log as the buffer does, and let the console take it in."""
        self.model.release_log()
        log = EventLog(self.root.events, budget_bytes=64_000_000, credits=8)
        self.sent += 1
        log.append("test", self.sent, [encode_record(event) for event in events])
        log.close()
        while take_in(self.model)[0]:
            pass

    def ask(
        self,
        method: str,
        path: str,
        scope: str | None = "view",
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> httpx.Response:
        """One request over the port; ``scope`` None brings no token."""
        given = dict(headers or {})
        if scope is not None:
            given["authorization"] = f"Bearer {self.tokens[scope]}"
        guard = guarded(self.app, self.model, PORT)
        return asyncio.run(_ask(guard, method, path, given, **more))

    def ask_socket(self, method: str, path: str, **more: Any) -> httpx.Response:
        """One request over the owner's socket."""
        guard = SocketGuard(self.app, socket_policies(), self.clock, ignore)
        return asyncio.run(_ask(guard, method, path, {}, **more))


async def _ask(
    app: Any, method: str, path: str, headers: Mapping[str, str], **more: Any
) -> httpx.Response:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
        return await client.request(method, path, headers=headers, **more)


def at(hours_ago: float, kind: str = "file.modify", subject: str = "a.py", **more: Any) -> Event:
    """An event some hours before now."""
    moment_us = NOW_US - round(hours_ago * HOUR_US)
    return Event(moment_us, more.pop("source", "files"), kind, subject, **more)

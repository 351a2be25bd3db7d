"""A small world: one root on disk, one log, one clock, and a replica that may be killed and made
anew.
"""

import asyncio
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from selflow.collect.redact import make_redactor
from selflow.core.clock import rfc3339
from selflow.core.codec import encode_record
from selflow.core.errors import StoreError
from selflow.core.events import Event, Fill, Stored
from selflow.core.paths import Root
from selflow.core.settings import (
    LmSettings,
    PredictSettings,
    PrivacySettings,
    RouterSettings,
    ServeSettings,
)
from selflow.store.catalog import Catalog
from selflow.testing import ManualClock, MemoryLog
from selflow.text.byte_model import shipped_base
from serve.replica import AppArgs, assemble
from serve.text_state import LoadModel

PORT = 7731
ROUND = ("git status", "vim app.py", "pytest -q", "git commit")
SETTINGS = PredictSettings(use_prior=False, checkpoint_steps=14)


class Feed:
    """The log's feed, which can go away as the buffer does."""

    def __init__(self, log: MemoryLog) -> None:
        self.log = log
        self.is_away = False

    def read(self, after_seq: int, limit_events: int) -> Sequence[Stored]:
        if self.is_away:
            raise StoreError(
                "the buffer is unavailable (ActorDiedError)", "the supervisor recreates it"
            )
        return self.log.read(after_seq, limit_events)

    def fill(self) -> Fill:
        if self.is_away:
            raise StoreError(
                "the buffer is unavailable (ActorDiedError)", "the supervisor recreates it"
            )
        return self.log.fill()

    def last_seq(self) -> int:
        """Number of the last stored event; on the disk, whoever is away."""
        return self.log.fill().last_seq


@dataclass(frozen=True)
class Template:
    """An empty catalog with a token of every kind; migrating and making them once is enough."""

    catalog: Path
    tokens: dict[str, str]

    @classmethod
    def make(cls, path: Path) -> "Template":
        catalog = Catalog.open(path)
        now_us = ManualClock().now_us()
        tokens = {
            "view": catalog.tokens.create("view", "a", now_us, "owner")[0],
            "operate": catalog.tokens.create("operate", "b", now_us, "owner")[0],
            "admin": catalog.tokens.create("admin", "c", now_us, "owner")[0],
            "metrics": catalog.tokens.create("operate", "d", now_us, "owner", only=["metrics"])[0],
            "owner": catalog.tokens.renew_owner(now_us),
        }
        catalog.close()
        return cls(path, tokens)


class World:
    """Everything that outlives a replica, and the replica of the moment."""

    def __init__(
        self, folder: Path, template: Template, settings: PredictSettings = SETTINGS
    ) -> None:
        self.root = Root(folder, folder)
        self.root.make()
        shutil.copyfile(template.catalog, self.root.catalog)
        self.clock = ManualClock()
        self.feed = Feed(MemoryLog())
        self.settings = settings
        self.serve = ServeSettings(port=PORT, max_body_bytes=20_000)
        self.port = PORT
        self.router = RouterSettings()
        self.lm = LmSettings()
        self.make_host: Any = None
        self.load_model: LoadModel = shipped_base
        self.tokens = dict(template.tokens)
        self.restart()

    def restart(self) -> None:
        """A new replica; nothing is said to the old one, as after a kill -9."""
        args = AppArgs(
            root=self.root,
            serve=self.serve,
            predict=self.settings,
            version="0.0.1",
            config_hash="abc",
            port=self.port,
            feed=self.feed,
            redactor=make_redactor(PrivacySettings()),
            resources={},
            lm=self.lm,
            router=self.router,
        )
        self.replica = assemble(
            args,
            self.clock,
            self.make_host,
            seed=7,
            last_seq=self.feed.last_seq,
            load_model=self.load_model,
        )

    def catch_up(self) -> None:
        """Open the state if need be, and learn all that the log holds."""
        while self.replica.engine.step():
            pass

    def look(self) -> None:
        """What the replica does every half second: follow the catalog."""
        self.replica.engine.follow_agents()

    def stop(self) -> None:
        """End the replica as Serve does."""
        asyncio.run(self.replica.engine.stop())

    def happen(self, rounds: int) -> None:
        """The owner works: each command is a step."""
        events = [self.event(command) for _ in range(rounds) for command in ROUND]
        self.feed.log.append(
            "shell", self.clock.now_us(), [encode_record(event) for event in events]
        )

    def event(self, command: str) -> Event:
        self.clock.advance(30.0)
        return Event(self.clock.now_us(), "shell", "shell.command", command, "bash")

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        who: str = "owner",
        headers: dict[str, str] | None = None,
        content: bytes | None = None,
    ) -> httpx.Response:
        """One HTTP request through the guard and the routes."""
        given = {"content-type": "application/json"} if content is not None else {}
        given |= headers or {}
        return self.send(method, path, who=who, json=body, content=content, headers=given)

    def send(
        self, method: str, path: str, headers: dict[str, str], *, who: str = "owner", **more: Any
    ) -> httpx.Response:
        """A request of whatever form."""
        given = {"authorization": f"Bearer {self.tokens[who]}"} if who else {}

        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.replica.gateway, raise_app_exceptions=False)
            async with httpx.AsyncClient(
                transport=transport, base_url=f"http://127.0.0.1:{PORT}"
            ) as client:
                return await client.request(method, path, headers=given | headers, **more)

        return asyncio.run(send())

    def predict(self, **body: Any) -> dict[str, Any]:
        answer = self.ask("POST", "/v1/predict", body)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def feedback(self, decision_id: str, metric: str, value: Any, **more: Any) -> httpx.Response:
        headers = {"idempotency-key": more.pop("key")} if "key" in more else None
        body = {"decision_id": decision_id, "metric_name": metric, "value": value, **more}
        return self.ask("POST", "/v1/feedback", body, headers=headers)

    def outcome(self, decision_id: str, *commands: str) -> dict[str, Any]:
        labels = [{"kind": "shell.command", "subject": command} for command in commands]
        answer = self.feedback(decision_id, "outcome", labels)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


def context(world: World, *commands: str) -> list[dict[str, Any]]:
    """Events in the API's shape, at the present moment."""
    now = rfc3339(world.clock.now_us())
    return [
        {"ts": now, "source": "shell", "kind": "shell.command", "subject": command}
        for command in commands
    ]

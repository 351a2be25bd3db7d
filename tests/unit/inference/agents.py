"""Agents without a model: what a learning cycle would leave in the catalog, and a host that speaks
by rote.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event as Flag
from threading import Thread

import numpy as np

from selflow.core.errors import ArtifactError, NotRunningError
from selflow.core.events import Json
from selflow.core.scores import LabelScores
from selflow.core.steps import Step, event_label
from selflow.core.surfaces import Surface
from selflow.lm.texts import Generation, Piece, Sampling
from selflow.store.artifacts import ArtifactStore
from selflow.store.catalog import Catalog
from selflow.store.records import AgentVersion, Artifact, Verdict
from tests.unit.inference.worlds import ROUND, World
from tests.unit.store.worlds import next_look

LABELS = tuple(event_label("shell.command", command) for command in (*ROUND, "make"))
WORDS = ("so ", "it ", "goes ", "on ")
P = 0.9


@dataclass
class RoteHost:
    """A base whose adapters are files that name the one command they believe in; texts are the
    adapter's name.
    """

    folder: Path
    context_tokens: int = 64

    def __post_init__(self) -> None:
        self.base = json.loads((self.folder / "base.json").read_text())
        if self.base.get("is_broken"):
            raise OSError("the weights are gone")
        self.says: dict[str, str] = {}
        self.asked = 0
        self.is_closed = False
        self.fault = ""
        self.fails = False
        self.texts: list[Generation] = []

    def load(self, adapter: str, folder: Path) -> None:
        known = json.loads((folder / "agent.json").read_text())
        if known.get("is_broken"):
            raise ArtifactError(f"{adapter} is no adapter")
        self.says[adapter] = known["says"]

    def keep(self, adapters: Iterable[str]) -> None:
        self.says = {name: self.says[name] for name in adapters}

    def scorers(self, adapters: Mapping[str, str | None]) -> dict[str, "Rote"]:
        return {name: Rote(name, adapter, self) for name, adapter in adapters.items()}

    def encode(self, prompt: object) -> list[int]:
        return list(
            range(len(str(prompt if isinstance(prompt, str) else prompt[-1]["content"]).split()))
        )

    def generate(
        self, prompt: Sequence[int], sampling: Sampling, adapter: str | None, folder: Path | None
    ) -> Generation:
        if adapter is not None:
            self.load(adapter, folder)
        text = Generation(prompt, sampling, adapter, folder)
        self.texts.append(text)
        Thread(target=self._speak, args=(text,), daemon=True).start()
        return text

    def close(self) -> None:
        self.is_closed = True

    def _speak(self, text: Generation) -> None:
        """Words to the limit; with a temperature of 2 one that fails after two words."""
        for number in range(1, text.sampling.max_tokens + 1):
            if text.is_cancelled:
                return
            if text.sampling.temperature == 2.0 and number == 3:
                text.tell(
                    NotRunningError("the agents' model failed (RuntimeError)", "see selflow logs")
                )
                return
            is_last = number == text.sampling.max_tokens
            text.tell(Piece(WORDS[number % len(WORDS)], number, "length" if is_last else None))
            Flag().wait(0.0005)


@dataclass
class Rote:
    name: str
    adapter: str | None
    host: RoteHost

    def score(self, history: Sequence[Step], now_us: int) -> LabelScores:
        self.host.asked += 1
        if self.host.fails:
            raise NotRunningError("the agents' model failed (RuntimeError)", "see selflow logs")
        p = np.full(len(LABELS), 0.01, np.float32)
        if self.adapter is None:
            return LabelScores(LABELS, p, float(1.0 - p.sum()))
        p[LABELS.index(event_label("shell.command", self.host.says[self.adapter]))] = P
        return LabelScores(LABELS, p, float(1.0 - p.sum()))


class Hosts:
    """Makes hosts and remembers them."""

    def __init__(self) -> None:
        self.made: list[RoteHost] = []

    def __call__(self, folder: Path) -> RoteHost:
        self.made.append(RoteHost(folder))
        return self.made[-1]


class School:
    """Puts into a world's catalog what learning cycles make; the world's next replicas speak by
    rote.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.hosts = world.make_host = Hosts()
        world.restart()
        self.catalog = Catalog.open(world.root.catalog)
        self.artifacts = ArtifactStore(world.root.artifacts)
        self.base_sha256 = ""

    def base(self, name: str = "rote", folder: Path | None = None, **more: object) -> str:
        """A new base becomes the current one."""
        cycle_id = self._cycle()
        files = folder or {"base.json": json.dumps({"name": name, **more}).encode()}
        self.base_sha256 = self._artifact(cycle_id, "base", files)
        self.catalog.bases.adopt(self.base_sha256, name, cycle_id, self.world.clock.now_us())
        return self.base_sha256

    def agent(
        self,
        name: str,
        says: str = "",
        decision: str = "passed",
        folder: Path | None = None,
        surface: Surface = "next",
        numbers: Mapping[str, Json] | None = None,
        **more: object,
    ) -> AgentVersion:
        """A version of an agent; one that passed serves."""
        cycle_id, now_us = self._cycle(), self.world.clock.now_us()
        body = {"says": says, "at_us": now_us, **more}
        sha256 = self._artifact(
            cycle_id, f"grow:{name}", folder or {"agent.json": json.dumps(body).encode()}
        )
        found = {
            "windows": 1,
            "events": 9,
            "share": 1.0,
            "agreement": None,
            "terms": [],
            "hours": [],
            "alive_cycles": 2,
            "parts": [],
            "medoids": [],
            "days": 1,
            "steps": 9,
            "families": {},
            "grade": None,
            "reason": "",
        }
        pattern_id = self.catalog.patterns.record(cycle_id, [{"name": name, **found}], now_us)[name]
        opened = self.catalog.verdicts.open_gate(
            next_look("gate"), (1, 9), sha256, cycle_id, now_us
        )
        assert opened is not None
        return self.catalog.agents.register(
            agent=name,
            sha256=sha256,
            base_sha256=str(more.get("base_sha256", self.base_sha256)),
            pattern_id=pattern_id,
            cycle_id=cycle_id,
            verdict=Verdict(decision, [], numbers or {}, "gate", opened.opening, 0.05),
            stage=f"judge:{name}",
            now_us=now_us,
            surface=surface,
        )

    def retire(self, name: str) -> AgentVersion:
        return self.catalog.agents.retire(name, self.world.clock.now_us(), "owner", "by command")

    def rollback(self, name: str) -> AgentVersion | None:
        return self.catalog.agents.rollback(name, self.world.clock.now_us(), "owner")

    def close(self) -> None:
        self.catalog.close()

    def _cycle(self) -> str:
        self.world.clock.advance(1.0)
        now_us = self.world.clock.now_us()
        for cycle in self.catalog.cycles.latest(1):
            self.catalog.cycles.finish(cycle.id, "done", "", now_us)
        cycle = self.catalog.cycles.request("owner", now_us)
        return self.catalog.cycles.begin(cycle.id, 0, now_us).id

    def _artifact(self, cycle_id: str, stage: str, files: Mapping[str, bytes] | Path) -> str:
        sha256 = self.artifacts.put(files)
        artifact = Artifact(sha256, stage.partition(":")[0], 1, {})
        self.catalog.cycles.stage_done(cycle_id, stage, artifact, [], {}, self.world.clock.now_us())
        return sha256

"""What the services that learn are asked and answer: plain values, and refs that travel nested,
never mapped.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from actors.plan import Plan
from selflow.core.events import Json

if TYPE_CHECKING:
    # Needs numpy, which those who only hand things on do not
    from selflow.predict.steps import StepTable
    from selflow.store.records import AgentVersion, Stage

Span = tuple[int, int]
Decision = Literal["passed", "rejected", "no_verdict"]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The log up to a watermark as steps, and the parts of its time: learned from, tuned on, judged
    on.
    """

    table: "StepTable"
    events: int
    days: int
    train: Span
    tune: Span
    gate: Span

    def document(self) -> dict[str, Json]:
        """What the journal holds of it. A version that must wait for its verdict is judged on what
        came from ``gate_from_us`` on.
        """
        return {
            "steps": len(self.table.ts_us),
            "labels": len(self.table.labels),
            "days": self.days,
            "train": list(self.train),
            "tune": list(self.tune),
            "gate": list(self.gate),
            "gate_from_us": int(self.table.ts_us[self.gate[0]]),
        }


@dataclass(frozen=True, slots=True)
class Candidate:
    """One agent that may come: its name and pattern, what it stands on, and its adapter once there
    is one.
    """

    agent: str
    pattern_id: str | None
    number: int
    """Its cluster in the model; -1 is the whole stream."""
    model_sha256: str
    base_sha256: str
    warm: tuple[Mapping[str, Json], ...] = ()
    """Settings that won before; the search tries them first."""
    adapter_sha256: str = ""
    adapted_sha256: str = ""
    """Of an agent that completes lines, the same with an adapter of its model; the gate says which
    of the two serves.
    """
    serving_sha256: str = ""
    """Of the version of an agent of lines that serves on the installed model, which it has to beat;
    empty where none does.
    """
    gate_from_us: int | None = None
    """Its own gate part began then, where it waited for later events; None is this cycle's."""


def waiting_candidate(
    version: "AgentVersion", discovery: "Stage | None", split: "Stage | None"
) -> Candidate | None:
    """A version that got no verdict, as a candidate again, by what its own cycle journalled; None
    if that does not hold its pattern.
    """
    patterns: Any = discovery.result.get("patterns", []) if discovery else []
    gate_from_us = split.result.get("gate_from_us") if split else None
    number = next(
        (pattern["number"] for pattern in patterns if pattern["name"] == version.agent), None
    )
    if number is None or discovery is None or not isinstance(gate_from_us, int):
        return None
    return Candidate(
        version.agent,
        version.pattern_id,
        int(number),
        discovery.sha256 or "",
        version.base_sha256,
        adapter_sha256=version.sha256,
        gate_from_us=gate_from_us,
    )


@dataclass(frozen=True, slots=True)
class StageRequest:
    """One stage of one cycle, for the service that launches it."""

    plan: Plan
    cycle_id: str
    refs: tuple[Any, ...] = ()
    """Object refs. Nested, so that the launcher forwards and never maps them; its task receives
    their values.
    """
    candidate: Candidate | None = None

    @property
    def key(self) -> str:
        """Whose work it is: asked again, it is joined."""
        candidate = self.candidate
        return f"{self.cycle_id}/" + (
            f"{candidate.agent}@{candidate.adapter_sha256}" if candidate else ""
        )

    def folder(self, name: str) -> Path:
        """Where this stage keeps what must survive a restart."""
        return self.plan.root.work / self.cycle_id / name


@dataclass(frozen=True, slots=True)
class StageResult:
    """What a stage made: numbers for the journal, and the artifact that holds the rest."""

    result: Mapping[str, Json]
    sha256: str = ""
    size_bytes: int = 0
    kind: str = ""
    parents: Sequence[str] = ()
    """Artifacts that it was made from."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a stage made nothing, in words for the owner."""

    reason: str


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict, and how good the pool was on the gate part with and without the candidate."""

    decision: Decision
    reasons: tuple[str, ...]
    numbers: Mapping[str, float]
    gate_set: str | None = None
    opening: int | None = None
    alpha: float | None = None
    """None: the gate part was not looked at."""
    figures: Mapping[str, Json] = field(default_factory=dict)
    sha256: str = ""
    """The artifact that was judged, where a candidate consists of several."""

"""What the tray shows, as one record: ``GET /api/tray`` answers it, the menu is made from it.

Every figure has a source in the catalog, the log or the session; what has none yet is None or
empty, and the menu leaves it out. Plain dataclasses: the tray's process holds neither pydantic nor
FastAPI.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, Self

AppState = Literal["running", "starting", "degraded", "not running", "paused"]
Icon = Literal["learning", "paused", "training", "attention"]


@dataclass(frozen=True, slots=True)
class HotPattern:
    """A pattern and how well the families of clustering agree on it."""

    title: str
    agreement_fraction: float


@dataclass(frozen=True, slots=True)
class ServingAgent:
    """A version that serves; ``success_fraction`` is None while there is too little feedback."""

    name: str
    success_fraction: float | None


@dataclass(frozen=True, slots=True)
class TrainingAgent:
    """What is being trained, and how far; None where that is not known."""

    name: str
    done_fraction: float | None


@dataclass(frozen=True, slots=True)
class TrayState:
    """One picture of everything."""

    state: AppState
    pause_reason: str = ""
    """Why nothing is collected, such as ``on battery``; empty while it is."""
    today_events: int | None = None
    patterns: int | None = None
    method: str = ""
    """Of the clustering that found them."""
    families: tuple[str, ...] = ()
    hot_patterns: tuple[HotPattern, ...] = ()
    today_file_operations: int | None = None
    focus_s: float | None = None
    efficiency_fraction: float | None = None
    active_agents: int = 0
    agents: tuple[ServingAgent, ...] = ()
    """The best first."""
    training: tuple[TrainingAgent, ...] = ()
    data_fraction: float | None = None
    """Of what the next learning cycle waits for."""
    is_training_ready: bool = False
    waiting_cycles: int = 0
    unread_notices: int = 0
    pages: tuple[str, ...] = ()
    """The addresses of the page that exist; an item without its page is left out."""

    @property
    def icon(self) -> Icon:
        """In one picture; what needs the owner comes first."""
        if self.state in {"degraded", "not running"}:
            return "attention"
        if self.training:
            return "training"
        return "paused" if self.state == "paused" else "learning"

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """As the console answered it; what a newer console says besides is left out."""
        known = {item.name: document[item.name] for item in fields(cls) if item.name in document}
        parts: dict[str, type[Any]] = {
            "hot_patterns": HotPattern,
            "agents": ServingAgent,
            "training": TrainingAgent,
        }
        for name, kind in parts.items():
            known[name] = tuple(kind(**item) for item in known.get(name, ()))
        for name in ("families", "pages"):
            known[name] = tuple(known.get(name, ()))
        return cls(**known)


NOT_RUNNING = TrayState("not running")
"""No console answers."""

"""What every service says of itself."""

from dataclasses import dataclass
from typing import Literal

State = Literal["starting", "ok", "degraded", "stopping", "dead"]


@dataclass(frozen=True, slots=True)
class Health:
    """One service's answer to ``health()``. Never an event's content."""

    name: str
    version: str
    config_hash: str
    pid: int
    started_at_us: int
    state: State
    lag_events: int
    last_error: str
    rss_bytes: int

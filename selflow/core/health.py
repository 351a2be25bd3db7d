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
    after_boot_us: int
    """How long after the machine's start its process began; with ``pid`` it names the process. 0
    while there is none.
    """
    state: State
    lag_events: int
    last_error: str
    rss_bytes: int

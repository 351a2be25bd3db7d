"""What the owner asked for in the console and the supervisor carries out."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from selflow.core.events import Json
from selflow.store.row import Row

Action = Literal[
    "learn.start",
    "learn.cancel",
    "agent.promote",
    "agent.rollback",
    "agent.retire",
    "model.delete",
    "pattern.edit",
    "pattern.merge",
    "pattern.unmerge",
    "source.grant",
    "source.revoke",
    "events.forget",
    "decision.rate",
]


@dataclass(frozen=True, slots=True)
class Command(Row):
    """One act: ``queued`` until the supervisor takes it (``accepted``), then ``done`` or
    ``failed``. ``subject`` is what it acts on, ``details`` how; ``error`` says why it failed.
    """

    table = "commands"
    order = ("requested_at_us",)
    id: str
    action: Action
    subject: str
    details: Mapping[str, Json]
    actor: str
    state: Literal["queued", "accepted", "done", "failed"]
    requested_at_us: int
    accepted_at_us: int | None = None
    finished_at_us: int | None = None
    error: str = ""

    def again(self) -> "Command":
        """The same command, waiting once more with what it knows of its first attempt."""
        return replace(self, state="queued", accepted_at_us=None, finished_at_us=None, error="")

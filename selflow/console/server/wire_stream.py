"""The API's records of the live stream and of commands."""

from typing import Any, Literal

from pydantic import Field, JsonValue, model_validator

from selflow.console.server.wire import CycleItem, SystemAnswer
from selflow.console.server.wire_data import EventItem
from selflow.console.server.wire_learning import (
    AgentsAnswer,
    PatternsAnswer,
    RunItem,
    StageItem,
    TrialItem,
)
from selflow.sdk.wire import Answer


class LiveMessage(Answer):
    """The topic ``live``: the state of everything, and the newest events."""

    full: Literal[True] = True
    system: SystemAnswer
    events: list[EventItem]


class CommandStage(Answer):
    """One stage of a deletion, with what it did."""

    name: str
    state: Literal["running", "done", "failed"]
    seconds: float | None
    result: dict[str, JsonValue]


class CommandItem(Answer):
    """An act that was asked for in the console, from ``queued`` to ``done`` or ``failed``; a
    deletion has stages.
    """

    id: str
    action: str
    subject: str
    actor: str
    state: Literal["queued", "accepted", "done", "failed"]
    requested_at: str
    accepted_at: str | None
    finished_at: str | None
    error: str
    stages: list[CommandStage] = Field(default_factory=list)

    @model_validator(mode="before")
    @classmethod
    def _show_stages(cls, values: Any) -> Any:  # noqa: ANN401  (what pydantic hands in)
        details = values.get("details") or {}
        return {**values, "stages": details.get("stages", values.get("stages", []))}


class RunsMessage(Answer):
    """The topic ``runs``: the newest cycle with its stages, runs and trials, and the newest
    commands.
    """

    full: Literal[True] = True
    cycle: CycleItem | None
    stages: list[StageItem]
    runs: list[RunItem]
    trials: list[TrialItem]
    commands: list[CommandItem]


class ProblemMessage(Answer):
    """Stands for any topic's message while its document cannot be made."""

    full: Literal[False] = False
    problem: str


class StreamMessages(Answer):
    """What the data of each topic holds, by the topic's name; each is a whole document."""

    live: LiveMessage | ProblemMessage
    runs: RunsMessage | ProblemMessage
    agents: AgentsAnswer | ProblemMessage
    patterns: PatternsAnswer | ProblemMessage

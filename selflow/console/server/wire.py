"""The records of the console's API: what it answers, its OpenAPI, and the page's types.

A figure here is the figure of the same name that ``selflow ... --json`` prints.
"""

from typing import Generic, Literal, TypeVar

from pydantic import JsonValue

from selflow.sdk.wire import Answer

Item = TypeVar("Item")


class Page(Answer, Generic[Item]):
    """Items, newest first; ``next`` is the ``cursor`` of those behind them, None at the end."""

    items: list[Item]
    next: str | None


class VersionAnswer(Answer):
    """``GET /api/version``."""

    version: str
    api: int
    schema_version: str


class RayState(Answer):
    """The Ray session. ``state`` is ``dead`` if it was started and has died."""

    state: str
    address: str | None
    is_ours: bool | None
    warnings: list[str]


class ProcessState(Answer):
    """A process beside Ray: the console, the keeper."""

    state: str
    pid: int | None


class Buffer(Answer):
    """The log, and the part of it that no finished cycle has learned from (``new_events``,
    ``size_bytes``).
    """

    events: int
    new_events: int
    size_bytes: int
    budget_bytes: int | None
    fill_fraction: float | None


class Condition(Answer):
    """One of the conditions under which a cycle starts by itself; all must hold.

    ``size``: new events or their bytes, whichever is nearer to its limit; ``drift`` fulfils it too.
    ``diversity``: different labels in the log. ``days``: different days with events.
    """

    name: Literal["size", "diversity", "days"]
    is_met: bool
    value: float
    needed: float
    unit: Literal["events", "bytes", "labels", "days"]


class NextLearning(Answer):
    """When the next cycle starts by itself, and why not now. ``at`` is the median of what the same
    hours of the last four weeks would give, ``low_at`` and ``high_at`` hold 80% of them; None where
    nothing can be said. ``text`` says all of it.
    """

    at: str | None
    low_at: str | None
    high_at: str | None
    reason: str
    text: str


class Service(Answer):
    """A service as the supervisor saw it last."""

    name: str
    state: str
    pid: int
    restarts: int
    lag_events: int
    last_error: str
    version: str
    seen_s_ago: float


class Process(Answer):
    """A living process of the session; ``is_pss``: its proportional share of memory."""

    pid: int
    name: str
    memory_bytes: int
    is_pss: bool


class ListenerState(Answer):
    """An address, and whether something accepts a connection there."""

    url: str
    listens: bool


class CycleItem(Answer):
    """A learning cycle; ``done_fraction`` is that of ``stage``."""

    id: str
    trigger: str
    state: Literal["requested", "running", "done", "failed", "skipped", "cancelled"]
    requested_at: str
    started_at: str | None
    finished_at: str | None
    upto_seq: int | None
    attempts: int
    stage: str
    done_fraction: float
    error: str


class BehaviourItem(Answer):
    """New behaviour or drift since the newest discovery, with its text in a line."""

    id: str
    cycle_id: str
    kind: Literal["new", "drift"]
    started_at: str
    last_at: str
    noticed_at: str
    windows: int
    terms: list[str]
    text: str


class Belief(Answer):
    """What the router believes of an arm: mean success with a 95% credible interval."""

    surface: str
    arm: str
    pulls: int
    success: float
    low: float
    high: float
    latency_s: float | None


class Beliefs(Answer):
    """The router's beliefs as stored."""

    items: list[Belief]
    feedback_number: int
    updated_at: str | None


class PauseState(Answer):
    """A pause of collection; ``until`` None: until it is resumed."""

    id: str
    since: str
    until: str | None
    by: str


class SystemAnswer(Answer):
    """``GET /api/system``: the document of ``selflow status --json``, the conditions of the next
    cycle, and the events of the last hour and of the last 24.
    """

    state: Literal["running", "starting", "degraded", "not running"]
    reasons: list[str]
    pause: PauseState | None
    storage: dict[str, str]
    ray: RayState
    serve: dict[str, str]
    keeper: ProcessState
    console: ProcessState
    buffer: Buffer | None
    conditions: list[Condition]
    next_learning: NextLearning
    last_hour_events: int
    last_day_events: int
    ingested: dict[str, int]
    shell_left_out: dict[str, int]
    commits_left_out: dict[str, int]
    champion: dict[str, JsonValue] | None
    cycle: CycleItem | None
    behaviour: list[BehaviourItem]
    agents: list[str]
    router: Beliefs
    consents: list[str]
    endpoints: dict[str, ListenerState]
    services: list[Service]
    processes: list[Process]
    versions: dict[str, str]
    root: str

"""The API's records of what learning found, made and judged."""

from typing import Literal

from pydantic import JsonValue

from selflow.console.server.wire import BehaviourItem, Beliefs
from selflow.sdk.wire import Answer


class PatternItem(Answer):
    """A cluster of the newest discovery, admitted or not. ``agreement`` and ``families`` are from
    0 to 1, None if undefined; ``reason`` says why it gets no agent, empty if it may have one.
    """

    id: str
    name: str
    state: Literal["alive", "part", "absent"]
    cycle_id: str
    created_at: str
    windows: int
    events: int
    days: int
    steps: int
    share: float
    agreement: float | None
    families: dict[str, float | None]
    grade: str | None
    reason: str
    terms: list[tuple[str, float]]
    hours: list[float]
    medoids: list[list[str]]
    """Typical windows: labels of their steps, kind and subject divided by U+001F."""
    alive_cycles: int | None
    parts: list[str]
    title: str
    is_hidden: bool
    merged_into: str
    etag: str
    """For ``If-Match``: another one as soon as title, hidden or merged is, or will be."""


class TransitionItem(Answer):
    """What became of a pattern of the cycle before, or how one came; ``likeness`` from 0 to 1."""

    cycle_id: str
    pattern: str
    change: Literal["survived", "split", "absorbed", "disappeared", "emerged", "returned"]
    into: list[str]
    likeness: float


class PatternsAnswer(Answer):
    """``GET /api/patterns``: the document of ``selflow patterns --all --json``."""

    items: list[PatternItem]
    transitions: list[TransitionItem]
    behaviour: list[BehaviourItem]
    next: None


class Matrix(Answer):
    """A symmetric table: ``values`` by row and column, both called ``names``."""

    names: list[str]
    values: list[list[float]]


class MapView(Answer):
    """A family of clusterings or the consensus, and in how many clusters it sees the windows."""

    name: str
    k: int


class AgreementAnswer(Answer):
    """``GET /api/patterns/agreement``. ``together``: the share of all partitions that keep two
    windows of two clusters together; ``agreement``: the adjusted mutual information of the families
    and the consensus. ``points`` of ``windows`` are on the map; ``names`` are those of the
    consensus's clusters by number.
    """

    cycle_id: str
    method: str
    windows: int
    points: int
    names: dict[str, str]
    views: list[MapView]
    together: Matrix
    agreement: Matrix


class VerdictItem(Answer):
    """What the gate said, with all numbers; without a look at the gate set there is no opening and
    no level.
    """

    id: str
    version_id: str
    cycle_id: str
    at: str
    decision: Literal["passed", "rejected", "no_verdict"]
    reasons: list[str]
    numbers: dict[str, JsonValue]
    gate_set: str | None
    opening: int | None
    alpha: float | None


class AgentItem(Answer):
    """A version of an agent; the champion serves."""

    id: str
    agent: str
    version: str
    sha256: str
    base_sha256: str
    pattern_id: str | None
    cycle_id: str
    status: Literal["champion", "retired", "rejected", "no_verdict", "deleted", "forgotten"]
    verdict_id: str
    created_at: str
    previous_id: str | None
    surface: str
    verdict: VerdictItem


class AgentsAnswer(Answer):
    """``GET /api/agents``: the items of ``selflow agents --json``, and what the router believes."""

    items: list[AgentItem]
    beliefs: Beliefs
    next: None


class RoutingBin(Answer):
    """Routed requests one behind the other: ``explored`` went to an arm although another has the
    higher mean, ``forced`` were named by the caller.
    """

    from_at: str
    to_at: str
    n: int
    explored: int
    exploited: int
    forced: int


class Density(Answer):
    """The belief of an arm: its probability of success is Beta(a, b)."""

    surface: str
    arm: str
    n: int
    a: float
    b: float


class Because(Answer):
    """Why a request was answered by whom it was."""

    decision_id: str
    at: str
    text: str


class RoutingAnswer(Answer):
    """``GET /api/agents/routing``: the document of ``selflow agents routing --json``."""

    n: int
    explored: int
    forced: int
    bins: list[RoutingBin]
    densities: list[Density]
    because: Because | None


class StageItem(Answer):
    """One stage of a cycle; ``seconds`` until now while it runs."""

    cycle_id: str
    name: str
    started_at: str
    finished_at: str | None
    seconds: float
    sha256: str | None
    result: dict[str, JsonValue]


class TrialItem(Answer):
    """One configuration that a search tried; ``tune_bits`` is its lowest log-loss on the tune part.

    ``losses`` and ``checks`` are curves of (step, bits): the training loss, and the loss on the
    tune part. ``eta_s`` is the time to its last step, were it trained to the end; a trial that no
    run told of has no steps.
    """

    id: str
    cycle_id: str
    agent: str
    config: dict[str, JsonValue]
    state: Literal["running", "rung", "finished", "failed", "stopped", "lost"]
    tune_bits: float | None
    seconds: float
    error: str
    step: int | None
    steps: int | None
    tokens_per_s: float | None
    memory_bytes: int | None
    losses: list[tuple[int, float]]
    checks: list[tuple[int, float]]
    eta_s: float | None
    started_at: str | None


class TrialsAnswer(Answer):
    """``GET /api/trials``: the document of ``selflow trials --json``."""

    items: list[TrialItem]
    next: None


class RunFacts(Answer):
    """What is known of every run: which it is, how it stands, and how far it came."""

    id: str
    cycle_id: str
    stage: str
    agent: str
    config: dict[str, JsonValue]
    state: Literal["running", "rung", "finished", "failed", "lost"]
    started_at: str
    finished_at: str | None
    step: int
    steps: int
    error: str


class RunItem(RunFacts):
    """Long work in one process: a stage, or a configuration of a search (then with ``config``).
    ``lost``: its process is gone; the last point stays. ``step_s`` is the median of the last 20
    step times, ``eta_s`` the remaining steps times that.
    """

    updated_at: str
    pid: int
    tokens: int
    tokens_per_s: float | None
    step_s: float | None
    memory_bytes: int
    losses: list[tuple[int, float]]
    checks: list[tuple[int, float]]
    eta_s: float | None


class RunsAnswer(Answer):
    """``GET /api/runs``, in the order in which they began."""

    items: list[RunItem]
    next: None


class PastRun(RunFacts):
    """What a run came to. ``best_bits`` and ``last_bits`` are its loss on the tune part, of a run
    that has none there its training loss (``measure`` says which); None before the first point.
    ``seconds`` end with its last sign of life.
    """

    seconds: float
    measure: Literal["tune", "training"] | None
    best_bits: float | None
    last_bits: float | None


class StagesAnswer(Answer):
    """``GET /api/cycles/{id}/stages``: the journal, in the order of the work."""

    items: list[StageItem]
    next: None


class SaidItem(Answer):
    """A word of feedback; no value if it was deleted with its events."""

    id: str
    metric: str
    value: JsonValue
    tags: dict[str, JsonValue]
    at: str


class DecisionItem(Answer):
    """One answered prediction, how the router chose who answers, and of each metric of feedback the
    last word.
    """

    id: str
    at: str
    mode: str
    upto_seq: int
    predictions: list[JsonValue]
    experts: list[JsonValue]
    routing: dict[str, JsonValue] | None
    feedback: list[SaidItem]


class AuditItem(Answer):
    """One act, chained to the one before it."""

    seq: int
    at: str
    actor: str
    action: str
    subject: str
    details: dict[str, JsonValue]
    prev_hash: str
    hash: str

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
    status: Literal["champion", "retired", "rejected", "no_verdict"]
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
    """One configuration that a search tried; ``tune_bits`` is its log-loss on the tune part."""

    id: str
    cycle_id: str
    agent: str
    config: dict[str, JsonValue]
    state: Literal["rung", "finished", "failed", "stopped"]
    tune_bits: float | None
    seconds: float
    error: str


class TrialsAnswer(Answer):
    """``GET /api/trials``."""

    items: list[TrialItem]
    next: None


class StagesAnswer(Answer):
    """``GET /api/cycles/{id}/stages``: the journal, in the order of the work."""

    items: list[StageItem]
    next: None


class DecisionItem(Answer):
    """One answered prediction, and how the router chose who answers."""

    id: str
    at: str
    mode: str
    upto_seq: int
    predictions: list[JsonValue]
    experts: list[JsonValue]
    routing: dict[str, JsonValue] | None


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

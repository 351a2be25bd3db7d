"""What the catalog's rows mean, for those who write them (``catalog``) and those who only read
(``reading``). The catalog is defined here and in ``pattern_records``: ``schema`` makes a table of
each record, a column of each field.

Moments are UTC microseconds since 1970.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from selflow.core.events import Json
from selflow.core.grants import Scope
from selflow.core.health import Health
from selflow.core.surfaces import Surface
from selflow.store.row import Row

ImportState = Literal["running", "done", "failed"]


def version_of(sha256: str) -> str:
    """The version of a model by the hash of its files (docs/http.md#model-ids)."""
    return sha256[:12]


@dataclass(frozen=True, slots=True)
class Consent(Row):
    """The owner's word on one kind of source; it stands while ``revoked_at_us`` is None."""

    table = "consents"
    key = ("source",)
    source: str
    granted_at_us: int
    revoked_at_us: int | None
    details: Mapping[str, Json]

    @property
    def folders(self) -> tuple[str, ...]:
        """The folders that the owner named; a kind without folders has none."""
        paths = self.details.get("paths", [])
        return tuple(map(str, paths)) if isinstance(paths, list) else ()


@dataclass(frozen=True, slots=True)
class Token(Row):
    """A bearer token without its secret. ``only`` narrows it to some areas, ``sources`` to events
    of some sources; empty is not a restriction.
    """

    table = "tokens"
    order = ("created_at_us",)
    id: str
    scope: Scope
    only: Sequence[str]
    sources: Sequence[str]
    label: str
    created_at_us: int
    expires_at_us: int | None
    revoked_at_us: int | None
    secret_sha256: str = field(repr=False)
    """Of 32 random bytes, so nobody can go back from it to the secret."""


@dataclass(frozen=True, slots=True)
class Service(Health, Row):
    """A service as the supervisor saw it last."""

    table = "services"
    key = ("name",)
    restarts: int
    seen_at_us: int


@dataclass(frozen=True, slots=True)
class Fact(Row):
    """One thing that the session says of itself."""

    table = "session"
    key = ("name",)
    name: str
    value: Json
    at_us: int


@dataclass(frozen=True, slots=True)
class Artifact(Row):
    """A folder of the artifact store; the catalog fills in when it came to know it."""

    table = "artifacts"
    key = ("sha256",)
    sha256: str
    kind: str
    size_bytes: int
    meta: Mapping[str, Json]
    created_at_us: int = 0


@dataclass(frozen=True, slots=True)
class Parent(Row):
    """What an artifact, the ``child``, was made from: events of the log (``kind`` ``events``) or
    another artifact. The catalog fills in the child.
    """

    table = "lineage"
    key = ("child", "kind", "id", "first_seq", "last_seq")
    kind: str
    id: str
    first_seq: int = 0
    last_seq: int = 0
    child: str = ""


@dataclass(frozen=True, slots=True)
class Predictor(Row):
    """What predicts, learned from the events up to ``upto_seq``; the champion is the one that
    serves.
    """

    table = "predictors"
    order = ("created_at_us",)
    id: str
    sha256: str
    upto_seq: int
    created_at_us: int
    status: Literal["champion", "superseded"]
    metrics: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Decision(Row):
    """One answered prediction. ``context`` is what the caller sent; None if the live tail
    was used.
    """

    table = "decisions"
    order = ("at_us",)
    id: str
    at_us: int
    mode: str
    upto_seq: int
    predictions: Sequence[Json]
    experts: Sequence[Json]
    context: Sequence[Json] | None = None
    routing: Mapping[str, Json] | None = None
    """How the router chose who answers: arm, surface, version, propensity, policy, snapshot and the
    like.
    """

    @property
    def is_prediction(self) -> bool:
        """Whether it said what comes next, so that an outcome can grade it; else it is a text."""
        return self.mode in {"pool", "routed"}


@dataclass(frozen=True, slots=True)
class Feedback(Row):
    """One word on a decision. ``number`` grows with every feedback; a superseded one stays."""

    table = "feedback"
    key = ("number",)
    number: int
    id: str
    decision_id: str
    metric: str
    value: Json
    tags: Mapping[str, Json]
    at_us: int
    is_superseded: bool
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True)
class RoutedFeedback(Feedback):
    """A word on a decision that the router made, with what that decision said."""

    routing: Mapping[str, Json] = field(default_factory=dict)
    predictions: Sequence[Json] = ()


@dataclass(frozen=True, slots=True)
class Import(Row):
    """One run of an importer; ``label`` names the file, never its content."""

    table = "imports"
    order = ("started_at_us",)
    id: str
    label: str
    path_sha256: str
    source: str
    rows: int
    accepted: int
    rejected: int
    started_at_us: int
    finished_at_us: int | None
    state: ImportState
    retained: str
    """Of a file that is followed by its content: the newest events' digests, as hexadecimal."""


@dataclass(frozen=True, slots=True)
class AuditEntry(Row):
    """One act, chained to the one before it by ``prev_hash``."""

    table = "audit"
    key = ("seq",)
    seq: int
    at_us: int
    actor: str
    action: str
    subject: str
    details: Mapping[str, Json]
    prev_hash: str
    hash: str


@dataclass(frozen=True, slots=True)
class AuditHead(Row):
    """Where the audit chain ends, so that a removed end is seen: one row."""

    table = "audit_head"
    seq: int
    hash: str
    id: int = 1


@dataclass(frozen=True, slots=True)
class Cycle(Row):
    """One learning cycle on the events up to ``upto_seq``; ``requested`` and ``running`` ones are
    open.
    """

    table = "cycles"
    order = ("requested_at_us",)
    id: str
    trigger: Literal["owner", "size", "drift", "schedule"]
    state: Literal["requested", "running", "done", "failed", "skipped", "cancelled"]
    """``done`` alone consumes the buffer; ``skipped``: nobody asked for it and too little came."""
    requested_at_us: int
    started_at_us: int | None = None
    finished_at_us: int | None = None
    upto_seq: int | None = None
    attempts: int = 0
    stage: str = ""
    done_fraction: float = 0.0
    error: str = ""


@dataclass(frozen=True, slots=True)
class Stage(Row):
    """One stage of a cycle; done once ``finished_at_us`` is there. ``sha256`` is the artifact that
    it made, if any.
    """

    table = "stages"
    key = ("cycle_id", "name")
    order = ("started_at_us",)
    cycle_id: str
    name: str
    started_at_us: int
    finished_at_us: int | None
    sha256: str | None
    result: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Base(Row):
    """A language model that agents stood on; the current one is what new agents are grown on."""

    table = "bases"
    key = ("sha256",)
    order = ("created_at_us",)
    sha256: str
    name: str
    cycle_id: str
    created_at_us: int
    is_current: bool = True

    @property
    def version(self) -> str:
        """As the router and the answers' headers name it."""
        return version_of(self.sha256)


@dataclass(frozen=True, slots=True)
class Trial(Row):
    """One configuration that a search tried; ``tune_bits`` is its log-loss on the tune part, None
    if it has none.
    """

    table = "trials"
    id: str
    cycle_id: str
    agent: str
    config: Mapping[str, Json]
    state: Literal["rung", "finished", "failed", "stopped"]
    tune_bits: float | None
    seconds: float
    error: str


@dataclass(frozen=True, slots=True)
class AgentVersion(Row):
    """What serves one pattern on one surface, ``id`` NAME@VERSION: for the next step an adapter,
    for lines its learned state. The champion serves, retired ones did; deleted ones were given
    up by the owner, of forgotten ones the files are gone with their data. ``previous_id`` served
    before it.
    """

    table = "agent_versions"
    order = ("created_at_us",)
    id: str
    agent: str
    version: str
    sha256: str
    base_sha256: str
    pattern_id: str | None
    """None: all that comes on its surface."""
    cycle_id: str
    status: Literal["champion", "retired", "rejected", "no_verdict", "deleted", "forgotten"]
    verdict_id: str
    created_at_us: int
    previous_id: str | None = None
    surface: Surface = "next"

    @property
    def is_gone(self) -> bool:
        """Whether it can never serve again, because its files were given up."""
        return self.status in {"deleted", "forgotten"}


@dataclass(frozen=True, slots=True)
class Verdict(Row):
    """What the gate said. The judge fills the first six; the catalog knows the rest when it
    registers the version. Without a look at the gate part there is no opening and no level.
    """

    table = "verdicts"
    order = ("at_us",)
    decision: Literal["passed", "rejected", "no_verdict"]
    reasons: Sequence[str]
    numbers: Mapping[str, Json]
    gate_set: str | None
    opening: int | None
    alpha: float | None
    id: str = ""
    version_id: str = ""
    cycle_id: str = ""
    at_us: int = 0


@dataclass(frozen=True, slots=True)
class Opening(Row):
    """The ledger's entry that the steps from ``first_us`` to ``last_us`` were about to be looked
    at, as the ``opening``-th look at a gate set.
    """

    table = "gate_ledger"
    key = ("gate_set", "opening")
    order = ("at_us",)
    gate_set: str
    opening: int
    candidate: str
    cycle_id: str
    first_us: int
    last_us: int
    at_us: int


@dataclass(frozen=True, slots=True)
class Beliefs(Row):
    """The router's beliefs after the feedback up to ``feedback_number``; ``number`` grows with
    every snapshot.
    """

    table = "routing"
    number: int
    beliefs: Mapping[str, Json]
    feedback_number: int
    at_us: int
    id: int = 1

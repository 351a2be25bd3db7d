"""What the catalog's rows mean, for those who write them (``catalog``) and those who only read (``reading``).

Moments are UTC microseconds since 1970.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from selflow.core.access import Scope
from selflow.core.events import Json
from selflow.core.health import Health

ImportState = Literal["running", "done", "failed"]


@dataclass(frozen=True, slots=True)
class Consent:
    """The owner's word on one kind of source; it stands while ``revoked_at_us`` is None."""

    source: str
    granted_at_us: int
    revoked_at_us: int | None
    details: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token without its secret. ``only`` narrows it to some areas; empty is no narrowing."""

    id: str
    scope: Scope
    only: tuple[str, ...]
    label: str
    created_at_us: int
    expires_at_us: int | None
    revoked_at_us: int | None


@dataclass(frozen=True, slots=True)
class Service:
    """A service as the supervisor saw it last."""

    health: Health
    restarts: int
    seen_at_us: int


@dataclass(frozen=True, slots=True)
class Artifact:
    """A folder of the artifact store."""

    sha256: str
    kind: str
    size_bytes: int
    meta: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Parent:
    """What an artifact was made from: events of the log (``kind`` ``events``) or another artifact."""

    kind: str
    id: str
    first_seq: int = 0
    last_seq: int = 0


@dataclass(frozen=True, slots=True)
class Predictor:
    """What predicts, learned from the events up to ``upto_seq``; the champion is the one that serves."""

    id: str
    sha256: str
    upto_seq: int
    created_at_us: int
    status: Literal["champion", "superseded"]
    metrics: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Decision:
    """One answered prediction. ``context`` is what the caller sent; None if the live tail was used."""

    id: str
    at_us: int
    mode: str
    upto_seq: int
    predictions: Sequence[Json]
    experts: Sequence[Json]
    context: Sequence[Json] | None = None


@dataclass(frozen=True, slots=True)
class Feedback:
    """One word on a decision. ``number`` grows with every feedback; a superseded one stays."""

    number: int
    id: str
    decision_id: str
    metric: str
    value: Json
    tags: Mapping[str, Json]
    at_us: int
    is_superseded: bool


@dataclass(frozen=True, slots=True)
class Import:
    """One run of an importer; ``label`` names the file, never its content."""

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


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One act, chained to the one before it by ``prev_hash``."""

    seq: int
    at_us: int
    actor: str
    action: str
    subject: str
    details: Mapping[str, Json]
    prev_hash: str
    hash: str

"""What there is to tell the owner now, from catalog, session and disk."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from selflow.console.server.read_model import ReadModel
from selflow.core.clock import as_datetime, owner_zone, parse_ts_us
from selflow.core.grants import OWNER
from selflow.core.notice_kinds import NoticeKind
from selflow.store.reading import CatalogReader
from selflow.store.records import AgentVersion, AuditEntry, Cycle
from selflow.store.views import alive_patterns

LONG_PAUSE_US = 24 * 3_600_000_000
COMPANION = "shell_companion"
_AUDIT_ROWS = 200
_REMOVALS = frozenset({"agent.rollback", "agent.retire"})


class NoticeFact(NamedTuple):
    """Something worth a notice; told once for each subject."""

    kind: NoticeKind
    subject: str


def notice_facts(model: ReadModel, now_us: int) -> Iterator[NoticeFact]:
    """Everything that holds now; who writes leaves out what was told."""
    catalog, status = model.catalog, model.status()
    for pattern in alive_patterns(catalog):
        is_admitted = pattern.agreement is not None and not pattern.reason
        if is_admitted and not pattern.is_hidden:
            yield NoticeFact("pattern.new", pattern.id)
    for version in catalog.learned(AgentVersion, status="champion"):
        yield NoticeFact("agent.promoted", version.id)
    for entry in catalog.newest(AuditEntry, _AUDIT_ROWS):
        if entry.action in _REMOVALS and entry.actor != OWNER:
            yield NoticeFact("agent.rolled_back", f"audit {entry.seq}")
    yield from _stalled(catalog, status, now_us)
    if status["storage"]["state"] == "full":
        today = as_datetime(now_us).astimezone(owner_zone()).date()
        yield NoticeFact("disk.full", today.isoformat())
    has_hooks = any(model.root.shell_hooks.glob("*"))
    if has_hooks and COMPANION not in status["consents"]:
        yield NoticeFact("permission.asked", COMPANION)


def _stalled(catalog: CatalogReader, status: dict[str, Any], now_us: int) -> Iterator[NoticeFact]:
    """The newest cycle failed, or a pause of collection is a day old."""
    for cycle in catalog.newest(Cycle, 1):
        if cycle.state == "failed":
            yield NoticeFact("learning.stalled", cycle.id)
    pause = status.get("pause")
    if pause and now_us - parse_ts_us(pause["since"]) >= LONG_PAUSE_US:
        yield NoticeFact("learning.stalled", pause["id"])

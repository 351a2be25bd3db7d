"""What deleting a selection of events would do, computed and not done."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from selflow.core.clock import as_datetime, rfc3339
from selflow.core.events import Json, Stored
from selflow.core.selection import EventSelection, Matches
from selflow.store.command_records import Command
from selflow.store.lineage import Affected, Rows, affected_by, ranges_of

READ_EVENTS = 2_000
SHOWN_DAYS = 60


class Feed(Protocol):
    """Hands out stored events: ``EventFeed`` without its fill."""

    def read(self, after_seq: int, limit_events: int) -> Sequence[Stored]:
        """Events behind a sequence number."""
        ...


@dataclass(frozen=True, slots=True)
class Preview:
    """The events that a selection means now, and what was learned from them."""

    selection: EventSelection
    seqs: tuple[int, ...]
    first_us: int | None
    last_us: int | None
    days: Counter[str]
    sources: Counter[str]
    affected: Affected

    @property
    def confirm_id(self) -> str:
        """What the second step has to repeat: it names the selection and what it meant."""
        return f"{self.selection.digest()}-{len(self.seqs)}"

    def document(self) -> dict[str, Any]:
        """In the shape of the API; of many days the newest."""
        affected = self.affected
        days = sorted(self.days.items(), reverse=True)
        return {
            "events": len(self.seqs),
            "first_at": rfc3339(self.first_us) if self.first_us is not None else None,
            "last_at": rfc3339(self.last_us) if self.last_us is not None else None,
            "days": [{"day": day, "events": events} for day, events in days[:SHOWN_DAYS]],
            "days_total": len(days),
            "sources": [
                {"source": source, "events": events}
                for source, events in sorted(self.sources.items())
            ],
            "retired": [one.id for one in affected.serving],
            "removed": [one.id for one in affected.versions if one.status != "champion"],
            "retrained": {
                "predictor": any(one.status == "champion" for one in affected.predictors),
                "patterns": sorted(one.name for one in affected.patterns),
            },
            "confirm_id": self.confirm_id,
        }


def preview(feed: Feed, rows: Rows, selection: EventSelection, matches: Matches) -> Preview:
    """Look at every stored event.

    Cost: reads the log once, about 12 us per event.
    """
    days, sources = Counter[str](), Counter[str]()
    seqs: list[int] = []
    moments: list[int] = []
    for stored in every_event(feed):
        event = stored.event
        if matches(event):
            seqs.append(stored.seq)
            moments.append(event.ts_us)
            days[as_datetime(event.ts_us).date().isoformat()] += 1
            sources[event.source] += 1
    return Preview(
        selection,
        tuple(seqs),
        min(moments, default=None),
        max(moments, default=None),
        days,
        sources,
        affected_by(rows, ranges_of(seqs)),
    )


def every_event(feed: Feed) -> Iterator[Stored]:
    """The whole log, in its order."""
    last_seq = 0
    while batch := feed.read(last_seq, READ_EVENTS):
        yield from batch
        last_seq = batch[-1].seq


def forget_command(
    command_id: str, selection: EventSelection, events: int, actor: str, now_us: int
) -> Command:
    """The command that asks for a deletion; its subject says how much, never what."""
    details: dict[str, Json] = {"selection": selection.document(), "stages": []}
    subject = f"{events:,} events"
    return Command(command_id, "events.forget", subject, details, actor, "queued", now_us)

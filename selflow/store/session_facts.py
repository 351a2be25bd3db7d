"""What a session says of itself, as one record over the catalog's keys and values."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

from selflow.core.events import Json
from selflow.core.ingest_counts import IngestCounts
from selflow.core.session_files import ProcessRecord
from selflow.core.trigger_limits import TriggerLimits


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """What a session says of itself besides its services; each field is a ``Fact``, and one that is
    missing there has its default here.
    """

    is_serving: bool = False
    """Whether the supervisor keeps Ray Serve up."""
    budget_bytes: int | None = None
    """The setting ``buffer.budget_bytes``: loading the settings would take ``status`` too long."""
    check_interval_s: float | None = None
    """The setting ``supervisor.check_interval_s``, by which ``status`` knows a silent one."""
    processes: tuple[ProcessRecord, ...] = ()
    """The processes of the node's Ray as the supervisor saw them last."""
    ingested: IngestCounts = field(default_factory=IngestCounts)
    """What became of the events that reached the collector, as it told last."""
    trigger: TriggerLimits | None = None
    """When a cycle starts by itself."""

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The facts from the table's keys and values."""
        known = {item.name: values[item.name] for item in fields(cls) if item.name in values}
        rows = known.get("processes", ())
        trigger = known.get("trigger")
        parsed = {
            # A session of an earlier SelFlow wrote moments, by which no process is known any more
            "processes": tuple(ProcessRecord(**row) for row in rows if "after_boot_us" in row),
            "trigger": None if trigger is None else TriggerLimits(**trigger),
            "ingested": IngestCounts(**known.get("ingested", {})),
        }
        return cls(**(known | parsed))

    def to_json(self) -> dict[str, Json]:
        """The table's keys and values."""
        return asdict(self)

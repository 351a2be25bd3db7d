"""What the command line and the console show of the catalog: the same documents for both.

No SQLAlchemy may be imported here, not even indirectly.
"""

from typing import Any

from selflow.core.clock import rfc3339
from selflow.store.pattern_records import Pattern, Transition
from selflow.store.reading import CatalogReader
from selflow.store.records import AgentVersion, Beliefs, Stage, Verdict
from selflow.store.row import document


def agent_items(reader: CatalogReader) -> list[dict[str, Any]]:
    """Every version with its verdict, newest first."""
    verdicts = {record.id: document(record) for record in reader.learned(Verdict)}
    versions = sorted(reader.learned(AgentVersion), key=lambda record: -record.created_at_us)
    return [{**document(record), "verdict": verdicts[record.verdict_id]} for record in versions]


def alive_patterns(reader: CatalogReader) -> list[Pattern]:
    """The current patterns, largest first."""
    alive = reader.learned(Pattern, state="alive")
    return sorted(alive, key=lambda pattern: -pattern.windows)


def pattern_changes(reader: CatalogReader, current: list[Pattern]) -> list[Transition]:
    """What became of all patterns in the cycle that found these."""
    cycles = dict.fromkeys(pattern.cycle_id for pattern in current)
    return [item for cycle in cycles for item in reader.learned(Transition, cycle_id=cycle)]


def patterns_document(reader: CatalogReader, *, with_hidden: bool) -> dict[str, Any]:
    """The current patterns, what became of the last cycle's, and what has changed since."""
    current = alive_patterns(reader)
    changes = pattern_changes(reader, current)
    return {
        "items": [document(item) for item in current if with_hidden or not item.is_hidden],
        "transitions": [document(change) for change in changes],
        "behaviour": behaviour_items(reader),
        "next": None,
    }


def behaviour_items(reader: CatalogReader) -> list[dict[str, Any]]:
    """New behaviour and drift since the newest discovery, each with its text."""
    return [{**document(change), "text": change.text} for change in reader.behaviour_changes()]


def stage_documents(reader: CatalogReader, cycle_id: str, now_us: int) -> list[dict[str, Any]]:
    """The journal of a cycle; the seconds of a stage that is worked on count until now."""
    return [
        {
            **document(stage),
            "seconds": round(((stage.finished_at_us or now_us) - stage.started_at_us) / 1e6, 3),
        }
        for stage in reader.learned(Stage, cycle_id=cycle_id)
    ]


def router_beliefs(reader: CatalogReader) -> dict[str, Any]:
    """What the router believes, as it stored it: arms with intervals, the feedback they hold, and
    when that was.
    """
    stored = next(iter(reader.learned(Beliefs)), None)
    return {
        "items": stored.beliefs.get("summary", []) if stored else [],
        "feedback_number": stored.feedback_number if stored else 0,
        "updated_at": rfc3339(stored.at_us) if stored else None,
    }

"""When a learning cycle starts by itself, as plain numbers: ``selflow status`` reads them without
the settings, which take longer than all the rest.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from selflow.core.settings import Settings


@dataclass(frozen=True, slots=True)
class TriggerLimits:
    """The settings ``buffer`` and ``learning`` that say so."""

    trigger_bytes: float
    trigger_events: int
    min_labels: int
    min_days: int
    is_automatic: bool

    @classmethod
    def of(cls, settings: "Settings") -> Self:
        """From the settings of a session."""
        buffer = settings.buffer
        return cls(
            buffer.trigger_fraction * buffer.budget_bytes,
            buffer.trigger_events,
            buffer.min_templates,
            buffer.min_days,
            settings.learning.automatic,
        )

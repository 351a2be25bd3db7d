"""What a machine has that could be collected or imported: counts, and no content."""

from dataclasses import dataclass

FINDINGS = "selflow.findings"
"""The group of entry points that find: each takes the home folder and a folder for copies."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found."""

    kind: str
    """The kind of source that would read it."""
    location: str
    count: int
    unit: str
    """What was counted: ``visits``."""
    next_step: str = ""
    """A command that brings in what is there already; empty if there is none."""

    def __str__(self) -> str:
        step = f"; to bring it in: {self.next_step}" if self.next_step else ""
        return f"{self.location}: {self.count:,} {self.unit}{step}"

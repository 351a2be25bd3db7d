"""How far a read has come, and which lines could not be used. Whoever reads fills it, whoever shows
it looks.
"""

from dataclasses import dataclass, field

_MAX_NAMED_LINES = 100


@dataclass(slots=True)
class Progress:
    """Counts of one file or repository. ``done`` and ``total`` are bytes on disk, or commits; 0 is
    unknown.
    """

    done: int = 0
    total: int = 0
    rows: int = 0
    bad_rows: int = 0
    bad_lines: list[int] = field(default_factory=list)
    """Numbers of the first hundred lines that could not be used, counted from 1. Their content is
    never kept.
    """

    def skip(self, line: int) -> None:
        """Count a row that could not be used."""
        self.bad_rows += 1
        if len(self.bad_lines) < _MAX_NAMED_LINES:
            self.bad_lines.append(line)

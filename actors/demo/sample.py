"""The bundled sample of real events, and the cut between what is learned and what is asked
(decision 0007).

It is development data: SelFlow's parameters were chosen on the history of the same project.
"""

import csv
import gzip
import io
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import groupby

from selflow.core.events import Event

FILE = "pandoc_files.csv.gz"
SOURCE = "import:pandoc"
KIND = "file.change"
HELD_OUT_COMMITS = 50
CONTEXT_COMMITS = 8

Commit = tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """Commits in time order: those that are replayed, and the later ones that no stage sees before
    they are asked.
    """

    seen: Sequence[Commit]
    held_out: Sequence[Commit]

    @property
    def events(self) -> list[Event]:
        """What is replayed, in order."""
        return [event for commit in self.seen for event in commit]

    def context(self, index: int) -> list[Event]:
        """The events of the commits before the held-out commit ``index``."""
        before = [*self.seen[-CONTEXT_COMMITS:], *self.held_out[:index]]
        return [event for commit in before[-CONTEXT_COMMITS:] for event in commit]


def load(newest_rows: int | None = None) -> Sample:
    """The sample: 20,100 file events of 9,927 commits from 2013 to 2026; or its newest rows, in
    whole commits.
    """
    data = files("actors.demo").joinpath(FILE).read_bytes()
    rows = list(csv.DictReader(io.StringIO(gzip.decompress(data).decode())))
    commits = [tuple(map(_event, rows)) for _, rows in groupby(rows, key=lambda row: row["commit"])]
    seen, held_out = commits[:-HELD_OUT_COMMITS], commits[-HELD_OUT_COMMITS:]
    if newest_rows is not None:
        while len(seen) > CONTEXT_COMMITS and sum(map(len, seen)) > newest_rows:
            seen = seen[max(1, len(seen) // 100) :]
    return Sample(seen, held_out)


def _event(row: dict[str, str]) -> Event:
    return Event(
        int(row["ts"]) * 1_000_000,
        SOURCE,
        KIND,
        row["path"],
        data={"step": row["commit"], "action": row["action"]},
    )

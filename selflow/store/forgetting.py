"""Deletes events and all that was made from them, stage by stage; each may be done again.

What is left where: the batch numbers of senders (so that a repeated batch brings nothing back), the
audit log (which holds no content but names of agents), and the numbers of verdicts.
"""

import re
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from selflow.core.clock import Clock
from selflow.core.codec import decode_record
from selflow.core.errors import StoreError
from selflow.core.events import Event, Fill, Json, Stored
from selflow.core.paths import Root
from selflow.core.selection import Matches, event_text
from selflow.store.artifacts import ArtifactStore
from selflow.store.catalog import Catalog
from selflow.store.command_records import Command
from selflow.store.forget_preview import every_event
from selflow.store.lineage import Affected, Rows, affected_by, ranges_of
from selflow.store.records import Artifact
from selflow.store.spool import rewrite

STAGES = ("cycle", "spools", "log", "derived", "models", "serving", "words", "retrain")
"""In their order: what computes from the log ends first, what was deleted is missing everywhere
before anything is learned again."""
_TERM = re.compile(r"\w+")
_END_LIMIT_S = 120.0
"""A round of the supervisor ends a cancelled cycle; while much else runs it takes a minute."""
_POLL_S = 0.2
SpoolFilter = Callable[[Matches], int]
"""Takes what a selection means out of a spool of hooks, and says how many records that were."""


class ErasableLog(Protocol):
    """A log whose events can be deleted: ``EventLog``, or a link to the buffer."""

    def read(self, after_seq: int, limit_events: int) -> Sequence[Stored]:
        """Events behind a sequence number."""
        ...

    def fill(self) -> Fill:
        """How full the log is."""
        ...

    def forget(self, seqs: Sequence[int]) -> int:
        """Delete events for good."""
        ...


@dataclass(frozen=True, slots=True)
class Forgetting:
    """Carries out one deletion after the other. For one thread."""

    root: Root
    catalog: Catalog
    rows: Rows
    """Reads the same catalog."""
    log: ErasableLog
    clock: Clock
    restart_serving: Callable[[], None]
    """Ends what serves with memory of the events; what comes up learns again."""
    filter_hooks: SpoolFilter
    """Goes through what shells and git wrote and nobody has read yet."""
    running_cycle: Callable[[], str]
    """The cycle whose processes run; empty if none does."""

    def run(self, command: Command, matches: Matches) -> None:
        """Delete what matches now. A stage that was done in an earlier attempt is done again: it
        finds nothing then.

        Raises:
            StoreError: A stage failed; the command says which, and may be asked for again.
        """
        work = _Work(self, command, matches)
        for name in STAGES:
            began_s = self.clock.monotonic_s()
            work.note(name, "running", {})
            try:
                result = work.stages[name]()
            except (StoreError, OSError) as error:
                why = str(error) if isinstance(error, StoreError) else type(error).__name__
                work.note(name, "failed", {})
                raise StoreError(
                    f"{name}: {why}", "selflow forget --resume, or Retry on the page"
                ) from error
            work.note(name, "done", result, self.clock.monotonic_s() - began_s)
        work.finish()


class _Work:
    """One deletion on its way; what it must remember for another attempt is in the command."""

    def __init__(self, tools: Forgetting, command: Command, matches: Matches) -> None:
        self._tools = tools
        self._command = command
        self._matches = matches
        self._details: dict[str, Any] = dict(command.details)
        self._is_gone: Callable[[str], bool] | None = None
        self._unnamed = frozenset[str]()
        self.stages: Mapping[str, Callable[[], dict[str, Json]]] = {
            "cycle": self._end_cycle,
            "spools": self._filter_spools,
            "log": self._delete,
            "derived": self._drop_derived,
            "models": self._drop_models,
            "serving": self._restart,
            "words": self._blank_words,
            "retrain": self._retrain,
        }

    def note(
        self, name: str, state: str, result: Mapping[str, Json], seconds: float | None = None
    ) -> None:
        """Write down how far it is."""
        done = [item for item in self._details.get("stages", []) if item["name"] != name]
        entry = {"name": name, "state": state, "seconds": seconds, "result": dict(result)}
        self._details = {**self._details, "stages": [*done, entry]}
        self._tools.catalog.commands.note(self._command.id, self._details)

    def finish(self) -> None:
        """Keep counts alone: a folder or a word of the selection is content too."""
        self._details.pop("selection", None)
        self._details.pop("ranges", None)
        self._tools.catalog.commands.note(self._command.id, self._details)
        self._tools.catalog.forgotten.write_back()

    def _end_cycle(self) -> dict[str, Json]:
        cycles = self._tools.catalog.cycles
        cycle = cycles.open()
        if cycle is not None:
            cycles.cancel(cycle.id, self._tools.clock.now_us())
            self._details |= {"is_learned": True}  # it was asked for, and is again without them
        self._wait_for_its_processes()
        self._unnamed = self._unnamed_artifacts()
        if cycle is not None:
            shutil.rmtree(self._tools.root.work / cycle.id, ignore_errors=True)
        return {"cancelled": cycle.id if cycle else None}

    def _wait_for_its_processes(self) -> None:
        """What still computes from the events would write them down again behind the deletion."""
        tools = self._tools
        deadline_s = tools.clock.monotonic_s() + _END_LIMIT_S
        while (running := tools.running_cycle()) and not self._is_open(running):
            if tools.clock.monotonic_s() > deadline_s:
                raise StoreError("the cancelled cycle has not ended", "see selflow status")
            tools.clock.sleep(_POLL_S)

    def _unnamed_artifacts(self) -> frozenset[str]:
        """What a cancelled stage stored, and never wrote into the catalog: no lineage names it.
        Others name theirs within moments, so one that is unnamed here and again later is nobody's.
        """
        known = {one.sha256 for one in self._tools.rows.learned(Artifact)}
        return ArtifactStore(self._tools.root.artifacts).hashes() - known

    def _is_open(self, cycle_id: str) -> bool:
        cycle = self._tools.catalog.cycles.open()
        return cycle is not None and cycle.id == cycle_id

    def _delete(self) -> dict[str, Json]:
        """Before anything is deleted, its numbers are written down for what follows."""
        log = self._tools.log
        matched: list[int] = []
        remaining, gone = set[str](), set[str]()
        first_us = self._details.get("first_us")
        for stored in every_event(log):
            is_match = self._matches(stored.event)
            (gone if is_match else remaining).update(_terms(stored.event))
            if is_match:
                matched.append(stored.seq)
                first_us = min(stored.event.ts_us, first_us or stored.event.ts_us)
        before = [(int(first), int(last)) for first, last in self._details.get("ranges", [])]
        if before:  # what an earlier attempt deleted cannot be read any more
            self._is_gone = lambda term: term not in remaining
        else:
            only = gone - remaining
            self._is_gone = only.__contains__
        ranges = sorted({*before, *ranges_of(matched)})
        self._details |= {"ranges": [list(run) for run in ranges], "first_us": first_us}
        self._tools.catalog.commands.note(self._command.id, self._details)
        return {"events": log.forget(matched)}

    def _filter_spools(self) -> dict[str, Json]:
        def keeps(record: bytes) -> bool:
            return not self._matches(decode_record(record))

        batches = rewrite(self._tools.root.spool, keeps)
        hooks = self._tools.filter_hooks(self._matches)
        return {"records": batches + hooks}

    def _drop_derived(self) -> dict[str, Json]:
        """Indices and sums are computed again from what is left."""
        folder = self._tools.root.derived
        files = [path for path in folder.glob("*") if path.is_file() and path.suffix != ".lock"]
        for path in files:
            path.unlink(missing_ok=True)
        return {"files": len(files)}

    def _drop_models(self) -> dict[str, Json]:
        affected = self._affected()
        self._tools.catalog.forgotten.release_models(
            affected,
            self._tools.clock.now_us(),
            self._command.actor,
        )
        store = ArtifactStore(self._tools.root.artifacts)
        left = self._unnamed & self._unnamed_artifacts()
        removed = sum(map(store.remove, sorted(affected.artifacts | left)))
        retired: list[Json] = [one.id for one in affected.serving]
        if affected.artifacts:
            self._details |= {"is_learned": True}
        return {"retired": retired, "artifacts": removed}

    def _affected(self) -> Affected:
        ranges = [(int(first), int(last)) for first, last in self._details.get("ranges", [])]
        return affected_by(self._tools.rows, ranges)

    def _restart(self) -> dict[str, Json]:
        if self._details.get("ranges"):
            self._tools.restart_serving()
        return {}

    def _blank_words(self) -> dict[str, Json]:
        first_us = self._details.get("first_us")
        if first_us is None or self._is_gone is None:
            return {}
        forgotten = self._tools.catalog.forgotten
        changed: dict[str, Json] = dict(forgotten.blank(partial(_holds, self._is_gone), first_us))
        return changed | {"is_journal_empty": forgotten.write_back()}

    def _retrain(self) -> dict[str, Json]:
        """What was learned from the events, or was about to be, is learned again without them."""
        if not self._details.get("is_learned") or not self._tools.log.fill().events:
            return {"cycle": None}
        cycle = self._tools.catalog.cycles.request("owner", self._tools.clock.now_us())
        return {"cycle": cycle.id}


def _terms(event: Event) -> Iterable[str]:
    text = f"{event_text(event)} {event.source} {event.kind}"
    return (term.lower() for term in _TERM.findall(text))


def _holds(is_gone: Callable[[str], bool], value: Json) -> bool:
    if isinstance(value, str):
        return any(is_gone(term.lower()) for term in _TERM.findall(value))
    if isinstance(value, Mapping):
        return any(_holds(is_gone, item) for item in (*value, *value.values()))
    if isinstance(value, list | tuple):
        return any(_holds(is_gone, item) for item in value)
    return False

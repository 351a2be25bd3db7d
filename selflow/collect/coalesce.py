"""Bursts of file changes become what the person did: one save is one event. Pure; time comes in as
numbers.
"""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["create", "modify", "delete", "move"]

_MERGED: dict[tuple[Kind, Kind], Kind | None] = {
    ("create", "modify"): "create",
    ("create", "delete"): None,
    ("modify", "delete"): "delete",
    ("modify", "create"): "modify",
    ("delete", "create"): "modify",
    ("delete", "modify"): "modify",
    ("move", "modify"): "move",
    ("move", "create"): "move",
}
"""What two changes of one path within the window are together; None: as if nothing had happened."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change. ``step_us`` is the beginning of the burst it belongs to; ``moved_from`` is set
    for a move.
    """

    kind: Kind
    path: str
    ts_us: int
    step_us: int
    moved_from: str = ""


@dataclass(slots=True)
class _Held:
    kind: Kind
    first_us: int
    moved_from: str = ""


class Coalescer:
    """Holds every change back for a window and merges what follows on the same path.

    A create and its writes are one create; a file that is created and renamed onto another within
    the window is one modify of the other; a file that comes and goes leaves no trace. Changes that
    follow each other within the window are one burst, whatever their paths.

    Args:
        window_us: How long a change is held back, from its first sign.
    """

    def __init__(self, window_us: int) -> None:
        self._window_us = window_us
        self._held: dict[str, _Held] = {}
        self._last_us: int | None = None
        self._step_us = 0

    def offer(self, kind: Kind, path: str, ts_us: int, to: str = "") -> None:
        """Take in a change; ``to`` is the new path of a move."""
        if kind == "move":
            self._move(path, to, ts_us)
        else:
            self._merge(path, _Held(kind, ts_us))

    def due(self, now_us: int) -> list[Change]:
        """The changes whose window is over, oldest first. A clock that was set back ends their
        windows too.
        """
        ripe = [
            (held.first_us, path)
            for path, held in self._held.items()
            if not self._is_open(held, now_us)
        ]
        return [self._release(path) for _, path in sorted(ripe)]

    def rest(self) -> list[Change]:
        """Everything that is held back, oldest first."""
        return [
            self._release(path)
            for _, path in sorted((held.first_us, path) for path, held in self._held.items())
        ]

    def _is_open(self, held: _Held, now_us: int) -> bool:
        return 0 <= now_us - held.first_us < self._window_us

    def _merge(self, path: str, new: _Held) -> None:
        old = self._held.get(path)
        if old is None:
            self._held[path] = new
        elif old.kind == "move" and new.kind == "delete":
            del self._held[path]
            self._merge(old.moved_from, _Held("delete", old.first_us))
        elif new.kind == "move":
            self._held[path] = _Held("move", old.first_us, new.moved_from)
        elif old.kind != new.kind:
            merged = _MERGED[old.kind, new.kind]
            if merged is None:
                del self._held[path]
            else:
                old.kind = merged

    def _move(self, path: str, to: str, ts_us: int) -> None:
        old = self._held.pop(path, None)
        if old is None or old.kind == "delete":
            self._merge(to, _Held("move", ts_us, path))
        elif old.kind == "create" or old.moved_from == to:
            self._merge(to, _Held("modify", old.first_us))
        else:
            self._merge(to, _Held("move", old.first_us, old.moved_from or path))

    def _release(self, path: str) -> Change:
        held = self._held.pop(path)
        if self._last_us is None or not 0 <= held.first_us - self._last_us <= self._window_us:
            self._step_us = held.first_us
        self._last_us = held.first_us
        return Change(held.kind, path, held.first_us, self._step_us, held.moved_from)

"""What the console knows: one model over catalog, log and session, read and never written."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Annotated, Any

from fastapi import Depends, Request

from selflow.console.cli.status_report import collect_status
from selflow.core.catalog_location import CatalogLocation
from selflow.core.clock import Clock
from selflow.core.config import Loaded
from selflow.core.events import Fill
from selflow.core.grants import Grant
from selflow.core.invocation import Invocation
from selflow.core.paths import Root
from selflow.core.session_files import read_request
from selflow.core.settings import Settings
from selflow.search.shared import SharedIndex
from selflow.store.log import LogReader
from selflow.store.reading import CatalogReader, check_schema
from selflow.store.records import Token
from selflow.store.token_check import grant_of

_STATUS_TTL_S = 1.0
_SCHEMA_TTL_S = 5.0


class ReadModel:
    """Answers from what lies on the disk now; works while Ray is down. Safe for threads."""

    def __init__(self, root: Root, environ: Mapping[str, str], clock: Clock) -> None:
        self.root = root
        self.clock = clock
        self.index = SharedIndex(root.derived, clock)
        self._call = Invocation(root, environ, root.path, is_quiet=True)
        self._lock = RLock()
        self._look_at_schema_s = 0.0
        self._log: LogReader | None = None
        self._status: tuple[float, dict[str, Any]] | None = None
        self._settings: tuple[float, Settings] | None = None

    @property
    def location(self) -> CatalogLocation:
        """The catalog of the session that runs, or ran last."""
        return self._call.catalog_location()

    @property
    def catalog(self) -> CatalogReader:
        """Reads the catalog.

        Raises:
            StoreError: A newer SelFlow wrote it; looked at every few seconds.
        """
        reader = CatalogReader(self.location)
        now_s = self.clock.monotonic_s()
        if now_s >= self._look_at_schema_s:
            check_schema(self.location)
            self._look_at_schema_s = now_s + _SCHEMA_TTL_S
        return reader

    @contextmanager
    def reading(self) -> Iterator[LogReader | None]:
        """The event log for one thread at a time; None before the first event. It stays open: LMDB
        opens one only once in a process.
        """
        with self._lock:
            if self._log is None and (self.root.events / "data.mdb").exists():
                self._log = LogReader(self.root.events, budget_bytes=0)
            yield self._log

    def release_log(self) -> None:
        """Give the memory back into which the log is mapped; the next reader opens it again."""
        with self._lock:
            if self._log is not None:
                self._log.close()
                self._log = None

    def fill(self) -> Fill | None:
        """How full the log is; None before the first event."""
        with self.reading() as log:
            return log.fill() if log else None

    def status(self) -> dict[str, Any]:
        """The document of ``selflow status --json``, at most a second old. Cost: 50 ms when made,
        since every process is looked at.
        """
        with self._lock:
            now_s = self.clock.monotonic_s()
            if self._status is None or now_s - self._status[0] >= _STATUS_TTL_S:
                status = collect_status(self._call, self.clock.now_us(), self.fill)
                self._status = (now_s, status)
            return self._status[1]

    def settings(self) -> Settings:
        """The settings of the session that runs, or ran last; else those of the files."""
        with self._lock:
            changed_s = _changed_s(self.root.request)
            if self._settings is None or self._settings[0] != changed_s:
                self._settings = (changed_s, self.settings_now().settings)
            return self._settings[1]

    def settings_now(self) -> Loaded:
        """The same, read anew, with the layer that set each key. Cost: 100 ms."""
        request = read_request(self.root)
        return request.layers(self.root) if request else self._call.settings()

    def verify(self, secret: str) -> Grant | None:
        """What a token or a browser's session may do."""
        return grant_of(self.catalog.learned(Token), secret, self.clock.now_us())

    def close(self) -> None:
        """Let go of the files."""
        self.index.close()
        self.release_log()


def _changed_s(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _model_of(request: Request) -> ReadModel:
    model: ReadModel = request.app.state.model
    return model


Model = Annotated[ReadModel, Depends(_model_of)]
"""The model, as a route's parameter."""

"""How services and Serve reach the buffer: the ports of ``core.ports``, kept over calls that may
die with it.
"""

from collections.abc import Callable, Sequence
from typing import Any, cast

import ray
from ray.exceptions import GetTimeoutError, RayActorError

from actors.buffer import BufferShell
from actors.shell import ServiceRef
from selflow.core.errors import NotRunningError, StoreError
from selflow.core.events import Credits, Fill, Stored

_BUFFER = ServiceRef("buffer", BufferShell)


class BufferLink:
    """An EventSink and an EventFeed over the buffer actor. Plain values only, so that it
    travels.
    """

    def __init__(self, timeout_s: float = 20.0) -> None:
        self._timeout_s = timeout_s

    def append(self, source: str, batch_id: int, records: Sequence[bytes]) -> Credits:
        """Store a batch durably.

        Raises:
            StoreError: The buffer is away or failed. The batch may have been stored all the same;
            sending it again
                with the same ``batch_id`` is safe.
        """
        return cast(
            "Credits",
            self._call(lambda buffer: buffer.append.remote(source, batch_id, list(records))),
        )

    def read(self, after_seq: int, limit_events: int) -> Sequence[Stored]:
        """Events behind a sequence number."""
        return cast(
            "Sequence[Stored]",
            self._call(lambda buffer: buffer.read.remote(after_seq, limit_events)),
        )

    def fill(self) -> Fill:
        """How full the log is."""
        return cast("Fill", self._call(lambda buffer: buffer.fill.remote()))

    def consume(self, upto_seq: int) -> None:
        """A finished cycle has learned from everything up to ``upto_seq``."""
        self._call(lambda buffer: buffer.consume.remote(upto_seq))

    def _call(self, call: Callable[[Any], Any]) -> object:
        try:
            return ray.get(call(_BUFFER.handle()), timeout=self._timeout_s)
        except (RayActorError, GetTimeoutError, NotRunningError) as error:
            raise StoreError(
                f"the buffer is away ({type(error).__name__})", "it is made anew; ask again"
            ) from error

"""What is asked of a base and what comes back, without the base: this module loads no torch."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from selflow.core.errors import SelFlowError


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a text goes on. ``temperature`` 0 takes the likeliest token; the same ``seed`` gives the
    same text.
    """

    max_tokens: int = 16
    temperature: float = 1.0
    top_p: float = 1.0
    stop: tuple[str, ...] = ()
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """Text that came, how many tokens there are so far, and at the end why there are no more."""

    text: str
    tokens: int
    finish_reason: str | None = None


class Generation:
    """One text that is being made, for the event loop on which it was asked for."""

    def __init__(
        self, prompt: Sequence[int], sampling: Sampling, adapter: str | None, folder: Path | None
    ) -> None:
        self.prompt = prompt
        self.sampling = sampling
        self.adapter = adapter
        self.folder = folder
        self.is_cancelled = False
        self._loop = asyncio.get_running_loop()
        self._messages: asyncio.Queue[Piece | SelFlowError] = asyncio.Queue()

    def cancel(self) -> None:
        """Draw no further token."""
        self.is_cancelled = True

    def tell(self, message: Piece | SelFlowError) -> None:
        """Pass on a piece of text or an error; from any thread."""
        try:
            self._loop.call_soon_threadsafe(self._messages.put_nowait, message)
        except RuntimeError:  # the loop has ended, and with it whoever asked
            self.cancel()

    async def pieces(self) -> AsyncIterator[Piece]:
        """The text piece by piece, the last one with its reason.

        Raises:
            SelFlowError: The adapter or the model failed.
        """
        while True:
            message = await self._messages.get()
            if isinstance(message, SelFlowError):
                raise message
            yield message
            if message.finish_reason is not None:
                return

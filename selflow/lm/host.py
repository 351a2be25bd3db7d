"""One base and all its adapters in one process: texts and scores, in batches that mix adapters.

One thread alone touches the model. It makes up to eight texts side by side and does everything else
(scores, loading, unloading) between two of their tokens, so that a prediction never waits for a
whole text.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from threading import Condition
from typing import Any, Generic, Literal, TypeVar

from torch import Tensor

from selflow.core.errors import NotRunningError, SelFlowError, location_of, public_text
from selflow.core.scores import LabelScores, NextScorer
from selflow.core.steps import Step
from selflow.core.threads import WatchedThread
from selflow.lm.base import device_of
from selflow.lm.generate import Batch, Row
from selflow.lm.loaded import add_adapter, load_base, remove_adapter
from selflow.lm.scoring import score_next
from selflow.lm.texts import Generation, Piece, Sampling

T = TypeVar("T")
MAX_ROWS = 8
"""Texts that are made side by side; the next ones wait until these have ended."""
_log = logging.getLogger(__name__)


class AgentHost:
    """Serves one base and adapters by their immutable ids ``NAME@VERSION``. Safe for threads."""

    def __init__(self, base_folder: Path, device: Literal["auto", "cpu", "cuda"]) -> None:
        """Load the base; adapters come later.

        Raises:
            ArtifactError: The folder is no base.
        """
        self._loaded = load_base(base_folder, device_of(device))
        ends = self._loaded.model.generation_config.eos_token_id
        self._ends = {self._loaded.vocabulary.eos_id, *(ends if isinstance(ends, list) else [ends])}
        self.context_tokens = self._loaded.vocabulary.max_context
        # Settles the tokenizer's modes: from now on threads may encode side by side
        self.encode(" ")
        self._retained: set[str] = set()
        self._making: set[str | None] = set()
        self._wake = Condition()
        self._jobs: deque[_Job[Any]] = deque()
        self._waiting: deque[Generation] = deque()
        self._is_closing = False
        self._thread = WatchedThread("thread of the agents' model", self._serve, self._end)
        self._thread.start()

    def load(self, adapter: str, folder: Path) -> None:
        """Load an adapter and keep it; texts that are being made go on meanwhile.

        Raises:
            SelFlowError: It is no adapter, or one of another base; everything else stays as it was.
        """

        def job() -> None:
            self._ensure(adapter, folder)
            self._retained.add(adapter)

        self._do(job)

    def keep(self, adapters: Iterable[str]) -> None:
        """Unload all other adapters, each once no text needs it."""

        def job() -> None:
            self._retained = set(adapters)
            self._unload()

        self._do(job)

    def scorers(self, adapters: Mapping[str, str | None]) -> dict[str, NextScorer]:
        """By expert name, who scores the next step under which loaded adapter (None: the base
        alone); all of them in one pass of the model.
        """
        panel = _Panel(self, tuple(adapters.values()))
        return {name: _Scorer(name, index, panel) for index, name in enumerate(adapters)}

    def score(
        self, adapters: Sequence[str | None], history: Sequence[Step], now_us: int
    ) -> list[LabelScores]:
        """What each adapter says of the next step.

        Raises:
            NotRunningError: The model failed.
        """
        return self._do(lambda: score_next(self._loaded, adapters, history, now_us))

    def encode(self, prompt: str | Sequence[dict[str, str]]) -> list[int]:
        """A prompt, or the messages of a chat, as tokens. Cost: about a second per megabyte."""
        tokenizer = self._loaded.tokenizer
        if isinstance(prompt, str):
            return list(tokenizer(prompt)["input_ids"])
        if tokenizer.chat_template is None:
            lines = [f"{message['role']}: {message['content']}\n" for message in prompt]
            return list(tokenizer("".join([*lines, "assistant:"]))["input_ids"])
        text = tokenizer.apply_chat_template(
            list(prompt), tokenize=False, add_generation_prompt=True
        )
        return list(tokenizer(text, add_special_tokens=False)["input_ids"])

    def generate(
        self,
        prompt: Sequence[int],
        sampling: Sampling,
        adapter: str | None = None,
        folder: Path | None = None,
    ) -> Generation:
        """Begin a text of at least one prompt token; an adapter that is not loaded is loaded from
        its folder for it.
        """
        generation = Generation(prompt, sampling, adapter, folder)
        with self._wake:
            if self._is_closing:
                raise _closed()
            self._waiting.append(generation)
            self._wake.notify()
        return generation

    @property
    def fault(self) -> str:
        """What ended its thread against its will; nothing is answered any more then."""
        return self._thread.fault

    def close(self) -> None:
        """End once the texts that are being made have ended; whatever waits is refused."""
        with self._wake:
            self._is_closing = True
            self._wake.notify()

    def _do(self, job: Callable[[], T]) -> T:
        """Do it on the model's thread, between two tokens."""
        request = _Job(job, Future())
        with self._wake:
            if self._is_closing:
                raise _closed()
            self._jobs.append(request)
            self._wake.notify()
        return request.done.result()

    def _serve(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._jobs or self._waiting or self._is_closing)
                ready = 0 if self._is_closing else min(MAX_ROWS, len(self._waiting))
                requests = [self._waiting.popleft() for _ in range(ready)]
            self._run_jobs()
            if self._is_closing and not requests:
                break
            self._make(requests)
        self._end()

    def _end(self) -> None:
        """Refuse whatever waits and whatever comes."""
        with self._wake:
            self._is_closing = True
            while self._jobs:
                self._jobs.popleft().done.set_exception(_closed())
            while self._waiting:
                self._waiting.popleft().tell(_closed())

    def _run_jobs(self) -> None:
        while self._jobs:
            self._jobs.popleft().run()

    def _make(self, requests: Sequence[Generation]) -> None:
        """Make these texts to their ends. Each failure is told to those whose text it was."""
        ready = [one for one in requests if not one.is_cancelled and self._is_ready(one)]
        self._making = {request.adapter for request in ready}
        self._decode(
            [_Text(request, Row(request.sampling, self._text, self._ends)) for request in ready]
        )
        self._making = set()
        self._unload()

    def _is_ready(self, request: Generation) -> bool:
        try:
            if request.adapter is not None and request.folder is not None:
                self._ensure(request.adapter, request.folder)
        except Exception as error:  # noqa: BLE001  (as above)
            request.tell(_ours(error))
            return False
        return True

    def _decode(self, texts: Sequence["_Text"]) -> None:
        """Side by side; if that fails, each alone from where it was, so that one request's fault
        is told to that request only.
        """
        try:
            if texts:
                self._decode_together(texts)
        except Exception as error:  # noqa: BLE001  (the thread goes on; the caller is told)
            unfinished = [text for text in texts if text.is_open]
            if len(unfinished) == 1:
                unfinished[0].fail(error)
                return
            for text in unfinished:
                self._decode([text])

    def _decode_together(self, texts: Sequence["_Text"]) -> None:
        rows = list(texts)
        batch = Batch(
            self._loaded, [text.ids for text in rows], [text.request.adapter for text in rows]
        )
        while rows:
            retained, tokens = [], []
            for index, text in enumerate(rows):
                token = text.take(batch.logits[index])
                if token is not None:
                    retained.append(index)
                    tokens.append(token)
            rows = [rows[index] for index in retained]
            if rows:
                self._run_jobs()
                batch.advance(retained, tokens)

    def _text(self, ids: list[int]) -> str:
        return str(
            self._loaded.tokenizer.decode(
                ids, skip_special_tokens=True, clean_up_tokenization_spaces=False
            )
        )

    def _ensure(self, adapter: str, folder: Path) -> None:
        if adapter not in self._loaded.adapters:
            add_adapter(self._loaded, adapter, folder)

    def _unload(self) -> None:
        for adapter in self._loaded.adapters - self._retained - self._making:
            remove_adapter(self._loaded, adapter)


@dataclass(frozen=True, slots=True)
class _Job(Generic[T]):
    """Something to do between two tokens, and who waits for it."""

    work: Callable[[], T]
    done: "Future[T]"

    def run(self) -> None:
        try:
            self.done.set_result(self.work())
        except Exception as error:  # noqa: BLE001  (the thread goes on; the caller is told)
            self.done.set_exception(_ours(error))


@dataclass(slots=True)
class _Text:
    """One request's text in the making."""

    request: Generation
    row: Row
    has_failed: bool = False

    @property
    def ids(self) -> list[int]:
        """What the model reads: the prompt and what was drawn."""
        return [*self.request.prompt, *self.row.ids]

    @property
    def is_open(self) -> bool:
        """Whether tokens are still to be drawn for it."""
        return not (self.request.is_cancelled or self.has_failed or self.row.finish_reason)

    def take(self, logits: Tensor) -> int | None:
        """Draw a token by ``logits`` (vocabulary,) and tell its text; None if it was the last."""
        if self.request.is_cancelled:
            return None
        try:
            token = self.row.draw(logits)
            text = self.row.take(token)
        except Exception as error:  # noqa: BLE001  (the others go on)
            self.fail(error)
            return None
        if text or self.row.finish_reason:
            self.request.tell(Piece(text, self.row.tokens, self.row.finish_reason))
        return token if self.row.finish_reason is None else None

    def fail(self, error: Exception) -> None:
        """Tell who asked."""
        self.has_failed = True
        self.request.tell(_ours(error))


class _Panel:
    """Several agents asked of the same moment one after another: the model runs once for all of
    them.
    """

    def __init__(self, host: AgentHost, adapters: tuple[str | None, ...]) -> None:
        self._host = host
        self._adapters = adapters
        self._last: tuple[tuple[Step, ...], int, list[LabelScores]] | None = None

    def scores(self, history: Sequence[Step], now_us: int) -> list[LabelScores]:
        steps = tuple(history)
        if self._last is None or self._last[:2] != (steps, now_us):
            self._last = (steps, now_us, self._host.score(self._adapters, steps, now_us))
        return self._last[2]


@dataclass(frozen=True, slots=True)
class _Scorer:
    name: str
    index: int
    panel: _Panel

    def score(self, history: Sequence[Step], now_us: int) -> LabelScores:
        return self.panel.scores(history, now_us)[self.index]


def _ours(error: Exception) -> SelFlowError:
    """An error that a caller can be told: never the text of a foreign one, which may hold the
    owner's data.
    """
    if isinstance(error, SelFlowError):
        return error
    _log.error("the agents' model failed: %s", location_of(error))
    return NotRunningError(f"the agents' model failed ({public_text(error)})", "see selflow logs")


def _closed() -> NotRunningError:
    return NotRunningError("this base is being replaced", "ask again")

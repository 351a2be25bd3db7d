"""OpenAI's routes over the registry: texts whole or streamed."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

from selflow.core.clock import Clock
from selflow.core.errors import ApiError, SelFlowError
from selflow.core.events import Json
from selflow.core.ids import new_id
from selflow.lm.texts import Generation, Piece, Sampling
from selflow.sdk.wire import ChatRequest, CompletionRequest
from selflow.store.catalog import Catalog
from selflow.store.records import Decision
from selflow.web.bodies import Message as Asgi
from selflow.web.bodies import Receive, Send
from selflow.web.guard import CLIENT_LEFT
from serve.model_registry import ModelRegistry, Target
from serve.openai_errors import openai_envelope
from serve.request_metrics import RequestMetrics

COMPLETION_TOKENS, CHAT_TOKENS = 16, 256
"""Tokens of a text whose request names no limit; fewer if the context ends before."""


def routing_headers(routing: Mapping[str, Any], base: str, decision_id: str) -> dict[str, str]:
    """Who answered and how that was decided (docs/http.md#routing-headers)."""
    return {
        "x-selflow-agent": routing["arm"],
        "x-selflow-version": routing["version"],
        "x-selflow-base": _plain(base),
        "x-selflow-decision": decision_id,
        "x-selflow-propensity": f"{routing['propensity']:.6g}",
        "x-selflow-policy": f"{routing['policy']}/{routing['snapshot']}",
        "x-selflow-explored": str(int(routing["explored"])),
        "x-selflow-forced": str(int(routing["forced"])),
        "x-selflow-latency-ms": f"{routing['latency_s'] * 1000:.1f}",
    }


def _plain(text: str) -> str:
    """What a header may hold."""
    return "".join(
        letter if letter.isascii() and letter.isprintable() else "?" for letter in text[:1_000]
    )


class Texts:
    """Answers ``POST /v1/completions`` and ``POST /v1/chat/completions``."""

    def __init__(
        self,
        registry: ModelRegistry,
        catalog: Catalog,
        clock: Clock,
        request_metrics: RequestMetrics,
    ) -> None:
        self.registry = registry
        self._catalog = catalog
        self._meters = request_metrics
        self._clock = clock

    async def answer(self, body: CompletionRequest | ChatRequest, request: Request) -> Response:
        """The whole text, or a stream as soon as its first piece is there. A client that leaves
        ends it.

        Raises:
            ApiError: ``model_not_found``, ``engine_unavailable``, ``context_length_exceeded``.
            SelFlowError: The adapter or the model failed before the first piece.
        """
        started_s = self._clock.monotonic_s()
        target = await asyncio.to_thread(self.registry.resolve, body.model)
        result = _Answer(
            body,
            target,
            await _begin(body, target),
            self._catalog,
            self._clock.now_us(),
            self._meters,
        )
        try:
            await result.start()
        except BaseException:
            result.cancel()
            raise
        result.routing["latency_s"] = self._clock.monotonic_s() - started_s
        headers = routing_headers(result.routing, target.base.name, result.decision_id)
        headers |= (
            {"x-selflow-ignored": _plain(", ".join(body.model_extra))} if body.model_extra else {}
        )
        if body.stream:
            return _Stream(result, headers)
        try:
            document = await result.whole(request)
        finally:
            stored = result.end()
        await stored
        return (
            JSONResponse(document, headers=headers)
            if document
            else Response(status_code=CLIENT_LEFT)
        )


async def _begin(body: CompletionRequest | ChatRequest, target: Target) -> list[Generation]:
    """Ask the host for every text of a request."""
    if isinstance(body, ChatRequest):
        prompts: list[Any] = [
            [{"role": message.role, "content": message.text} for message in body.messages]
        ]
        limit, default = body.max_completion_tokens or body.max_tokens, CHAT_TOKENS
    else:
        prompts = [body.prompt] if isinstance(body.prompt, str) else body.prompt
        limit, default = body.max_tokens, COMPLETION_TOKENS
    host = target.host
    encoded = [await asyncio.to_thread(host.encode, prompt) for prompt in prompts]
    longest = max(map(len, encoded))
    room = host.context_tokens - longest
    if room < (limit or 1):
        detail = (
            f"{longest:,} tokens of prompt and {limit or 1:,} more; the context has "
            f"{host.context_tokens:,}"
        )
        raise ApiError(400, "context_length_exceeded", detail, "send less, or request fewer tokens")
    sampling = Sampling(
        limit or min(default, room), body.temperature, body.top_p, tuple(body.stop), body.seed
    )
    return [host.generate(prompt, sampling, target.adapter, target.folder) for prompt in encoded]


class _Answer:
    """One request's texts while they are made, and OpenAI's shapes of them."""

    def __init__(
        self,
        body: CompletionRequest | ChatRequest,
        target: Target,
        texts: Sequence[Generation],
        catalog: Catalog,
        at_us: int,
        request_metrics: RequestMetrics,
    ) -> None:
        self._meters = request_metrics
        self.decision_id = new_id("dec")
        self.routing = target.routing
        self._body, self._texts, self._catalog, self._at_us = body, texts, catalog, at_us
        self._is_chat = isinstance(body, ChatRequest)
        self._tokens = [0] * len(texts)
        self._pieces = self._all_pieces()
        self._next: tuple[int, Piece] | None = None
        self._stored: asyncio.Future[None] | None = None
        number = self.decision_id.removeprefix("dec_")
        self._head: dict[str, Json] = {
            "id": f"chatcmpl-{number}" if self._is_chat else f"cmpl-{number}",
            "created": at_us // 1_000_000,
            "model": f"{target.base.name}:{target.adapter}" if target.adapter else target.base.name,
        }

    async def start(self) -> None:
        """Wait for the first piece."""
        self._next = await anext(self._pieces)

    def cancel(self) -> None:
        """Make nothing more."""
        for text in self._texts:
            text.cancel()

    def end(self) -> "asyncio.Future[None]":
        """Make nothing more and keep the decision; only the first call does so."""
        if self._stored is None:
            self.cancel()
            routing = {**self.routing, "tokens": sum(self._tokens)}
            kind = "chat" if self._is_chat else "completion"
            decision = Decision(self.decision_id, self._at_us, kind, 0, [], [], routing=routing)
            usage = self._usage()
            self._meters.wrote(usage["prompt_tokens"], usage["completion_tokens"])
            self._meters.decided(str(self.routing["arm"]), explored=bool(self.routing["explored"]))
            loop = asyncio.get_running_loop()
            self._stored = loop.run_in_executor(None, self._catalog.decisions.record, decision)
        return self._stored

    async def whole(self, request: Request) -> dict[str, Any] | None:
        """The body of an answer that is not a stream; None if the client left."""
        texts, reasons = [""] * len(self._texts), [""] * len(self._texts)
        while self._next is not None:
            index, piece = self._next
            texts[index] += piece.text
            reasons[index] = piece.finish_reason or ""
            if await request.is_disconnected():
                return None
            self._next = await anext(self._pieces, None)
        choices = [
            {
                "index": index,
                **self._said("message", text),
                "logprobs": None,
                "finish_reason": reason,
            }
            for index, (text, reason) in enumerate(zip(texts, reasons, strict=True))
        ]
        kind = "chat.completion" if self._is_chat else "text_completion"
        return {
            **self._head,
            "object": kind,
            "choices": choices,
            "usage": self._usage(),
            "selflow": self._notes(),
        }

    async def events(self) -> AsyncIterator[str]:
        """The same as server-sent events; a failure in the middle is the last one."""
        try:
            for index in range(len(self._texts)):
                yield self._event(index, "", selflow=self._notes())
            while self._next is not None:
                index, piece = self._next
                if piece.text:
                    yield self._event(index, piece.text)
                if piece.finish_reason:
                    yield self._event(index, None, piece.finish_reason, selflow=self._notes())
                self._next = await anext(self._pieces, None)
            await self.end()
        except SelFlowError as error:
            yield f"data: {json.dumps(openai_envelope(error.status, error.code, str(error)))}\n\n"
            return
        if self._body.stream_options.include_usage:
            yield self._sent(choices=[], usage=self._usage())
        yield "data: [DONE]\n\n"

    async def _all_pieces(self) -> AsyncIterator[tuple[int, Piece]]:
        for index, text in enumerate(self._texts):
            async for piece in text.pieces():
                self._tokens[index] = piece.tokens
                yield index, piece

    def _said(self, field: str, text: str | None) -> dict[str, Any]:
        """A text in the place where its kind of answer has it; None ends a stream of them."""
        if not self._is_chat:
            return {"text": text or ""}
        role = {} if field == "delta" and text != "" else {"role": "assistant"}
        return {field: role | ({} if text is None else {"content": text})}

    def _event(self, index: int, text: str | None, reason: str | None = None, **more: Any) -> str:  # noqa: ANN401
        choice = {
            "index": index,
            **self._said("delta", text),
            "logprobs": None,
            "finish_reason": reason,
        }
        return self._sent(choices=[choice], **more)

    def _sent(self, **more: Any) -> str:  # noqa: ANN401
        kind = "chat.completion.chunk" if self._is_chat else "text_completion"
        return f"data: {json.dumps({**self._head, 'object': kind, **more}, ensure_ascii=False)}\n\n"

    def _usage(self) -> dict[str, int]:
        prompt, completion = sum(len(text.prompt) for text in self._texts), sum(self._tokens)
        return {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
        }

    def _notes(self) -> dict[str, Json]:
        return {"decision": self.decision_id, **self.routing}


class _Stream(StreamingResponse):
    """A stream that ends its texts with itself, however it ends."""

    def __init__(self, result: _Answer, headers: Mapping[str, str]) -> None:
        super().__init__(result.events(), headers=headers, media_type="text/event-stream")
        self._result = result

    async def __call__(self, scope: Asgi, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._result.end()

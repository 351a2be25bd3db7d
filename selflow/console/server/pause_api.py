"""``POST /api/system/pause`` and ``/resume``: nothing is collected for a while."""

from typing import Annotated

from fastapi import Request
from pydantic import Field

from selflow.console.server.read_model import Model
from selflow.console.server.routes import Routes, actor_of
from selflow.console.server.wire import PauseState
from selflow.core.errors import UsageError
from selflow.core.until import end_us
from selflow.sdk.wire import Answer
from selflow.sdk.wire import Request as Body
from selflow.store.pauses import pause_item, pause_now, resume_now

routes = Routes()


class PauseRequest(Body):
    """``POST /api/system/pause``: for so many minutes, up to an end (``1h``, ``tomorrow``, a date),
    or, with neither, until it is resumed.
    """

    minutes: Annotated[float, Field(gt=0, le=527_040)] | None = None
    until: Annotated[str, Field(min_length=1, max_length=60)] | None = None


class ResumeAnswer(Answer):
    """``POST /api/system/resume``."""

    was_paused: bool


@routes.change("POST", "/api/system/pause", "operate")
def pause(body: PauseRequest, request: Request, model: Model) -> PauseState:
    """Collect nothing for a while, and start no learning cycle by itself."""
    if body.minutes is not None and body.until is not None:
        raise UsageError("minutes and until name two ends", "give one of them, or neither")
    now_us = model.clock.now_us()
    until_us = None if body.until is None else end_us(body.until, now_us)
    if body.minutes is not None:
        until_us = now_us + round(body.minutes * 60e6)
    begun = pause_now(model.location, until_us, now_us, actor_of(request))
    model.forget_status()
    return PauseState(**pause_item(begun))


@routes.change("POST", "/api/system/resume", "operate")
def resume(request: Request, model: Model) -> ResumeAnswer:
    """Collect and learn again; nothing of the pause is read."""
    ended = resume_now(model.location, model.clock.now_us(), actor_of(request))
    model.forget_status()
    return ResumeAnswer(was_paused=ended is not None)

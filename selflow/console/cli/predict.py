"""``selflow predict`` and ``selflow feedback``: the inference API from the command line."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from selflow.core.clock import SystemClock
from selflow.core.errors import UsageError, WireError
from selflow.core.invocation import Invocation, table

if TYPE_CHECKING:
    from selflow.core.events import Event, Json
    from selflow.sdk.client import Client

Mode = Literal["pool", "routed"]


def predict(
    ctx: typer.Context,
    top_k: Annotated[int, typer.Option(min=1, max=50, help="Number of likeliest predictions.")] = 5,
    context: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="The latest events, as a JSON list or JSONL; - is stdin."
        ),
    ] = None,
    mode: Annotated[
        Mode,
        typer.Option(help="All experts, or those of the arm that the router chooses."),
    ] = "pool",
) -> None:
    """Predict the next step.

    Without --context the live stream's tail is used. The list is sorted so that an early line is
    likely to come, which is not always the order of p.
    """
    call: Invocation = ctx.obj
    answer = _client(call).predict(
        None if context is None else read_events(context), top_k=top_k, mode=mode
    )
    rows = [
        [rank, guess.p, guess.kind, guess.subject, ", ".join(share.id for share in guess.experts)]
        for rank, guess in enumerate(answer.predictions, 1)
    ]
    lines = table(["#", "p", "kind", "subject", "experts"], rows)
    lines.append(f"something else: {answer.other_p:.3f}   decision: {answer.decision_id}")
    call.show(answer.model_dump(), lines)


feedback_app = typer.Typer(add_completion=False, rich_markup_mode=None)


@feedback_app.command(context_settings={"ignore_unknown_options": True})  # so that -1 is a value
def feedback(
    ctx: typer.Context,
    decision: Annotated[str, typer.Argument(help="The decision_id of a prediction.")],
    metric: Annotated[
        str, typer.Argument(help="outcome, thumb, accepted, rating, comment or your own name.")
    ],
    value: Annotated[
        str, typer.Argument(help="JSON, such as true, -1 or 0.5; anything else is text.")
    ],
    tag: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=TEXT", help="Stored with the feedback; may be repeated."),
    ] = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check it and store nothing.")] = False,
) -> None:
    """Send feedback on a decision."""
    call: Invocation = ctx.obj
    tags = dict(_pair(text) for text in tag or ())
    answer = _client(call).feedback(decision, metric, _value(value), tags=tags, dryrun=dry_run)
    message = (
        f"stored as {answer.feedback_id}" if answer.feedback_id else "valid; nothing was stored"
    )
    call.show(answer.model_dump(exclude_none=True), [message])


def read_events(path: Path) -> "list[Event]":
    """Events in the API's shape from a file.

    Raises:
        UsageError: Missing, no JSON, or an event breaks the schema; the message names its place,
        never its content.
    """
    from selflow.core.codec import WireLimits, event_from_json

    now_us, limits = SystemClock().now_us(), WireLimits()
    events = []
    for number, raw in enumerate(_documents(path), 1):
        try:
            # What `selflow events --json` prints may be passed as it is.
            wire = {k: v for k, v in raw.items() if k != "seq"} if isinstance(raw, dict) else raw
            events.append(event_from_json(wire, now_us, limits))
        except WireError as error:
            raise UsageError(
                f"{path}, event {number}: {error}", "selflow events --json shows the format"
            ) from error
    if not events:
        raise UsageError(f"{path} contains no events", "selflow events --json shows the format")
    return events


def _documents(path: Path) -> Iterator[object]:
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"cannot read {path}: {type(error).__name__}", "check the path and its mode"
        ) from error
    try:
        document = json.loads(text)
    except ValueError:
        document = [
            _document(path, number, line)
            for number, line in enumerate(text.splitlines(), 1)
            if line.strip()
        ]
    if isinstance(document, dict) and isinstance(document.get("items"), list):
        document = document["items"]
    yield from document if isinstance(document, list) else [document]


def _document(path: Path, number: int, line: str) -> object:
    try:
        return json.loads(line)
    except ValueError as error:
        raise UsageError(
            f"{path}, line {number} is not valid JSON", "give a JSON list, or one object per line"
        ) from error


def _client(call: Invocation) -> "Client":
    from selflow.sdk.client import Client

    return Client(environ={**call.environ, "SELFLOW_HOME": str(call.root.path)})


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise UsageError(f"invalid --tag: {text}", "for example --tag surface=shell")
    return name, value


def _value(text: str) -> "Json":
    try:
        value: Json = json.loads(text)
    except ValueError:
        return text
    return value

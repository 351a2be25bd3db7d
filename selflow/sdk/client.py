"""A client of the inference API on the standard library's HTTP alone."""

import http.client
import json
import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import ValidationError

from selflow.core.clock import Clock, SystemClock
from selflow.core.codec import event_to_json
from selflow.core.errors import ApiError, NotRunningError, RefusedError, UsageError
from selflow.core.events import Event, Json
from selflow.core.ids import new_id
from selflow.core.paths import find_root
from selflow.core.session_files import read_endpoints
from selflow.sdk.wire import (
    Answer,
    FeedbackAnswer,
    HealthAnswer,
    Model,
    ModelList,
    PredictAnswer,
    SuggestAnswer,
    Surface,
)

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1", "selflow.localhost"})
_ATTEMPTS = 3
_TRY_AGAIN = frozenset({429, 503})
_MAX_WAIT_S = 5.0
A = TypeVar("A", bound=Answer)


class Client:
    """Asks a running SelFlow on this machine.

    The address is ``url``, else ``SELFLOW_URL``, else what the run folder says; the token is
    ``token``, else ``SELFLOW_TOKEN``, else the file ``SELFLOW_TOKEN_FILE``, else the owner's token
    in the run folder. Only loopback addresses are asked: the token never leaves the machine.

    Args:
        url: Such as ``http://127.0.0.1:7731``.
        token: A bearer token.
        environ: The environment to look in.
        clock: Waits between attempts.
        timeout_s: Longest wait for one answer.

    >>> client = Client()
    >>> answer = client.predict(top_k=1)
    >>> answer.predictions[0].subject
    'a.py'
    >>> came = [{"kind": "file.modify", "subject": "a.py"}]
    >>> client.feedback(answer.decision_id, "outcome", came).hit_at_1
    True
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        environ: Mapping[str, str] | None = None,
        clock: Clock | None = None,
        timeout_s: float = 30.0,
    ) -> None:
        self._url = url
        self._token = token
        self._environ = os.environ if environ is None else environ
        self._clock = clock or SystemClock()
        self._timeout_s = timeout_s

    def predict(
        self,
        context: Sequence[Event] | None = None,
        *,
        top_k: int = 5,
        kinds: Sequence[str] | None = None,
        mode: Literal["pool", "routed"] = "pool",
    ) -> PredictAnswer:
        """What comes next, after ``context`` or after the live tail. Asked once: every call is a
        decision.

        ``routed``: the pool answers, or the pool without one of its agents, and feedback teaches
        the router whom to leave out.
        """
        body: dict[str, Json] = (
            {"top_k": top_k} if mode == "pool" else {"top_k": top_k, "mode": mode}
        )
        if context is not None:
            body["context"] = [event_to_json(event) for event in context]
        if kinds is not None:
            body["kinds"] = list(kinds)
        return _parsed(PredictAnswer, self._post("/v1/predict", body))

    def suggest(
        self, prefix: str, *, surface: Surface = "shell", context: str = ""
    ) -> SuggestAnswer:
        """Complete a shell line, a commit message or a path.

        Args:
            prefix: What was typed; every suggestion begins with it.
            surface: What it is the beginning of.
            context: The folder of a shell line or of a relative path; the changed paths of a
                commit, one in a line.
        """
        body: dict[str, Json] = {"surface": surface, "prefix": prefix, "context": context}
        headers = {**self._authorization(), "Content-Type": "application/json"}
        content = json.dumps(body).encode()
        # Asked again, it is another decision that nobody speaks of
        answer = self._send("POST", "/v1/suggest", content, headers, attempts=_ATTEMPTS)
        return _parsed(SuggestAnswer, answer)

    def feedback(
        self,
        decision_id: str,
        metric: str,
        value: Json,
        *,
        tags: Mapping[str, str] | None = None,
        dryrun: bool = False,
    ) -> FeedbackAnswer:
        """Send feedback on a decision. Carries an idempotency key, so that a lost answer may be
        asked for again.
        """
        body: dict[str, Json] = {
            "decision_id": decision_id,
            "metric_name": metric,
            "value": value,
            "tags": dict(tags or {}),
            "dryrun": dryrun,
        }
        return _parsed(FeedbackAnswer, self._post("/v1/feedback", body, key=new_id("idem")))

    def models(self) -> list[Model]:
        """The router, the base and its agents."""
        return _parsed(
            ModelList,
            self._send("GET", "/v1/models", b"", self._authorization(), attempts=_ATTEMPTS),
        ).data

    def health(self) -> HealthAnswer:
        """Whether it serves, and how well. A starting service is an ApiError with code
        ``starting``.
        """
        return _parsed(HealthAnswer, self._send("GET", "/health", b"", {}, attempts=1))

    def metrics(self) -> str:
        """Counters in the Prometheus text format."""
        return self._send(
            "GET", "/metrics", b"", self._authorization(), attempts=_ATTEMPTS
        ).decode()

    def _post(self, path: str, body: Mapping[str, Json], key: str = "") -> bytes:
        headers = {**self._authorization(), "Content-Type": "application/json"}
        if key:
            headers["Idempotency-Key"] = key
        return self._send(
            "POST", path, json.dumps(body).encode(), headers, attempts=_ATTEMPTS if key else 1
        )

    def _send(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str], *, attempts: int
    ) -> bytes:
        """Ask, and ask again where that can do no harm: after a lost answer, or when told
        to wait.
        """
        host, port = self._address()
        left = attempts
        while True:
            left -= 1
            wait_s = 0.0
            connection = http.client.HTTPConnection(host, port, timeout=self._timeout_s)
            try:
                connection.request(method, path, body or None, dict(headers))
                answer = connection.getresponse()
                content = answer.read()
            except ConnectionRefusedError as error:
                raise _not_running(f"nothing listens at {host}:{port}") from error
            except (OSError, http.client.HTTPException) as error:
                if not left:
                    raise _not_running(
                        f"{host}:{port} did not answer ({type(error).__name__})"
                    ) from error
            else:
                if answer.status < 400:
                    return content
                if not left or answer.status not in _TRY_AGAIN:
                    raise _api_error(answer.status, content)
                wait_s = _seconds(answer.headers.get("Retry-After"))
            finally:
                connection.close()
            # Jitter keeps programs that failed together from coming back together.
            self._clock.sleep(min(_MAX_WAIT_S, wait_s + 0.1 + secrets.randbelow(100) / 1000))

    def _address(self) -> tuple[str, int]:
        url = self._url or self._environ.get("SELFLOW_URL") or self._endpoint()
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError:
            port = None
        if parts.scheme != "http" or not parts.hostname or port is None:
            raise UsageError(
                "the address is not of the form http://HOST:PORT", "see `selflow url inference`"
            )
        if parts.hostname not in _LOOPBACK:
            raise RefusedError(
                f"{parts.hostname} is not this machine",
                "the client connects to loopback addresses only",
            )
        return parts.hostname, port

    def _endpoint(self) -> str:
        try:
            endpoints = read_endpoints(find_root(None, self._environ))
        except NotRunningError as error:
            raise _not_running(str(error)) from error
        if endpoints is None:
            raise _not_running("SelFlow is not running")
        if endpoints.inference is None:
            raise _not_running("SelFlow runs without its inference port")
        return endpoints.inference

    def _authorization(self) -> dict[str, str]:
        token = self._token or self._environ.get("SELFLOW_TOKEN")
        if not token:
            named = self._environ.get("SELFLOW_TOKEN_FILE")
            path = Path(named) if named else find_root(None, self._environ).token
            try:
                token = path.read_text(encoding="utf-8").strip()
            except OSError as error:
                raise _not_running(f"there is no token at {path}") from error
        return {"Authorization": f"Bearer {token}"}


def _not_running(detail: str) -> NotRunningError:
    return NotRunningError(detail, "start it with `selflow up`")


def _seconds(header: str | None) -> float:
    return float(header) if header and header.isascii() and header.isdigit() else 0.0


def _api_error(status: int, content: bytes) -> ApiError:
    try:
        document = json.loads(content)
    except ValueError:
        document = None
    if isinstance(document, dict) and isinstance(document.get("error"), dict):  # OpenAI's envelope
        document = {**document["error"], "detail": document["error"].get("message", "")}
    if not isinstance(document, dict) or "code" not in document:
        return ApiError(
            status, "unknown", f"an answer of {len(content):,} bytes without SelFlow's envelope"
        )
    fields = [
        f"{field.get('loc')}: {field.get('msg')}" for field in document.get("field_errors", ())
    ]
    detail = "; ".join([str(document.get("detail", "")), *fields])
    return ApiError(
        status,
        str(document["code"]),
        detail,
        str(document.get("hint", "")),
        str(document.get("request_id", "")),
    )


def _parsed(model: type[A], content: bytes) -> A:
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        raise ApiError(
            200,
            "unknown",
            f"the answer is not a {model.__name__}: the server may have another version",
        ) from error

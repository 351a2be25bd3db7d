"""The client against a small scripted server: where it looks, what it sends, when it asks again."""

import doctest
import json
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from selflow.core.errors import ApiError, NotRunningError, RefusedError, UsageError
from selflow.core.events import Event
from selflow.core.paths import Root
from selflow.core.session_files import Endpoints, write_endpoints
from selflow.sdk import client as sdk_client
from selflow.sdk.client import Client
from selflow.testing import ManualClock

PREDICTION = {
    "decision_id": "dec_1",
    "at": "2026-01-02T03:04:05.000000Z",
    "predictions": [
        {
            "kind": "file.modify",
            "subject": "a.py",
            "p": 0.5,
            "experts": [],
        }
    ],
    "other_p": 0.5,
    "experts": [{"id": "order1", "weight": 1.0}],
    "added_by_a_later_version": True,
}


class Script(HTTPServer):
    """Answers with what stands in ``answers``, one after another; the last one for ever."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Scripted)
        self.answers: list[tuple[int, object, dict[str, str]]] = []
        self.seen: list[tuple[str, dict[str, str], bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Scripted(BaseHTTPRequestHandler):
    server: Script

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.seen.append(
            (self.path, {name.lower(): value for name, value in self.headers.items()}, body)
        )
        answers = self.server.answers
        status, told, headers = answers.pop(0) if len(answers) > 1 else answers[0]
        if status == 0:
            self.close_connection = True
            return
        content = told if isinstance(told, bytes) else json.dumps(told).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self) -> None:
        self.do_POST()

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def script() -> Iterator[Script]:
    server = Script()
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def client(script: Script, clock: ManualClock | None = None) -> Client:
    return Client(script.url, "sf_x", environ={}, clock=clock or ManualClock())


def test_a_prediction_carries_the_context_and_the_token(script: Script) -> None:
    script.answers = [(200, PREDICTION, {})]

    answer = client(script).predict(
        [Event(0, "files", "file.modify", "b.py")], top_k=3, kinds=["file.modify"]
    )

    path, headers, body = script.seen[0]
    assert (answer.decision_id, answer.predictions[0].subject) == ("dec_1", "a.py")
    assert (path, headers["authorization"], headers["content-type"]) == (
        "/v1/predict",
        "Bearer sf_x",
        "application/json",
    )
    assert json.loads(body)["context"][0]["ts"] == "1970-01-01T00:00:00.000000Z"
    assert (json.loads(body)["top_k"], json.loads(body)["kinds"]) == (3, ["file.modify"])


def test_the_example_of_the_client_works(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    script.answers = [(200, PREDICTION, {}), (200, {"feedback_id": "fb_1", "hit_at_1": True}, {})]
    monkeypatch.setenv("SELFLOW_URL", script.url)
    monkeypatch.setenv("SELFLOW_TOKEN", "sf_x")

    ran = doctest.testmod(sdk_client)

    assert (ran.failed, ran.attempted) == (0, 5)


def test_feedback_asks_again_with_the_same_key_after_a_lost_answer(script: Script) -> None:
    script.answers = [(0, b"", {}), (200, {"feedback_id": "fb_1", "hit_at_1": True}, {})]

    answer = client(script).feedback(
        "dec_1", "outcome", [{"kind": "file.modify", "subject": "a.py"}]
    )

    keys = {headers["idempotency-key"] for _, headers, _ in script.seen}
    assert (answer.feedback_id, answer.hit_at_1) == ("fb_1", True)
    assert (len(script.seen), len(keys)) == (2, 1)


def test_a_prediction_is_never_asked_twice(script: Script) -> None:
    script.answers = [(0, b"", {})]

    with pytest.raises(NotRunningError, match="did not answer"):
        client(script).predict()
    assert len(script.seen) == 1


def test_a_suggestion_is_asked_for_again_while_lines_are_loaded(script: Script) -> None:
    nothing = {"decision_id": "dec_1", "suggestions": [], "abstained": True, "reason": "unlikely"}
    script.answers = [(503, {"code": "starting"}, {"Retry-After": "1"}), (200, nothing, {})]
    clock = ManualClock()

    answer = Client(script.url, "sf_x", clock=clock).suggest(
        "Fix", surface="commit", context="README"
    )

    assert answer.abstained
    assert clock.monotonic_s() >= 1.0
    body = {"surface": "commit", "prefix": "Fix", "context": "README"}
    assert [(path, json.loads(sent)) for path, _, sent in script.seen] == [
        ("/v1/suggest", body)
    ] * 2


def test_the_client_waits_as_long_as_it_is_told(script: Script) -> None:
    clock = ManualClock()
    script.answers = [
        (503, {"code": "starting", "detail": "x"}, {"Retry-After": "2"}),
        (200, b"selflow_x 1\n", {}),
    ]
    before_s = clock.monotonic_s()

    assert client(script, clock).metrics() == "selflow_x 1\n"
    assert 2.0 <= clock.monotonic_s() - before_s < 2.5


def test_a_refusal_keeps_its_code_hint_and_fields(script: Script) -> None:
    fields = [{"loc": "horizon", "msg": "Input should be 1"}]
    envelope = {
        "code": "validation_failed",
        "detail": "bad",
        "hint": "h",
        "request_id": "r",
        "field_errors": fields,
    }
    script.answers = [(400, envelope, {})]

    with pytest.raises(ApiError) as caught:
        client(script).predict()
    error = caught.value
    assert (error.status, error.code, error.hint, error.request_id) == (
        400,
        "validation_failed",
        "h",
        "r",
    )
    assert "horizon: Input should be 1" in str(error)


@pytest.mark.parametrize(("status", "content"), [(502, b"<html>"), (200, b"[]")])
def test_an_answer_of_another_program_is_an_error_of_ours(
    script: Script, status: int, content: bytes
) -> None:
    script.answers = [(status, content, {})]

    with pytest.raises(ApiError, match="unknown"):
        client(script).health()


def test_address_and_token_come_from_the_run_folder(script: Script, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    write_endpoints(Root(tmp_path, tmp_path), Endpoints(inference=script.url))
    (tmp_path / "run" / "token").write_text("sf_owner\n")
    (tmp_path / "narrow").write_text("sf_narrow\n")
    script.answers = [(200, b"", {})]
    home = {"SELFLOW_HOME": str(tmp_path)}

    for more in (
        {},
        {"SELFLOW_TOKEN_FILE": str(tmp_path / "narrow")},
        {"SELFLOW_TOKEN": "sf_direct"},
    ):
        Client(environ={**home, **more}).metrics()
    Client(None, "sf_given", environ={"SELFLOW_URL": script.url}).metrics()

    sent = [headers["authorization"].removeprefix("Bearer ") for _, headers, _ in script.seen]
    assert sent == ["sf_owner", "sf_narrow", "sf_direct", "sf_given"]


def test_what_is_not_there_says_how_to_start_it(tmp_path: Path, script: Script) -> None:
    nobody = Client(None, "sf_x", environ={"SELFLOW_HOME": str(tmp_path)})
    (tmp_path / "run").mkdir()

    with pytest.raises(NotRunningError) as caught:
        nobody.health()
    assert caught.value.hint == "start it with `selflow up`"
    write_endpoints(Root(tmp_path, tmp_path), Endpoints(ray="127.0.0.1:1"))
    with pytest.raises(NotRunningError, match="without its inference port"):
        nobody.health()
    with pytest.raises(NotRunningError, match="no token"):
        Client(script.url, environ={"SELFLOW_HOME": str(tmp_path)}).predict()


def test_a_port_that_nobody_holds_is_not_running() -> None:
    with pytest.raises(NotRunningError, match="nothing listens"):
        Client("http://127.0.0.1:1", "sf_x", environ={}).metrics()


def test_the_token_never_leaves_the_machine() -> None:
    with pytest.raises(RefusedError, match="not this machine"):
        Client("http://selflow.example:7731", "sf_x", environ={}).predict()
    for wrong in ("https://127.0.0.1:7731", "127.0.0.1", "http://127.0.0.1", "http://127.0.0.1:x"):
        with pytest.raises(UsageError, match="http://HOST:PORT"):
            Client(wrong, "sf_x", environ={}).predict()


def test_the_client_loads_nothing_heavy() -> None:
    heavy = "{'ray', 'torch', 'httpx', 'fastapi', 'sqlalchemy'}"
    program = f"import sys, selflow.sdk.client; print(sorted({heavy} & sys.modules.keys()))"

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"

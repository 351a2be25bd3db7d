"""``selflow predict`` and ``selflow feedback`` against a small HTTP server that keeps what it was
sent.
"""

import io
import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from selflow.core.paths import Root
from selflow.core.session_files import Endpoints, write_endpoints
from tests.unit.console.conftest import Cli

ANSWERS: dict[str, dict[str, Any]] = {
    "/v1/predict": {
        "decision_id": "dec_1",
        "at": "2026-01-01T00:00:00Z",
        "predictions": [
            {
                "kind": "file.modify",
                "subject": "a.py",
                "p": 0.5,
                "experts": [{"id": "ranker", "weight": 0.9}],
            },
        ],
        "other_p": 0.5,
        "experts": [{"id": "ranker", "weight": 1.0}],
    },
    "/v1/feedback": {"feedback_id": "fb_1"},
    "/v1/suggest": {
        "decision_id": "dec_2",
        "suggestions": [{"text": "git checkout main", "p": 0.5, "keys_saved": 5.0}],
        "abstained": False,
        "reason": "",
    },
}
EVENT = {"ts": "2026-01-01T00:00:00Z", "source": "files", "kind": "file.modify", "subject": "a.py"}


class Server(HTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, Any, str | None]] = []


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, body, self.headers["Authorization"]))
        answer = json.dumps(ANSWERS[self.path]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *args: object) -> None:
        del args


@pytest.fixture
def server(root: Root) -> Iterator[Server]:
    with Server() as made:
        threading.Thread(
            target=made.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        ).start()
        write_endpoints(root, Endpoints(inference=f"http://127.0.0.1:{made.server_port}"))
        root.token.write_text("sf_x\n")
        yield made
        made.shutdown()


def test_predict_prints_the_likeliest_and_the_decision(cli: Cli, server: Server) -> None:
    ended = cli("predict", "--top-k", "3")

    assert server.asked == [("/v1/predict", {"top_k": 3}, "Bearer sf_x")]
    assert "0.500  file.modify  a.py     ranker" in ended.out
    assert "dec_1" in ended.out


def test_suggest_prints_one_completion_and_nothing_where_there_is_none(
    cli: Cli, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = cli("suggest", "--prefix", "git ch", "--context", "~/work")
    document = cli("suggest", "--prefix", "git ch", "--json").document
    nothing = {"suggestions": [], "abstained": True, "reason": "unlikely"}
    monkeypatch.setitem(ANSWERS, "/v1/suggest", {"decision_id": "dec_3", **nothing})

    assert ended.out == "git checkout main\n"
    body = {"surface": "shell", "prefix": "git ch", "context": "~/work"}
    assert server.asked[0] == ("/v1/suggest", body, "Bearer sf_x")
    assert document["suggestions"][0]["p"] == 0.5
    silent = cli("suggest", "--prefix", "zzz", "--surface", "commit")
    assert (silent.code, silent.out) == (0, "")


def test_suggest_without_selflow_is_exit_code_3(cli: Cli) -> None:
    assert cli("suggest", "--prefix", "git").code == 3


def test_predict_with_json_has_the_shape_of_the_api(cli: Cli, server: Server) -> None:
    document = cli("predict", "--json").document

    assert document["decision_id"] == "dec_1"
    assert document["predictions"][0]["experts"] == [{"id": "ranker", "weight": 0.9}]
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "text",
    [
        json.dumps([EVENT]),
        json.dumps(EVENT) + "\n\n",
        json.dumps(EVENT) + "\n" + json.dumps({**EVENT, "seq": 3}),
        json.dumps({"items": [{**EVENT, "seq": 1}], "next": None}),
    ],
)
def test_the_context_is_a_list_lines_or_what_events_prints(
    cli: Cli, server: Server, tmp_path: Path, text: str
) -> None:
    (tmp_path / "c.json").write_text(text)
    cli("predict", "--context", str(tmp_path / "c.json"))

    assert server.asked[0][1]["context"][-1]["subject"] == "a.py"


def test_the_context_may_come_from_stdin(
    cli: Cli, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps([EVENT])))
    cli("predict", "--context", "-")

    assert len(server.asked[0][1]["context"]) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "contains no events"),
        ('{"secret": tru', "line 1 is not valid JSON"),
        (json.dumps([EVENT, {**EVENT, "hush": 1}]), "event 2: unknown field 'hush'"),
        ("[7]", "event 1"),
    ],
)
def test_a_bad_context_is_named_by_its_place(
    cli: Cli, server: Server, tmp_path: Path, text: str, said: str
) -> None:
    (tmp_path / "c.json").write_text(text)
    ended = cli("predict", "--context", str(tmp_path / "c.json"))

    assert ended.code == 2
    assert said in ended.err
    assert server.asked == []


def test_a_missing_context_is_named(cli: Cli, server: Server) -> None:
    ended = cli("predict", "--context", "nowhere.json")

    assert ended.code == 2
    assert "nowhere.json" in ended.err
    assert server.asked == []


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("-1", -1),
        ("0.5", 0.5),
        ("so so", "so so"),
        ('{"kind": "k"}', {"kind": "k"}),
    ],
)
def test_feedback_sends_json_values_and_texts(
    cli: Cli, server: Server, text: str, value: object
) -> None:
    ended = cli("feedback", "dec_1", "thumb", text, "--tag", "surface=shell")
    path, body, _ = server.asked[0]

    assert (path, body["decision_id"], body["metric_name"]) == ("/v1/feedback", "dec_1", "thumb")
    assert (body["value"], body["tags"], body["dryrun"]) == (value, {"surface": "shell"}, False)
    assert ended.out == "stored as fb_1\n"


def test_feedback_may_be_a_dry_run(cli: Cli, server: Server) -> None:
    assert cli("feedback", "dec_1", "thumb", "true", "--dry-run", "--json").document == {
        "feedback_id": "fb_1"
    }
    assert server.asked[0][1]["dryrun"] is True


def test_a_tag_without_a_value_is_wrong_usage(cli: Cli, server: Server) -> None:
    assert cli("feedback", "dec_1", "thumb", "true", "--tag", "surface").code == 2
    assert server.asked == []


@pytest.mark.parametrize("args", [("predict",), ("feedback", "dec_1", "thumb", "true")])
def test_without_a_running_selflow_it_ends_with_three(cli: Cli, args: tuple[str, ...]) -> None:
    ended = cli(*args)

    assert ended.code == 3
    assert "selflow up" in ended.err

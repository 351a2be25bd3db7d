"""One running SelFlow: collecting with consent only, the HTTP port, the command line, and what it
survives.
"""

import http.client
import json
import os
import signal
import socket
import subprocess
from collections import Counter
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import psutil
import pytest

from actors.ray_head import next_free_port, session_processes
from selflow.core.errors import RefusedError
from selflow.core.events import Event
from selflow.sdk.client import Client
from selflow.sdk.ingest import IngestClient, Pace
from tests.e2e.conftest import World
from tests.processes import kill_all, listening, seen
from tests.waiting import PATIENCE, wait_until

SECRET = "ghp_" + "a1B2c3D4e5F6" * 3


def prepare(world: World) -> None:
    """The owner's settings: two sources, which run only once consent is given."""
    watched = world.root.path / "watched"
    watched.mkdir()
    world.root.user_settings.write_text(
        "privacy: {exclude_paths: ['*.user-secret']}\n"
        f"data_sources:\n  - {{type: file_system, paths: ['{watched}'], coalesce_s: 0.1}}\n"
        "  - {type: system_metrics, sample_interval_s: 0.3}\n"
    )
    (world.root.path / "selflow.yaml").write_text(
        "privacy: {exclude_paths: ['*.project-secret']}\nbuffer: {credits: 5}\n"
    )
    world.ok("config", "trust")


def events(world: World, *filters: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = world.json("events", "--limit", "100000", *filters)["items"]
    return found


def ask(
    world: World, method: str, path: str, body: bytes = b"", **headers: str
) -> tuple[int, dict[str, Any]]:
    port = int(world.ok("url", "inference").strip().rpartition(":")[2])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    sent = {
        "Authorization": f"Bearer {world.root.token.read_text()}",
        "Content-Type": "application/json",
    }
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    with suppress(BrokenPipeError, ConnectionResetError):  # it closes before all of it is sent
        connection.request(method, path, body, {**sent, **named})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, json.loads(content) if content.startswith(b"{") else {
        "text": content.decode()
    }


def send(world: World, batch: list[Event]) -> int:
    pace = Pace(resend_after_s=1.0, timeout_s=120.0 * PATIENCE)
    with IngestClient(f"ipc://{world.root.socket('ingest.sock')}", "program", pace=pace) as client:
        client.send(batch)
        return sum(result.accepted for result in client.flush(120 * PATIENCE))


@pytest.mark.setting("serve.port", "data_sources", "ray.dashboard")
def test_the_session_is_as_it_was_asked_for(world: World) -> None:
    told = world.state()

    assert world.ok("url", "inference").strip() == f"http://127.0.0.1:{world.port}"
    assert "dashboard" not in told["endpoints"]
    assert world.run("url", "dashboard").returncode == 3


def test_status_tells_what_runs(world: World) -> None:
    told = world.state()

    assert told["state"] == "running", told["reasons"]
    assert {each["name"] for each in told["services"]} == {
        *(
            "buffer",
            "clusterer",
            "collector",
            "evaluator",
            "router",
            "serve",
            "supervisor",
            "trainer",
        )
    }
    names = [each["name"] for each in told["processes"]]
    assert {"raylet", "gcs_server", "serve", "keeper"} <= set(names), names
    assert all(
        psutil.pid_exists(each["pid"]) and each["memory_bytes"] > 0 for each in told["processes"]
    )


def test_nothing_is_collected_without_consent(world: World) -> None:
    (world.root.path / "watched" / "before.txt").write_text("x")

    with pytest.raises(RefusedError, match="has not allowed"):
        send(world, [Event(1, "program", "file.modify", "a")])

    assert events(world) == []


def test_with_consent_files_and_metrics_come_in_and_secrets_do_not(world: World) -> None:
    world.ok("init", "--grant", "file_system", "--grant", "system_metrics", "--grant", "ingest")
    folder = world.root.path / "watched"

    def is_seen() -> bool:
        (folder / f"key {SECRET}.txt").write_text(os.urandom(4).hex())
        return any(
            each["source"] == "files" or each["kind"].startswith("file.") for each in events(world)
        )

    wait_until(is_seen)
    wait_until(lambda: bool(events(world, "--kind", "metric.sample")))

    assert SECRET not in json.dumps(events(world))
    assert any("<SECRET>" in each["subject"] for each in events(world))
    wait_until(lambda: world.state()["ingested"].get("accepted", 0) > 0)
    assert 'selflow_events_total{outcome="accepted"' in ask(world, "GET", "/metrics")[1]["text"]


def test_a_folder_added_later_is_collected_once_up_has_brought_it(world: World) -> None:
    """Allowed and not yet watched, then both; beside it a folder that nobody allowed."""
    later, private = world.root.path / "later", world.root.path / "private"
    for folder in (later, private):
        folder.mkdir()
    said = world.ok("init", "--watch", str(later))
    with world.root.user_settings.open("a") as file:
        file.write(f"  - {{type: file_system, paths: ['{later}', '{private}'], coalesce_s: 0.1}}\n")
    world.ok("up", "--lean")

    def subjects() -> str:
        for folder in (later, private):
            (folder / "note.txt").write_text(os.urandom(4).hex())
        return json.dumps(events(world))

    wait_until(lambda: str(later / "note.txt") in subjects())

    assert "to apply it: selflow up" in said
    assert str(private) not in subjects()


def test_a_repository_is_imported_once(world: World, tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    repository.mkdir()
    git = ["git", "-C", str(repository), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run([*git, "init", "-q"], check=True)
    for number in range(3):
        (repository / f"file{number}.py").write_text(str(number))
        (repository / "README").write_text(str(number))
        subprocess.run([*git, "add", "-A"], check=True)
        subprocess.run([*git, "commit", "-q", "-m", "x"], check=True)
    before = len(events(world))

    first = world.json("import", "git", str(repository))
    again = world.json("import", "git", str(repository))

    wait_until(
        lambda: (
            len(events(world, "--source", "import:git")) == 6 or len(events(world)) >= before + 6
        )
    )
    assert (first["accepted"], again["accepted"]) == (6, 0)


def test_an_answer_is_graded_and_learned_from(world: World) -> None:
    context = [
        {
            "ts": 1_700_000_000 + place,
            "source": "t",
            "kind": "file.modify",
            "subject": f"{place % 2}.py",
        }
        for place in range(9)
    ]

    status, answer = ask(
        world, "POST", "/v1/predict", json.dumps({"context": context, "top_k": 3}).encode()
    )
    outcome = [{"kind": "file.modify", "subject": "1.py"}]
    body = {"decision_id": answer["decision_id"], "metric_name": "outcome", "value": outcome}
    graded, word = ask(world, "POST", "/v1/feedback", json.dumps(body).encode())

    assert (status, graded) == (200, 200)
    assert sum(each["p"] for each in answer["predictions"]) + answer["other_p"] == pytest.approx(
        1.0
    )
    assert {"hit_at_1", "hit_at_5", "log_loss_bits"} <= set(word)


@pytest.mark.parametrize(
    ("headers", "body", "status", "code"),
    [
        ({"Authorization": "Bearer sf_wrong"}, b"{}", 401, "unauthenticated"),
        ({"Host": "elsewhere.example:7731"}, b"{}", 421, "bad_host"),
        ({"Origin": "https://elsewhere.example"}, b"{}", 403, "bad_origin"),
        ({}, b"{" + b" " * 2_000_000 + b"}", 413, "too_large"),
        ({}, b"{", 400, "bad_request"),
        ({}, b'{"horizen": 1}', 400, "validation_failed"),
    ],
    ids=["token", "host", "origin", "size", "json", "field"],
)
def test_a_bad_request_gets_one_clear_error(
    world: World, headers: dict[str, str], body: bytes, status: int, code: str
) -> None:
    answered, problem = ask(world, "POST", "/v1/predict", body, **headers)

    assert (answered, problem["code"]) == (status, code)
    assert problem["detail"]
    assert problem["request_id"]


def test_nothing_listens_beyond_loopback_the_replica_included(world: World) -> None:
    addresses = [(one.name, listening(one.process)) for one in seen(session_processes(world.root))]

    assert any(name.startswith("ray::ServeRepl") and ips for name, ips in addresses)
    for ip in (ip_address(each) for _, ips in addresses for each in ips):
        assert (ip.ipv4_mapped if ip.version == 6 and ip.ipv4_mapped else ip).is_loopback
    assert world.run("doctor").returncode == 0


@pytest.mark.parametrize("service", ["buffer", "router", "supervisor", "trainer"])
def test_an_answer_comes_while_each_is_down(world: World, service: str) -> None:
    client = Client(environ=world.environ, timeout_s=30)
    client.predict(top_k=1)
    old_pid = world.pid(service)

    os.kill(old_pid, signal.SIGKILL)
    answer = client.predict(top_k=3)
    titles = [one.title for one in seen(session_processes(world.root))]

    assert not any(each.lower().startswith(f"ray::{service}") for each in titles), "it is back"
    assert answer.decision_id
    wait_until(lambda: world.state()["state"] == "running" and world.pid(service) != old_pid, 90)


def complete(world: World, prefix: str) -> str:
    """A keystroke of a shell over the socket, without a token; the answer's line, or nothing."""
    body = f"shell\x1f~/work\x1f{prefix}".encode()
    head = f"POST /v1/suggest HTTP/1.0\r\nAccept: text/plain\r\nContent-Length: {len(body)}\r\n\r\n"
    answer = b""
    with suppress(OSError), socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        client.connect(str(world.root.socket("suggest.sock")))
        client.sendall(head.encode() + body)
        while received := client.recv(4_096):
            answer += received
    return answer.partition(b"\r\n\r\n")[2].decode()


def test_a_shell_is_answered_over_the_socket_and_its_word_comes_by_the_log(world: World) -> None:
    lines = ["git checkout main", "make check", "cd src"] * 8
    folder: dict[str, Any] = {"folder": "~/work"}
    send(
        world,
        [
            Event(1_690_000_000_000_000 + n, "program", "shell.command", line, "bash", 0.0, folder)
            for n, line in enumerate(lines)
        ],
    )
    wait_until(lambda: complete(world, "git ch").endswith("\tgit checkout main\n"))
    decision, _, _ = complete(world, "git ch").partition("\t")
    said: dict[str, Any] = {"decision_id": decision, "outcome": "accepted", "typed_bytes": 6}
    accepted = Event(
        1_690_000_001_000_000,
        "program",
        "shell.command",
        "git checkout main",
        "bash",
        0.0,
        {**folder, "suggestion": said},
    )
    send(world, [accepted])

    counted = 'selflow_suggestions_total{outcome="accepted",surface="shell"} 1.0'
    wait_until(lambda: counted in ask(world, "GET", "/metrics")[1]["text"])
    assert world.ok("suggest", "--prefix", "git ch", "--context", "~/work") == "git checkout main\n"
    assert world.state()["endpoints"]["suggest"]["listens"]


def test_a_killed_replica_comes_back_and_knows_its_decisions_and_lines(world: World) -> None:
    decision = world.json("predict", "--top-k", "2")["decision_id"]
    shown = complete(world, "git ch").partition("\t")[0]
    assert world.json("feedback", shown, "accepted", "true")["feedback_id"]
    old_pid = world.pid("serve")

    os.kill(old_pid, signal.SIGKILL)
    answers = [complete(world, "git ch") for _ in range(20)]

    wait_until(lambda: world.state()["state"] == "running" and world.pid("serve") != old_pid, 90)
    assert {answer.partition("\t")[2] for answer in answers} <= {"", "git checkout main\n"}
    assert world.json("feedback", decision, "thumb", "true")["feedback_id"]
    wait_until(lambda: complete(world, "git ch").endswith("\tgit checkout main\n"))


@pytest.mark.parametrize("victims", ["raylet", "everything"])
def test_the_session_dies_in_the_middle_of_ingest_and_nothing_acknowledged_is_lost(
    world: World, victims: str
) -> None:
    batch = [
        Event(1_650_000_000_000_000 + n, "program", "world.event", f"{victims}-{n}")
        for n in range(4_000)
    ]
    sent = send(world, batch[:2_000])
    found = seen(session_processes(world.root))
    kill_all(one.process for one in found if victims in {"everything", one.name})
    told = world.state()

    sent += send(world, batch[2_000:])
    wait_until(lambda: world.state()["state"] == "running", 240)
    stored = Counter(each["subject"] for each in events(world, "--kind", "world.event"))

    assert told["state"] in {"not running", "degraded"}
    assert {each["state"] for each in world.state()["services"]} == {"ok"}
    assert len(world.state()["services"]) == 8, "running is said of all that belongs to it"
    assert sent == len(batch)
    assert {subject: n for subject, n in stored.items() if subject.startswith(victims)} == {
        e.subject: 1 for e in batch
    }


@pytest.mark.setting("buffer.credits", "privacy.exclude_paths")
def test_a_trusted_project_reaches_the_session_and_its_rebuild(world: World) -> None:
    """It runs after the session was killed and rebuilt by the keeper, which lives elsewhere."""
    names = ["a.user-secret", "a.project-secret", "a.kept"]
    send(world, [Event(1, "program", "file.modify", name) for name in names])
    told = world.json("config", "explain", "buffer.credits")
    exclusions = world.json("config", "get", "privacy.exclude_paths")["value"]
    stored = [each["subject"] for each in events(world, "--kind", "file.modify")]

    assert (told["value"], told["layer"]) == (5, "project")
    assert exclusions == ["*.user-secret", "*.project-secret"]
    assert "a.kept" in stored
    assert not {"a.user-secret", "a.project-secret"} & set(stored)


def test_a_second_up_finds_it_running(world: World) -> None:
    old_pid = world.pid("buffer")

    world.ok("up", "--lean")

    assert world.pid("buffer") == old_pid
    assert world.ok("url", "inference").strip() == f"http://127.0.0.1:{world.port}"
    assert ask(world, "GET", "/health")[0] == 200


def test_an_up_with_other_settings_brings_them_to_the_replica_and_its_port(world: World) -> None:
    old_pid, other = world.pid("serve"), next_free_port(world.port + 1)

    world.ok(
        "up",
        "--lean",
        "--set",
        f"serve.port={other}",
        "--set",
        "serve.max_body_bytes=5000",
    )

    assert world.ok("url", "inference").strip() == f"http://127.0.0.1:{other}"
    assert world.pid("serve") != old_pid
    assert ask(world, "POST", "/v1/predict", b" " * 5_001)[1]["code"] == "too_large"
    assert world.run("predict").returncode == 0

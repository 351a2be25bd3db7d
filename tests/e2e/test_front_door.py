"""Clients that stall, crowd and poke at Serve: the session goes on and answers in one envelope."""

import http.client
import json
import os
import signal
import socket
from contextlib import ExitStack

import pytest

from selflow.web.peers import MAX_CONNECTIONS
from tests.e2e.conftest import World
from tests.waiting import wait_until

ENVELOPE = "application/problem+json"


def port_of(world: World) -> int:
    return int(world.ok("url", "inference").strip().rpartition(":")[2])


def get(port: int, path: str) -> tuple[int, str, dict[str, object]]:
    """Status, media type and body of an answer without a token."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, str(answer.headers["content-type"]), json.loads(answer.read())
    finally:
        connection.close()


def hold(stack: ExitStack, port: int, count: int, sent: bytes) -> None:
    """Open connections, send the same on each and keep them."""
    for _ in range(count):
        held = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        held.sendall(sent)


@pytest.mark.parametrize("path", ["/-/routes", "/-/healthz"])
def test_routes_of_serve_do_not_exist(world: World, path: str) -> None:
    status, media, told = get(port_of(world), path)

    assert (status, media, told["code"]) == (404, ENVELOPE, "route_not_found")


def test_stalled_bodies_hold_up_no_prediction(world: World) -> None:
    port, token = port_of(world), world.root.token.read_text()
    head = f"POST /v1/predict HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nauthorization: Bearer {token}"
    with ExitStack() as stack:
        stalled = f"{head}\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n["
        hold(stack, port, 90, stalled.encode())
        hold(stack, port, 9, b"GET /health HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n5\r\n")

        assert world.json("predict")["decision_id"]
        assert get(port, "/health")[0] == 200


def test_a_crowd_of_connections_is_no_reason_to_tear_serve_down(world: World) -> None:
    port, pid = port_of(world), world.pid("serve")
    with ExitStack() as stack:
        hold(stack, port, MAX_CONNECTIONS + 10, b"GET /health HTTP/1.1\r\n")
        status, media, told = get(port, "/health")
        assert (status, media, told["code"]) == (429, ENVELOPE, "rate_limited")
        wait_until(lambda: get(port, "/health")[0] == 200, 30)

    assert world.pid("serve") == pid
    assert {each["restarts"] for each in world.state()["services"] if each["name"] == "serve"} == {
        0
    }


def test_while_the_replica_comes_back_every_answer_is_ours(world: World) -> None:
    port = port_of(world)
    answers: list[tuple[int, str]] = []
    os.kill(world.pid("serve"), signal.SIGKILL)

    def is_back() -> bool:
        status, media, _ = get(port, "/health")
        answers.append((status, media))
        return status == 200 and len(answers) > 1

    wait_until(is_back, 60)

    assert {media for status, media in answers if status != 200} <= {ENVELOPE}
    assert {status for status, _ in answers} <= {200, 503}


def console_of(world: World) -> tuple[int, int]:
    """The console's port and process."""
    record = json.loads(world.root.console.read_text(encoding="utf-8"))
    return int(record["url"].rpartition(":")[2]), int(record["pid"])


def test_a_killed_console_comes_back_at_its_port_and_acts_go_on(world: World) -> None:
    port, pid = console_of(world)
    token = world.root.token.read_text(encoding="utf-8").strip()
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: is_open(port) and console_of(world)[1] != pid, 30)

    assert console_of(world)[0] == port
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"authorization": f"Bearer {token}"}
    connection.request("POST", "/api/system/learn", headers=headers)
    queued = json.loads(connection.getresponse().read())

    def is_done() -> bool:
        connection.request("GET", f"/api/commands/{queued['id']}", headers=headers)
        return bool(json.loads(connection.getresponse().read())["state"] == "done")

    wait_until(is_done, 30)
    connection.close()
    world.run("learn", "--cancel")


def is_open(port: int) -> bool:
    """Whether something answers ``/health`` there."""
    try:
        return get(port, "/health")[0] == 200
    except OSError:
        return False

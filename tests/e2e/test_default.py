"""``selflow up`` as everybody calls it, dashboard on: closed to others, back after each kill.

Where a PostgreSQL server can be started, it holds the catalog; the other sessions have SQLite.
"""

import http.client
import os
import shutil
import signal
from collections.abc import Iterator

import psutil
import pytest

from actors.ray_head import own_processes, session_processes
from selflow.core.events import Event
from selflow.core.processes import living_keeper
from selflow.sdk.ingest import IngestClient
from tests import postgres
from tests.e2e.conftest import World, make_world
from tests.processes import marked, seen
from tests.waiting import PATIENCE, wait_until

PASSWORD = "correct-horse"
LOOPBACK = {"127.0.0.1", "::1", "::ffff:127.0.0.1"}


@pytest.fixture(scope="module")
def catalog_url() -> Iterator[str]:
    """Of an empty database, with a password; of SQLite if there is no server outside CI."""
    if postgres.missing() and "CI" not in os.environ:
        yield "sqlite"
        return
    with postgres.server() as url:
        yield f"{url.replace('@', f':{PASSWORD}@')}postgres"


@pytest.fixture(scope="module")
def default(catalog_url: str) -> Iterator[World]:
    """A session with the dashboard, whose test settings only shorten waits."""
    made = make_world()
    made.root.user_settings.write_text(f"store: {{catalog_url: '{catalog_url}'}}\n")
    made.ok("init", "--grant", "ingest")
    made.ok("up")
    yield made
    made.run("down")
    left = [process.name() for process in own_processes(made.root)]
    shutil.rmtree(made.root.path, ignore_errors=True)
    assert left == []


def listening(world: World) -> list[tuple[str, str, int]]:
    """Process, interface and port of every listener of the session."""
    return [
        (one.name, each.laddr.ip, each.laddr.port)
        for one in seen(session_processes(world.root))
        for each in one.process.net_connections("inet")
        if each.status == psutil.CONN_LISTEN
    ]


def named(world: World, title: str) -> list[psutil.Process]:
    """The processes of the session whose name begins so."""
    found = seen(session_processes(world.root))
    return [one.process for one in found if one.name.startswith(title)]


def status(port: int, path: str, token: str | None = None) -> int | None:
    """What a port answers over HTTP; None if it does not speak HTTP."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        connection.request("GET", path, headers=headers)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def test_the_default_session_is_closed(default: World) -> None:
    """Loopback only, no metrics and no dashboard data without a token."""
    found = listening(default)
    checked = default.run("doctor")
    dashboard = int(default.ok("url", "dashboard").strip().rpartition(":")[2])
    ray_token = (default.root.run / "ray_token").read_text()
    metrics = [(name, port) for name, _, port in found if status(port, "/metrics") == 200]

    assert len(found) > 10
    assert [each for each in found if each[1] not in LOOPBACK] == []
    assert status(dashboard, "/api/version") == 401
    assert status(dashboard, "/api/version", ray_token) == 200
    assert metrics == []
    assert checked.returncode == 0, checked.stdout
    assert PASSWORD not in checked.stdout


def test_what_is_sent_is_stored_and_counted(default: World, catalog_url: str) -> None:
    batch = [Event(n, "program", "world.event", f"{n}") for n in range(1, 101)]
    with IngestClient(f"ipc://{default.root.socket('ingest.sock')}", "program") as client:
        client.send(batch)
        accepted = sum(result.accepted for result in client.flush(60 * PATIENCE))
    wait_until(lambda: default.state()["ingested"].get("accepted", 0) > 0)

    assert accepted == len(default.json("events", "--limit", "1000")["items"]) == len(batch)
    assert default.root.catalog.exists() == (catalog_url == "sqlite")


def test_the_session_survives_the_kill_of_each_process_of_rays(default: World) -> None:
    for title in ("ray::DashboardAgent", "ray::RuntimeEnvAgent", "gcs_server", "ray::ProxyActor"):
        decision = default.json("predict", "--top-k", "2")["decision_id"]
        (victim,) = named(default, title)

        victim.kill()

        wait_until(lambda title=title, old=victim: named(default, title) not in ([], [old]), 120)
        wait_until(lambda: default.run("predict").returncode == 0, 120)
        assert default.json("feedback", decision, "thumb", "true")["feedback_id"]


def test_a_session_answers_before_the_services_that_learn_are_started(default: World) -> None:
    """It was rebuilt by the keeper just now."""
    (replica,), (supervisor,) = named(default, "ray::ServeRepl"), named(default, "ray::Superv")

    assert replica.create_time() < supervisor.create_time()


def test_a_killed_keeper_is_told_and_replaced_by_up(default: World) -> None:
    wait_until(lambda: default.state()["state"] == "running", 120)
    keeper = living_keeper(default.root)
    assert keeper is not None

    os.kill(keeper.pid, signal.SIGKILL)
    wait_until(lambda: living_keeper(default.root) is None)
    told = default.state()
    default.ok("up")
    default.ok("up")

    assert any("the keeper is not running" in reason for reason in told["reasons"])
    assert default.run("predict").returncode == 0, "answers need no keeper"
    assert living_keeper(default.root) is not None
    keepers = seen(marked("SELFLOW_HOME", str(default.root.path)))
    assert [one.process.cmdline()[-1] for one in keepers].count("keep") == 1

"""``selflow status`` and ``selflow url``: the truth, whatever was written down."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from selflow.core import processes
from selflow.core.catalog_location import record_catalog
from selflow.core.clock import SystemClock
from selflow.core.codec import encode_record
from selflow.core.events import Event
from selflow.core.health import Health, State
from selflow.core.ingest_counts import IngestCounts
from selflow.core.paths import Root
from selflow.core.session_files import (
    Endpoints,
    ProcessRecord,
    RaySession,
    write_endpoints,
    write_keeper,
    write_ray_session,
)
from selflow.store.catalog import Catalog
from selflow.store.log import EventLog
from selflow.store.records import Artifact
from selflow.store.session_facts import SessionFacts
from tests.unit.console.conftest import Cli

NOW_US = SystemClock().now_us()
Child = subprocess.Popen[bytes]


def health(name: str, pid: int, state: State = "ok", later_us: int = 0) -> Health:
    after_boot_us = (processes.after_boot_us(pid) or 0) + later_us
    return Health(name, "0.1.0", "cfg", pid, after_boot_us, state, 0, "", 1)


@pytest.fixture
def catalog(root: Root) -> Iterator[Catalog]:
    opened = Catalog.open(root.catalog)
    yield opened
    opened.close()


@pytest.fixture
def dead_pid() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


@pytest.fixture
def child(root: Root) -> Iterator[Child]:
    """A living process that carries the mark of this root's session."""
    with subprocess.Popen(
        [sys.executable, "-c", "import sys; print('up', flush=True); sys.stdin.read()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "SELFLOW_RAY_SESSION": str(root.path)},
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.communicate()


def own_ray(root: Root, *core_pids: int) -> None:
    """A session of ours whose keeper is this process."""
    session = RaySession("127.0.0.1:1", is_ours=True, dashboard_port=None, core_pids=core_pids)
    write_ray_session(root, session)
    write_keeper(root, processes.this_process("keeper"))


def put_services(catalog: Catalog, *services: Health, seen_s_ago: float = 0.0) -> None:
    for each in services:
        catalog.services.put(each, 0, SystemClock().now_us() - round(seen_s_ago * 1e6))


def test_without_any_session_it_is_not_running_and_ends_with_three(cli: Cli) -> None:
    ended = cli("status", "--json")

    assert ended.code == 3
    assert ended.document["state"] == "not running"
    assert ended.document["processes"] == []


def test_the_direct_way_and_typers_way_say_the_same(cli: Cli, root: Root) -> None:
    direct, by_typer = cli("status", "--json"), cli("--home", str(root.path), "status", "--json")

    assert (direct.code, direct.document) == (by_typer.code, by_typer.document)


def test_running_needs_every_service_alive(
    cli: Cli, root: Root, catalog: Catalog, child: Child
) -> None:
    own_ray(root, child.pid)
    put_services(catalog, health("supervisor", os.getpid()), health("buffer", os.getpid()))
    ended = cli("status", "--json")

    assert (ended.code, ended.document["state"], ended.document["reasons"]) == (0, "running", [])
    assert ended.document["ray"]["state"] == "running"
    assert "is running" in cli("status").out


def test_a_service_killed_since_it_was_written_down_is_told(
    cli: Cli, root: Root, catalog: Catalog, dead_pid: int, child: Child
) -> None:
    own_ray(root, child.pid)
    put_services(catalog, health("supervisor", os.getpid()), health("buffer", dead_pid))
    document = cli("status", "--json").document

    assert (document["state"], document["reasons"]) == ("degraded", ["buffer is dead"])


def test_a_reused_process_number_is_not_taken_for_the_service(
    cli: Cli, root: Root, catalog: Catalog
) -> None:
    put_services(catalog, health("supervisor", os.getpid(), later_us=-60_000_000))

    assert cli("status", "--json").document["state"] == "not running"


def test_a_dead_supervisor_is_told_while_the_rest_lives(
    cli: Cli, root: Root, catalog: Catalog, dead_pid: int, child: Child
) -> None:
    own_ray(root, child.pid)
    put_services(catalog, health("supervisor", dead_pid), health("buffer", os.getpid()))
    document = cli("status", "--json").document

    assert document["state"] == "degraded"
    assert document["reasons"] == ["the supervisor is dead: services are not recreated"]


def test_a_silent_supervisor_is_told(cli: Cli, root: Root, catalog: Catalog, child: Child) -> None:
    own_ray(root, child.pid)
    put_services(catalog, health("supervisor", os.getpid()), seen_s_ago=300)
    document = cli("status", "--json").document

    assert document["state"] == "degraded"
    assert "has not reported" in document["reasons"][0]


def test_a_supervisor_that_looks_seldom_is_not_silent(
    cli: Cli, root: Root, catalog: Catalog, child: Child
) -> None:
    own_ray(root, child.pid)
    catalog.facts.begin(SessionFacts(check_interval_s=60.0), NOW_US)
    put_services(catalog, health("supervisor", os.getpid()), seen_s_ago=100)

    assert cli("status", "--json").document["state"] == "running"


def test_a_ray_session_that_is_gone_is_told(
    cli: Cli, root: Root, catalog: Catalog, dead_pid: int
) -> None:
    own_ray(root, dead_pid)
    put_services(catalog, health("supervisor", os.getpid()))
    document = cli("status", "--json").document

    assert (document["state"], document["reasons"]) == ("degraded", ["the Ray session is gone"])


def test_a_session_of_which_all_is_dead_is_not_running_and_says_why(
    cli: Cli, root: Root, catalog: Catalog, dead_pid: int
) -> None:
    own_ray(root, dead_pid)
    put_services(catalog, health("supervisor", dead_pid), health("buffer", dead_pid))
    ended = cli("status", "--json")

    assert (ended.code, ended.document["state"]) == (3, "not running")
    assert ended.document["reasons"] == ["the Ray session died"]


def test_a_service_that_calls_itself_degraded_is_told(
    cli: Cli, root: Root, catalog: Catalog, child: Child
) -> None:
    own_ray(root, child.pid)
    put_services(
        catalog, health("supervisor", os.getpid(), "degraded"), health("serve", 0, "starting")
    )

    assert cli("status", "--json").document["reasons"] == ["supervisor is degraded"]


def test_ray_without_our_services_is_degraded(cli: Cli, root: Root, child: Child) -> None:
    own_ray(root, child.pid)
    ended = cli("status", "--json")

    assert (ended.code, ended.document["state"]) == (0, "degraded")


def test_a_service_that_is_being_made_is_starting(
    cli: Cli, root: Root, catalog: Catalog, child: Child
) -> None:
    own_ray(root, child.pid)
    put_services(catalog, health("supervisor", os.getpid()), health("serve", 0, "starting"))
    document = cli("status", "--json").document

    assert (document["state"], document["serve"]["state"]) == ("starting", "starting")


@pytest.mark.setting("buffer.budget_bytes")
def test_it_shows_buffer_predictor_and_consents(cli: Cli, root: Root, catalog: Catalog) -> None:
    log = EventLog(root.events, budget_bytes=1_000, credits=1)
    log.append("t", 1, [encode_record(Event(NOW_US, "t", "k", "x"))])
    log.close()
    catalog.facts.begin(SessionFacts(budget_bytes=1_000), NOW_US)
    catalog.consents.grant("ingest", {}, NOW_US, "owner")
    catalog.predictors.promote(Artifact("a" * 64, "predictor", 1, {}), [], 17, {}, NOW_US)
    document = cli("status", "--json").document
    text = cli("status").out

    assert document["buffer"]["events"] == 1
    assert 0 < document["buffer"]["fill_fraction"] < 1
    assert document["champion"]["upto_seq"] == 17
    assert document["consents"] == ["ingest"]
    assert "of 1.0 kB" in text
    assert "learned up to event 17" in text


def test_a_process_of_the_session_is_found_by_its_mark(root: Root, child: Child) -> None:
    assert list(processes.session_pids(root.path)) == [child.pid]
    assert list(processes.session_pids(root.path / "other")) == []


def test_a_noted_process_counts_while_it_is_the_same(
    cli: Cli, catalog: Catalog, child: Child
) -> None:
    began_us = processes.after_boot_us(child.pid) or 0
    another = ProcessRecord("another", os.getppid(), began_us + 10_000)
    catalog.facts.set_processes([another, ProcessRecord("x", child.pid, began_us)], NOW_US)
    found = cli("status", "--json").document["processes"]

    assert [(process["pid"], process["name"]) for process in found] == [(child.pid, "x")]
    assert found[0]["memory_bytes"] > 1_000_000


def test_the_start_of_a_process_is_the_kernels(dead_pid: int) -> None:
    began_us = processes.started_at_us(os.getpid())

    assert began_us is not None
    assert abs(began_us - psutil.Process().create_time() * 1e6) < 20_000
    assert processes.started_at_us(dead_pid) is None
    assert processes.look(dead_pid) is None


def test_a_process_stays_the_same_when_the_clock_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    own, began_us = processes.this_process("own"), processes.started_at_us(os.getpid())
    monkeypatch.setattr(processes, "_boot_us", lambda: 1_000_000)

    assert processes.started_at_us(os.getpid()) != began_us
    assert processes.is_running(own)


def test_a_session_without_its_keeper_is_degraded(
    cli: Cli, root: Root, catalog: Catalog, child: Child
) -> None:
    own_ray(root, child.pid)
    put_services(catalog, health("supervisor", os.getpid()))
    root.keeper.unlink()
    document = cli("status", "--json").document

    assert (document["state"], document["keeper"]["state"]) == ("degraded", "not running")
    assert "the keeper is not running" in document["reasons"][0]


def test_the_keeper_is_among_the_processes_and_in_their_sum(
    cli: Cli, root: Root, child: Child
) -> None:
    write_keeper(root, ProcessRecord("keeper", child.pid, processes.after_boot_us(child.pid) or 0))
    found = cli("status", "--json").document

    assert found["keeper"] == {"state": "running", "pid": child.pid}
    assert [each["name"] for each in found["processes"]] == ["keeper"]


def test_url_prints_one_line_of_what_listens(cli: Cli, root: Root, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as door:
        door.bind(str(tmp_path / "door"))
        door.listen()
        port = server.getsockname()[1]
        address = f"127.0.0.1:{port}"
        door_url = f"ipc://{tmp_path / 'door'}"
        write_endpoints(root, Endpoints(f"http://{address}", ingest=door_url, ray=address))

        assert cli("url", "inference").out == f"http://127.0.0.1:{port}\n"
        assert cli("url", "ingest", "--json").document == {
            "name": "ingest",
            "url": f"ipc://{tmp_path / 'door'}",
        }
        assert cli("url", "ray").code == 0
        assert cli("status", "--json").document["endpoints"]["inference"]["listens"] is True
        assert set(cli("status", "--json").document["endpoints"]) == {"inference", "ingest", "ray"}


def test_url_of_what_does_not_listen_ends_with_three(cli: Cli, root: Root) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    write_endpoints(root, Endpoints(f"http://127.0.0.1:{port}", ingest="ipc:///nowhere"))

    assert cli("url", "inference").code == 3
    assert cli("url", "ingest").code == 3
    assert cli("url", "dashboard").code == 3


def test_url_of_an_unknown_name_is_wrong_usage(cli: Cli) -> None:
    ended = cli("url", "kitchen")

    assert ended.code == 2
    assert "inference" in ended.err


def test_a_broken_endpoints_file_is_named(cli: Cli, root: Root) -> None:
    root.endpoints.write_text("{")
    ended = cli("url", "inference")

    assert ended.code == 3
    assert str(root.endpoints) in ended.err


@pytest.mark.parametrize("how", ["file", "variable", "session"])
def test_status_reads_the_catalog_that_the_settings_name(
    cli: Cli, root: Root, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    url = f"sqlite:///{tmp_path / 'other.db'}"
    with Catalog.open(tmp_path / "other.db") as other:
        other.consents.grant("ingest", {}, 1, "owner")
    if how == "file":
        root.user_settings.write_text(f"store: {{catalog_url: '{url}'}}\n")
    elif how == "variable":
        monkeypatch.setenv("SELFLOW_STORE__CATALOG_URL", url)
    else:
        record_catalog(root, url)

    assert cli("status", "--json").document["consents"] == ["ingest"]
    assert not root.catalog.exists()


def test_what_was_left_out_of_shells_is_said(cli: Cli, root: Root) -> None:
    root.shell_spool.mkdir()
    (root.shell_spool / "counts").write_text("files 3\nlong 1\n")

    assert cli("status", "--json").document["shell_left_out"] == {"files": 3, "long": 1}
    assert (
        "left out of shells' commands: 3 files, 1 long (selflow shell status)" in cli("status").out
    )


def test_what_became_of_events_is_shown(cli: Cli, catalog: Catalog) -> None:
    counts = IngestCounts({"shell": {"accepted": 1_200, "lost": 2}, "files": {"accepted": 34}})
    catalog.facts.set_ingested(counts, NOW_US)

    assert cli("status", "--json").document["ingested"] == {"accepted": 1_234, "lost": 2}
    shown = "events since the collector started: 1,234 accepted, 0 dropped, 0 rejected, 2 lost"
    assert shown in cli("status").out

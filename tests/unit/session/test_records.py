"""What crosses floors, from its real producer to its real reader."""

import json
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from actors import keeper, ray_head, session
from actors.node_processes import node_processes
from actors.plan import Plan
from selflow.console.cli.main import run
from selflow.core.clock import SystemClock
from selflow.core.errors import NotRunningError
from selflow.core.health import Health
from selflow.core.paths import Root
from selflow.core.processes import this_process
from selflow.core.session_files import (
    Endpoints,
    ProcessRecord,
    RaySession,
    read_endpoints,
    read_keeper,
    read_ray_session,
    write_endpoints,
)
from selflow.core.settings import IngestSettings, RaySettings, Settings
from selflow.sdk.client import Client
from selflow.store.catalog import Catalog
from tests.unit.session.test_attach import control_store

NOW_US = SystemClock().now_us()


@pytest.fixture
def root(home: Path) -> Root:
    made = Root(home / "selflow", home / "selflow")
    made.make()
    return made


def status(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    run(["status", "--json"])
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    return told


def test_the_processes_the_supervisor_records_are_in_status(
    root: Root, capsys: pytest.CaptureFixture[str]
) -> None:
    with (
        subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child,
        closing(Catalog.open(root.catalog)) as catalog,
    ):
        catalog.facts.set_processes(node_processes(), NOW_US)
        told = status(capsys)
        child.communicate()

    assert child.pid in {each["pid"] for each in told["processes"]}


def test_the_services_the_supervisor_records_are_in_status(
    root: Root, capsys: pytest.CaptureFixture[str]
) -> None:
    me = this_process("router")
    health = Health("router", "0.1.0", "abc", me.pid, me.after_boot_us, "ok", 3, "late", 1)
    with closing(Catalog.open(root.catalog)) as catalog:
        catalog.services.put(health, 2, NOW_US)
    (told,) = status(capsys)["services"]

    assert (told["name"], told["state"], told["restarts"]) == ("router", "ok", 2)
    assert (told["lag_events"], told["last_error"]) == (3, "late")


def test_the_keeper_records_itself(root: Root, capsys: pytest.CaptureFixture[str]) -> None:
    stopped = Event()
    stopped.set()
    keeper.keep(root, SystemClock(), stopped)

    assert read_keeper(root) == this_process("keeper")
    assert status(capsys)["keeper"] == {"state": "running", "pid": os.getpid()}
    assert os.getpid() in {each.pid for each in ray_head.own_processes(root)}


def test_an_attached_cluster_is_in_status_with_its_warnings(
    root: Root, capsys: pytest.CaptureFixture[str]
) -> None:
    with control_store(has_token=True) as address:
        attached = ray_head.attach(root, RaySettings(), address)
    ray = status(capsys)["ray"]

    assert read_ray_session(root) == attached
    assert ray == {
        "state": "dead",
        "address": address,
        "is_ours": False,
        "warnings": list(attached.warnings),
    }


def test_a_client_asks_where_the_session_listens(
    root: Root, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = Plan(root, Settings(ingest=IngestSettings(tcp_port=7_790)), "1", 1, False, 0.0)
    started = RaySession("127.0.0.1:2", is_ours=True, dashboard_port=8_265)
    write_endpoints(root, session.endpoints(root, plan, started))

    assert read_endpoints(root) == Endpoints(
        inference="http://127.0.0.1:1",
        suggest=f"unix://{root.socket('suggest.sock')}",
        ingest=f"ipc://{root.socket('ingest.sock')}",
        ingest_tcp="tcp://127.0.0.1:7790",
        dashboard="http://127.0.0.1:8265",
        ray="127.0.0.1:2",
    )
    with pytest.raises(NotRunningError, match="nothing listens at"):
        Client(token="sf_x", environ={"SELFLOW_HOME": str(root.path)}).health()
    assert set(status(capsys)["endpoints"]) == {
        *("inference", "suggest", "ingest", "ingest_tcp", "dashboard", "ray")
    }


@pytest.mark.parametrize("text", ["{", "[]", '{"name": "keeper"}', "7"])
def test_a_damaged_record_is_named_with_what_to_do(root: Root, text: str) -> None:
    root.keeper.write_text(text)

    with pytest.raises(NotRunningError, match=r"cannot read .*keeper.json") as caught:
        read_keeper(root)
    assert "remove this file" in caught.value.hint


def test_a_field_of_another_version_is_ignored(root: Root) -> None:
    root.keeper.write_text('{"name": "keeper", "pid": 7, "after_boot_us": 1, "colour": "red"}')

    assert read_keeper(root) == ProcessRecord("keeper", 7, 1)

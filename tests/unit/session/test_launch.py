"""How Ray is asked to start: on loopback, with a token, as the settings say."""

import os
import shutil
import socket
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from actors import ray_head
from selflow.core.errors import StoreError
from selflow.core.paths import Root
from selflow.core.session_files import RaySession
from selflow.core.settings import RaySettings


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return Root(tmp_path, tmp_path)


def command(root: Root, ray: RaySettings, dashboard_port: int | None = None) -> list[str]:
    return ray_head.start_command(root, ray, 6_400, dashboard_port)


@pytest.mark.setting("ray.num_cpus", "ray.object_store_bytes")
def test_the_head_gets_the_cores_and_the_store_of_the_settings(root: Root) -> None:
    asked = command(root, RaySettings(num_cpus=3, object_store_bytes=90_000_000))

    assert "--num-cpus=3" in asked
    assert "--object-store-memory=90000000" in asked


@pytest.mark.setting("ray.dashboard", "ray.dashboard_port")
def test_the_dashboard_is_on_loopback_at_a_free_port_or_off(root: Root) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        busy = taken.getsockname()[1]
        port = ray_head.dashboard_port(RaySettings(dashboard_port=busy))
    on = command(root, RaySettings(), port)
    off = command(
        root, RaySettings(dashboard=False), ray_head.dashboard_port(RaySettings(dashboard=False))
    )

    assert port is not None
    assert port > busy
    assert {
        "--include-dashboard=true",
        "--dashboard-host=127.0.0.1",
        f"--dashboard-port={port}",
    } <= set(on)
    assert "--include-dashboard=false" in off


@pytest.mark.setting("ray.knobs")
def test_the_environment_holds_the_knobs_and_no_knob_opens_a_hole(root: Root) -> None:
    opened = {
        "RAY_max_io_workers": "2",
        "RAY_AUTH_MODE": "disabled",
        "RAY_SERVE_ENABLE_HA_PROXY": "1",
        "RAY_enable_metrics_collection": "1",
    }
    environment = ray_head.own_environment(root, RaySettings(knobs=opened), "127.0.0.1:6400")

    assert environment["RAY_max_io_workers"] == "2"
    assert environment["RAY_AUTH_MODE"] == "token"
    assert environment["RAY_SERVE_ENABLE_HA_PROXY"] == "0"
    assert environment["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] == "0"
    assert environment["RAY_USAGE_STATS_ENABLED"] == "0"
    assert environment["RAY_enable_metrics_collection"] == "0"
    assert environment["DASHBOARD_METRIC_PORT"] == "-1"


def test_no_process_of_ours_asks_anything_of_the_network(root: Root) -> None:
    knobs = {"RAY_USAGE_STATS_ENABLED": "1"}
    environment = ray_head.own_environment(root, RaySettings(knobs=knobs), "127.0.0.1:6400")
    quiet = {"HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1", "RAY_USAGE_STATS_ENABLED": "0"}

    assert quiet.items() <= environment.items()


def test_only_processes_of_this_root_are_ended(root: Root, tmp_path: Path) -> None:
    sleep = [shutil.which("sleep") or "", "60"]
    marks = {"ours": str(root.path), "another root's": str(tmp_path / "other")}
    processes = {
        whose: subprocess.Popen(sleep, env={**os.environ, ray_head.MARK: mark})
        for whose, mark in marks.items()
    }
    processes["nobody's"] = subprocess.Popen(sleep)

    ended = ray_head.end_processes(root)
    left = {whose for whose, process in processes.items() if process.poll() is None}

    assert (ended, left) == (1, {"another root's", "nobody's"})
    for process in processes.values():
        process.kill()
        process.wait()


def test_the_start_hook_takes_the_ray_client_server_away() -> None:
    params = SimpleNamespace(ray_client_server_port=10_001)

    ray_head.no_ray_client(params, True)  # type: ignore[arg-type]

    assert params.ray_client_server_port is None


def test_a_long_root_gets_a_short_folder_for_ray_s_sockets(tmp_path: Path) -> None:
    deep = Root(tmp_path / ("x" * 100), tmp_path)

    assert not ray_head.ray_temp(deep).is_relative_to(deep.path)
    assert ray_head.ray_temp(Root(Path("/tmp/sf"), Path("/tmp/sf"))) == Path("/tmp/sf/run/ray")


def test_no_free_port_is_an_error_that_names_the_range(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_head, "PORT_TRIES", 1)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        with pytest.raises(StoreError, match=f"no free port from {port} to {port}"):
            ray_head.next_free_port(port)


def test_a_core_that_was_killed_and_is_kept_as_a_zombie_is_dead(tmp_path: Path) -> None:
    core = []
    for name in ("raylet", "gcs_server"):
        shutil.copy(shutil.which("sleep") or "", tmp_path / name)
        core.append(subprocess.Popen([tmp_path / name, "60"]))
    session = RaySession(
        "", is_ours=True, dashboard_port=None, core_pids=tuple(each.pid for each in core)
    )
    was_alive = ray_head.is_alive(session)

    core[0].kill()
    os.waitid(os.P_PID, core[0].pid, os.WEXITED | os.WNOWAIT)

    assert was_alive
    assert not ray_head.is_alive(session)
    for each in core:
        each.kill()
        each.wait()

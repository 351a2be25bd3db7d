"""A cluster that the owner began with ``ray start --head``: used, told about, and left alone."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from actors.ray_head import free_ports, session_processes
from selflow.core.processes import living_keeper
from tests.e2e.conftest import World, make_world
from tests.processes import kill_all, marked
from tests.waiting import wait_until

MARK = "SF_TEST_CLUSTER"
"""In the environment of every process of the owner's cluster: its address."""


@contextmanager
def head(**more: str) -> Iterator[str]:
    """A plain head of the owner's, without our resources; its address."""
    folder = Path(tempfile.mkdtemp(prefix="sf-", dir="/tmp"))
    port = free_ports(1)[0]
    address = f"127.0.0.1:{port}"
    command = [
        *(sys.executable, "-m", "ray.scripts.scripts", "start", "--head", f"--port={port}"),
        *("--num-cpus=2", "--min-worker-port=0", "--max-worker-port=0", f"--temp-dir={folder}"),
        *("--include-dashboard=false", "--object-store-memory=100000000"),
        "--disable-usage-stats",
    ]
    mark = {
        MARK: address,
        "SPT_NOENV": "1",
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    }
    # Ours sets some
    plain = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    environ = {**plain, **mark, **more}
    subprocess.run(command, env=environ, check=True, capture_output=True, timeout=120)
    yield address
    kill_all(marked(MARK, address))
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def owner_of(cluster: str, **more: str) -> Iterator[World]:
    """An owner who names a cluster."""
    made = make_world(RAY_ADDRESS=cluster, RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER="0", **more)
    yield made
    made.run("down")
    shutil.rmtree(made.root.path, ignore_errors=True)


@pytest.fixture
def cluster() -> Iterator[str]:
    with head() as address:
        yield address


@pytest.fixture
def owner(cluster: str) -> Iterator[World]:
    with owner_of(cluster) as made:
        yield made


def test_a_plain_cluster_is_used_and_left_alone(owner: World, cluster: str) -> None:
    refused = owner.run("up")
    said = owner.run("up", "--attach-without-token")
    told = owner.state()
    checked = owner.run("doctor")
    owner.ok("down")
    from selflow.core.listening import listens

    assert refused.returncode == 4, refused.stderr
    assert "every account of this machine" in refused.stderr
    assert said.returncode == 0, said.stderr
    assert "no token authentication" in said.stderr
    assert told["state"] == "running", told["reasons"]
    names = [each["name"] for each in told["processes"]]
    assert {"raylet", "serve", "keeper"} <= set(names), names
    assert any(name.startswith("ray::ServeController") for name in names), names
    assert checked.returncode == 5
    assert listens(cluster)
    assert owner.run("status").returncode == 3


def test_a_cluster_with_a_token_is_used_and_never_replaced(tmp_path: Path) -> None:
    """Also after its owner has ended it: no Ray of ours takes its place."""
    token = tmp_path / "token"
    token.write_text("5e1f" * 16)
    given = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token)}
    with head(**given) as address, owner_of(address, **given) as owner:
        said = owner.run("up")
        told = owner.state()
        kill_all(marked(MARK, address))
        wait_until(lambda: owner.state()["ray"]["state"] == "dead")
        keeper = living_keeper(owner.root)

        assert said.returncode == 0, said.stderr
        assert "no token authentication" not in said.stderr
        assert told["state"] == "running", told["reasons"]
        assert keeper is not None
        assert keeps_looking(keeper.pid)
        assert session_processes(owner.root) == []
        assert not (owner.root.log / "ray-start.log").exists()


def keeps_looking(pid: int) -> bool:
    """Whether the keeper has looked several times more: it looks once a second."""
    keeper, looks = psutil.Process(pid), 3
    before = keeper.num_ctx_switches().voluntary
    wait_until(lambda: keeper.num_ctx_switches().voluntary >= before + looks)
    return keeper.is_running()

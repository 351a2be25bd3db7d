"""A cluster that the owner began with ``ray start --head``: used, told about, and left alone."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.ray_head import free_ports
from tests.e2e.conftest import World, make_world
from tests.processes import kill_all, marked


@pytest.fixture
def cluster() -> Iterator[str]:
    """A plain head without our resources."""
    folder = Path(tempfile.mkdtemp(prefix="sf-", dir="/tmp"))
    port = free_ports(1)[0]
    command = [
        sys.executable,
        "-m",
        "ray.scripts.scripts",
        "start",
        "--head",
        f"--port={port}",
        "--num-cpus=2",
    ]
    command += [
        "--min-worker-port=0",
        "--max-worker-port=0",
        "--include-dashboard=false",
        f"--temp-dir={folder}",
    ]
    command += ["--object-store-memory=100000000", "--disable-usage-stats"]
    mark = {
        "SF_TEST_CLUSTER": str(folder),
        "SPT_NOENV": "1",
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    }
    # Ours sets some
    plain = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    subprocess.run(command, env={**plain, **mark}, check=True, capture_output=True, timeout=120)
    yield f"127.0.0.1:{port}"
    kill_all(marked("SF_TEST_CLUSTER", str(folder)))
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def owner(cluster: str) -> Iterator[World]:
    made = make_world(RAY_ADDRESS=cluster, RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER="0")
    yield made
    made.run("down")
    shutil.rmtree(made.root.path, ignore_errors=True)


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

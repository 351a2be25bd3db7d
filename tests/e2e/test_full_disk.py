"""A session whose disk fills up: it says so, ends all the same, and comes back at once."""

import shutil
from collections.abc import Iterator
from dataclasses import replace

import pytest

from actors.ray_head import own_processes
from selflow.core.paths import Root
from tests.e2e.conftest import World, make_world
from tests.small_disk import SmallDisk, small_disk
from tests.waiting import wait_until


@pytest.fixture
def disk() -> Iterator[SmallDisk]:
    outer = make_world().root.path
    with small_disk(outer / "d", 400 << 20) as made:
        yield made
    shutil.rmtree(outer)


@pytest.fixture
def small_world(disk: SmallDisk) -> Iterator[World]:
    empty = make_world()
    empty.root.path.rmdir()
    environ = {**empty.environ, "SELFLOW_HOME": str(disk.path)}
    made = replace(empty, root=Root(disk.path, disk.path), environ=environ)
    yield made
    disk.free()
    made.run("down")


def test_a_full_disk_is_told_and_down_ends_everything(disk: SmallDisk, small_world: World) -> None:
    small_world.ok("up", "--lean")
    disk.fill()
    wait_until(lambda: small_world.state()["storage"]["state"] == "full")
    told = small_world.state()
    ended = small_world.run("down")
    left = [process.name() for process in own_processes(small_world.root)]

    assert told["state"] == "degraded"
    assert any("cannot write to" in reason for reason in told["reasons"])
    assert (ended.returncode, left) == (0, []), ended.stderr
    assert "Traceback" not in ended.stderr
    disk.free()
    small_world.ok("up", "--lean")
    assert small_world.state()["storage"]["state"] == "ok"

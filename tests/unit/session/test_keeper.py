"""When the keeper rebuilds a session, and that there is exactly one keeper."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from threading import Event, Thread

import pytest

from actors import crash_logs, ray_head, session
from actors.keeper import STABLE_S, STALE_CHECKS, RebuildPolicy, keep
from selflow.core.clock import SystemClock
from selflow.core.errors import StoreError
from selflow.core.health import Health
from selflow.core.paths import Root, disposable_folder
from selflow.core.processes import this_process
from selflow.core.session_files import RaySession, read_keeper, write_ray_session
from selflow.store.catalog import Catalog
from selflow.testing import ManualClock
from tests.waiting import wait_until

DEAD = RaySession("127.0.0.1:1", is_ours=True, dashboard_port=None)
THEIRS = RaySession("127.0.0.1:1", is_ours=False, dashboard_port=None)


@pytest.fixture
def root(tmp_path: Path) -> Root:
    made = Root(tmp_path / "root", tmp_path)
    made.make()
    return made


@pytest.fixture
def alive(tmp_path: Path) -> Iterator[RaySession]:
    """A session of ours whose raylet and control store run."""
    core = []
    for name in ("raylet", "gcs_server"):
        shutil.copy(shutil.which("sleep") or "", tmp_path / name)
        core.append(subprocess.Popen([tmp_path / name, "60"]))
    pids = tuple(each.pid for each in core)
    yield RaySession("127.0.0.1:1", is_ours=True, dashboard_port=None, core_pids=pids)
    for each in core:
        each.kill()
        each.wait()


class Checks(ManualClock):
    """Sets a flag once as many checks were made as were asked for."""

    def __init__(self, checks: int) -> None:
        super().__init__(SystemClock().now_us())
        self.left = checks

    def wait(self, flag: Event, timeout_s: float) -> bool:
        self.left -= 1
        if self.left < 0:
            flag.set()
        return super().wait(flag, timeout_s)


def rebuilds(root: Root, checks: int, after: RaySession = DEAD) -> int:
    """How often a session is rebuilt within so many checks; each rebuild leaves ``after``."""
    count = 0

    def rebuild(_: Root) -> None:
        nonlocal count
        count += 1
        write_ray_session(root, after)

    keep(root, Checks(checks), Event(), rebuild=rebuild)
    return count


def supervisor_writes(root: Root) -> None:
    now_us, me = SystemClock().now_us(), this_process("supervisor")
    health = Health(me.name, "1", "abc", me.pid, me.after_boot_us, "ok", 0, "", 1)
    with closing(Catalog.open(root.catalog)) as catalog:
        catalog.services.put(health, 0, now_us + 600_000_000)


def test_a_crash_is_rebuilt_once(root: Root, alive: RaySession) -> None:
    supervisor_writes(root)
    write_ray_session(root, DEAD)

    assert rebuilds(root, checks=20, after=alive) == 1


def test_a_catalog_that_cannot_be_read_ends_no_keeper(root: Root, alive: RaySession) -> None:
    root.catalog.write_text("this is no catalog")
    write_ray_session(root, alive)

    assert rebuilds(root, checks=2 * STALE_CHECKS) == 0
    write_ray_session(root, DEAD)
    assert rebuilds(root, checks=1) == 1


def test_a_record_that_cannot_be_read_ends_no_keeper(
    root: Root, capsys: pytest.CaptureFixture[str]
) -> None:
    root.ray_session.write_text("{")

    assert rebuilds(root, checks=5) == 0
    assert capsys.readouterr().err.count("a check failed and is repeated") == 1


def test_the_owners_cluster_is_his_to_start_again(root: Root) -> None:
    write_ray_session(root, THEIRS)

    assert rebuilds(root, checks=2 * STALE_CHECKS) == 0


def test_a_second_keeper_leaves_and_the_first_stays(root: Root) -> None:
    write_ray_session(root, THEIRS)
    stop = Event()
    first = Thread(target=keep, args=(root, SystemClock(), stop))
    first.start()
    wait_until(lambda: read_keeper(root) is not None)
    root.keeper.unlink()

    keep(root, Checks(10), Event())

    assert read_keeper(root) is None, "only the keeper that stays records itself"
    assert first.is_alive()
    stop.set()
    first.join()


@pytest.mark.slow
def test_a_keeper_takes_over_from_one_that_leaves(root: Root) -> None:
    write_ray_session(root, THEIRS)
    stop = Event()
    first = Thread(target=keep, args=(root, SystemClock(), stop))
    first.start()
    wait_until(lambda: read_keeper(root) is not None)
    root.keeper.unlink()
    root.ray_session.unlink()  # both leave once they see it

    keep(root, SystemClock(), Event(), handover_s=60)

    first.join()
    assert read_keeper(root) == this_process("keeper")


@pytest.mark.slow
def test_down_waits_until_the_keeper_has_left(root: Root) -> None:
    write_ray_session(root, THEIRS)
    command = [*session.command(root), "service", "keep"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as other:
        wait_until(lambda: read_keeper(root) is not None)

        session.take_down(root, lambda _: None)

        assert other.poll() is not None


def test_the_ends_of_rays_logs_survive_a_crash(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    def start_own(*_: object) -> RaySession:
        raise StoreError("Ray did not start")

    monkeypatch.setattr(ray_head, "start_own", start_own)
    monkeypatch.setattr(crash_logs, "TAIL_BYTES", 10)
    disposable_folder(ray_head.ray_temp(root).parent)
    logs = ray_head.ray_temp(root) / "session_latest" / "logs"
    (root.run / "request.json").write_text('{"assignments": []}')
    write_ray_session(root, DEAD)
    for number in range(5):
        (logs / "old").mkdir(parents=True)
        (logs / "old" / "raylet.out").write_text(f"much before, abort no {number}")
        with pytest.raises(StoreError):
            session.rebuild(root, lambda _: None)

    kept = sorted((root.log / "crashes").glob("*/old-raylet.out"))
    assert [path.read_text() for path in kept] == [f"abort no {number}" for number in (2, 3, 4)]
    assert not logs.exists()


def test_a_living_session_with_fresh_word_is_left_alone() -> None:
    assert not RebuildPolicy().wants_rebuild(is_alive=True, is_fresh=True, now_s=0.0)


def test_a_dead_session_is_rebuilt_at_once() -> None:
    assert RebuildPolicy().wants_rebuild(is_alive=False, is_fresh=True, now_s=0.0)


def test_rebuilds_that_follow_each_other_wait_longer_and_longer() -> None:
    patience = RebuildPolicy()
    rebuilt_at_s = [
        t
        for t in range(16)
        if patience.wants_rebuild(is_alive=False, is_fresh=False, now_s=float(t))
    ]

    assert rebuilt_at_s == [0, 1, 3, 7, 15]


def test_a_session_that_is_killed_whenever_it_answers_makes_no_storm() -> None:
    """One that is back after 20 s and is killed at once: the pauses grow all the same."""
    policy, rebuilt_at_s = RebuildPolicy(), list[int]()
    for t in range(600):
        is_up = bool(rebuilt_at_s) and t - rebuilt_at_s[-1] == 20
        if policy.wants_rebuild(is_alive=is_up, is_fresh=is_up, now_s=float(t)):
            rebuilt_at_s.append(t)

    pauses_s = [after - before for before, after in pairwise(rebuilt_at_s)]
    assert max(pauses_s) == pauses_s[-1] == 60
    assert len(rebuilt_at_s) <= 15


def test_a_session_that_was_well_for_long_is_rebuilt_at_once() -> None:
    policy = RebuildPolicy()
    for t in range(10):
        policy.wants_rebuild(is_alive=False, is_fresh=False, now_s=float(t))
    for t in range(10, 12 + round(STABLE_S)):
        policy.wants_rebuild(is_alive=True, is_fresh=True, now_s=float(t))

    crashed_at_s = 13 + STABLE_S
    assert policy.wants_rebuild(is_alive=False, is_fresh=True, now_s=crashed_at_s)
    assert policy.wants_rebuild(is_alive=False, is_fresh=True, now_s=crashed_at_s + 1)


def test_a_silent_supervisor_alone_is_given_time() -> None:
    patience = RebuildPolicy()
    asked = [
        patience.wants_rebuild(is_alive=True, is_fresh=False, now_s=float(t))
        for t in range(STALE_CHECKS)
    ]

    assert asked == [False] * (STALE_CHECKS - 1) + [True]


def test_fresh_word_resets_the_patience() -> None:
    patience = RebuildPolicy()
    for t in range(STALE_CHECKS - 1):
        patience.wants_rebuild(is_alive=True, is_fresh=False, now_s=float(t))
    patience.wants_rebuild(is_alive=True, is_fresh=True, now_s=100.0)

    assert not patience.wants_rebuild(is_alive=True, is_fresh=False, now_s=101.0)

"""Bringing a session up and taking it down: disk, Ray, supervisor, endpoints. The Ray session is
disposable.
"""

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from actors import console_process, ray_head
from actors.crash_logs import keep_crash_logs
from selflow.core.catalog_location import catalog_of_session
from selflow.core.clock import SystemClock
from selflow.core.errors import NotRunningError, SelFlowError, StoreError
from selflow.core.paths import Root, entries, remove_entry
from selflow.core.processes import living_console, living_keeper
from selflow.core.session_files import (
    Endpoints,
    RaySession,
    SessionRequest,
    read_aw_port,
    read_ray_session,
    read_request,
    write_endpoints,
    write_request,
)
from selflow.core.settings import Settings

if TYPE_CHECKING:
    from actors.plan import Plan

NAMESPACE = "selflow"
READY_LIMIT_S = 180.0
LOCK_LIMIT_S = 180.0
KEEPER_LIMIT_S = 60.0
_KEEPER_POLL_S = 0.05
_KEEPER_LEAVES_S = 3.0
_KEPT_IN_RUN = {"up.lock", "keeper.json", "keeper.lock", "console.json", "console.sock", "aw.json"}
Report = Callable[[str], None]


def bring_up(root: Root, request: SessionRequest, report: Report) -> "Plan":
    """Make everything ready on disk, start or attach Ray, and make the supervisor; idempotent.

    A session that runs stays and gets the requested settings. The owner's token is recreated
    unless the session still runs or is being rebuilt (``rebuild``).

    Raises:
        SelFlowError: What failed and what to do; nothing that was acknowledged is touched.
    """
    root.make()
    with _one_at_a_time(root, report):
        settings = request.settings(root)
        session, is_new = read_ray_session(root), False
        if session is None or not ray_head.is_alive(session):
            _end_dead(root, session, report)
            _wipe_run(root)
            session = _open_ray(root, settings, report)
            is_new = session.is_ours
        try:
            return _compose(root, request, settings, session, report, is_new=is_new)
        except NotRunningError:
            if not session.is_ours:
                _wipe_run(root)  # nothing of ours is there: do not call it attached
            raise


def rebuild(root: Root, report: Report) -> None:
    """Restart a dead session of ours as it was: same request, port and token. Never attaches.

    Raises:
        NotRunningError: No session was up, or its Ray is the owner's.
    """
    with _one_at_a_time(root, report):
        # Asked under the lock: a `down` that came first has taken the note away
        request = read_request(root)
        if request is None:
            raise NotRunningError("there is no session to rebuild", "start one with: selflow up")
        settings = request.settings(root)
        session = read_ray_session(root)
        if session is not None and _is_well(root, session):
            return  # another up or rebuild, for which this one waited, has done it
        if session is not None and not session.is_ours:
            # It was the owner's to end, and the listener there now may be a stranger
            raise NotRunningError(
                f"SelFlow did not start the Ray cluster at {session.address}: it is not rebuilt",
                "start it again if it has ended, then: selflow up",
            )
        is_new = session is None or not ray_head.is_alive(session)
        if session is None or is_new:
            _end_dead(root, session, report)
            report("starting Ray on loopback")
            session = _start_own(root, settings)
        _compose(root, request, settings, session, report, is_new=is_new)


def take_down(root: Root, report: Report) -> bool:
    """End the services gracefully, our own Ray, and the keeper; an attached cluster is left alone.

    Returns:
        False if nothing ran.
    """
    root.make()
    with _one_at_a_time(root, report):
        was_up = _end_session(root, report)
    _end_keeper(root)  # it may have waited for the lock to rebuild
    console_process.end(root)
    return was_up


@contextmanager
def connected(root: Root, session: RaySession) -> Iterator[None]:
    """Be a driver of the session for a while; every worker of this job binds Serve's internal port
    to loopback.

    Ray prints errors of its own on the standard output of every driver, whatever ``log_to_driver``
    says. They go to ``ray-driver.log``: what ``--json`` prints must stay one document.

    Raises:
        NotRunningError: The cluster does not let us in.
    """
    ray_head.load_environment(root)
    import ray

    with (root.log / "ray-driver.log").open("a", encoding="utf-8") as log, redirect_stdout(log):
        try:
            ray.init(
                address=session.address,
                namespace=NAMESPACE,
                runtime_env={
                    "worker_process_setup_hook": "serve.loopback.keep_replicas_on_loopback"
                },
                log_to_driver=False,
                configure_logging=False,
            )
        except (OSError, RuntimeError, ValueError) as error:
            hint = (
                "see selflow logs"
                if session.is_ours
                else "check that its token is in ~/.ray/auth_token or RAY_AUTH_TOKEN"
            )
            raise NotRunningError(
                f"cannot join the Ray cluster at {session.address}", hint
            ) from error
        try:
            yield
        finally:
            ray.shutdown()


def spawn_keeper(root: Root) -> int:
    """Have a keeper that rebuilds the session when it dies; returns its pid once it watches.

    Raises:
        StoreError: It did not start.
    """
    clock, path = SystemClock(), root.log / "keeper.log"
    deadline_s = clock.monotonic_s() + KEEPER_LIMIT_S
    started = None
    while (keeper := living_keeper(root)) is None:
        if started is None:
            started = _start_keeper(root, path)
        elif started.poll() is not None or clock.monotonic_s() > deadline_s:
            raise StoreError("the keeper did not start", f"see {path}")
        clock.sleep(_KEEPER_POLL_S)
    return keeper.pid


def _start_keeper(root: Root, path: Path) -> subprocess.Popen[bytes]:
    with path.open("ab") as log:
        return subprocess.Popen(  # noqa: S603  (our own interpreter and arguments)
            [*command(root), "service", "keep"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env={name: value for name, value in os.environ.items() if not name.startswith("RAY_")},
        )


def command(root: Root) -> list[str]:
    """The command line of ``selflow`` with this interpreter and this root."""
    entry = "import sys; from selflow.console.cli.main import main; sys.exit(main())"
    return [sys.executable, "-c", entry, "--home", str(root.path)]


def _open_ray(root: Root, settings: Settings, report: Report) -> RaySession:
    named = ray_head.named_cluster(settings.ray, os.environ)
    if named is not None:
        report(f"attaching to the Ray cluster at {named}")
        return ray_head.attach(root, settings.ray, named)
    report("starting Ray on loopback")
    return _start_own(root, settings)


def _start_own(root: Root, settings: Settings) -> RaySession:
    def preload() -> None:
        """The driver's imports take three seconds; Ray has a core of its own to start."""
        ray_head.load_environment(root)
        import actors.composition  # noqa: F401
        import serve.app  # noqa: F401

    return ray_head.start_own(root, settings.ray, preload)


def _compose(
    root: Root,
    request: SessionRequest,
    settings: Settings,
    session: RaySession,
    report: Report,
    *,
    is_new: bool,
) -> "Plan":
    with connected(root, session):
        from actors.composition import ensure_supervisor, make_plan, open_serving, prepare_catalog

        prepare_catalog(root, settings, serving=True)
        port = _inference_port(root, settings)
        plan = make_plan(root, settings, version("selflow"), port)
        report("starting the services")
        before = read_request(root)
        has_moved = before is not None and before.inference_port not in {0, port}
        if is_new and (fault := open_serving(plan)):
            report(f"note: {fault}; it is tried again")
        ensure_supervisor(plan, serving=True, has_moved=has_moved, limit_s=READY_LIMIT_S)
        write_request(root, replace(request, inference_port=port))
        write_endpoints(root, endpoints(root, plan, session))
    return plan


def _end_session(root: Root, report: Report) -> bool:
    session = read_ray_session(root)
    if session is None:
        if ended := ray_head.end_own(root):
            report(f"stopped {ended} processes that an interrupted selflow up had left")
        return False
    is_alive = ray_head.is_alive(session)
    if is_alive:
        report("stopping the services")
        try:
            _end_services(root, session)
        except (SelFlowError, OSError) as error:  # a full disk lets nobody join
            report(f"note: {error}")
    if session.is_ours:
        report("stopping Ray")
        ray_head.end_processes(root)
    try:
        if session.is_ours:
            ray_head.remove_files(root)
        _wipe_run(root)
    except OSError as error:  # on a read-only disk; selflow up removes them once it is not
        report(f"note: {root.run} could not be emptied: {error.strerror}")
    return is_alive


def _end_keeper(root: Root) -> None:
    """Wait until the keeper has seen that the session is gone; end it if it does not."""
    clock = SystemClock()
    deadline_s = clock.monotonic_s() + _KEEPER_LEAVES_S
    while (keeper := living_keeper(root)) is not None and keeper.pid != os.getpid():
        if clock.monotonic_s() >= deadline_s:
            with suppress(ProcessLookupError):
                os.kill(keeper.pid, signal.SIGTERM)
            return
        clock.sleep(_KEEPER_POLL_S)


def _is_well(root: Root, session: RaySession) -> bool:
    """Whether a session of ours runs and its supervisor still writes."""
    from selflow.store.reading import CatalogReader

    is_alive = session.is_ours and ray_head.is_alive(session)
    return is_alive and CatalogReader(catalog_of_session(root)).is_fresh(SystemClock().now_us())


def _end_dead(root: Root, session: RaySession | None, report: Report) -> None:
    """End what a session of ours that died, or never came up, has left running."""
    if session is not None and session.is_ours:
        report(f"the session died; Ray's logs are in {keep_crash_logs(root)}")
    ray_head.end_own(root, grace_s=0.0)  # what it acknowledged is on the disk


def _inference_port(root: Root, settings: Settings) -> int:
    """The port of the session that runs or died, if the settings request it; else a free port."""
    request = read_request(root)
    wished = settings.serve.port
    if (
        request
        and request.inference_port
        and wished <= request.inference_port < wished + ray_head.PORT_TRIES
    ):
        return request.inference_port
    return ray_head.next_free_port(wished)


def _end_services(root: Root, session: RaySession) -> None:
    with connected(root, session):
        from actors.composition import end_services

        end_services()


def endpoints(root: Root, plan: "Plan", session: RaySession) -> Endpoints:
    """Where the session of this plan listens."""
    tcp_port, dashboard_port = plan.settings.ingest.tcp_port, session.dashboard_port
    console, aw = living_console(root), read_aw_port(root)
    return Endpoints(
        console=console.url if console else None,
        aw=aw.url if aw and console else None,
        inference=f"http://127.0.0.1:{plan.inference_port}",
        suggest=f"unix://{root.socket('suggest.sock')}",
        ingest=f"ipc://{root.socket('ingest.sock')}",
        ingest_tcp=f"tcp://127.0.0.1:{tcp_port}" if tcp_port else None,
        dashboard=f"http://127.0.0.1:{dashboard_port}" if dashboard_port else None,
        ray=session.address,
    )


def _wipe_run(root: Root) -> None:
    for path in entries(root.run):
        if path.name not in _KEPT_IN_RUN:
            remove_entry(root.run, path.name)


@contextmanager
def _one_at_a_time(root: Root, report: Report) -> Iterator[None]:
    """Hold the root's lock. Waits for another up, down or rebuild: the keeper rebuilds without
    being asked.

    Raises:
        StoreError: The other is still at work after ``LOCK_LIMIT_S``.
    """
    clock = SystemClock()
    deadline_s = clock.monotonic_s() + LOCK_LIMIT_S
    with _open_lock(root) as lock:
        if not _locked(lock):
            report("waiting for another selflow up or down on this root")
            while not _locked(lock):
                if clock.monotonic_s() >= deadline_s:
                    raise StoreError(
                        "another selflow up or down has been running on this root for "
                        f"{LOCK_LIMIT_S:.0f} s",
                        "see selflow logs, then try again",
                    )
                clock.sleep(0.2)
        yield


def _open_lock(root: Root) -> TextIO:
    """The lock's file; an existing one is only read, which a read-only disk allows too."""
    path = root.run / "up.lock"
    if not path.exists():
        path.touch(mode=0o600)
    return path.open(encoding="utf-8")


def _locked(lock: TextIO) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

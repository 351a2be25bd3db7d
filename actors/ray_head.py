"""Starting and ending Ray on this machine: loopback, token, no usage statistics. Imports no Ray.

The processes of our session carry ``SELFLOW_RAY_SESSION=<root>`` in their environment; ``down``
ends those and no others, so an owner's own Ray on the same machine is never touched.
"""

import json
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from selflow.core.errors import NotRunningError, RefusedError, StoreError
from selflow.core.listening import listener_uids, listens, listens_beyond_loopback
from selflow.core.paths import Root, disposable_folder, remove_entry, write_private
from selflow.core.processes import living_keeper
from selflow.core.session_files import RaySession, write_ray_session
from selflow.core.settings import RaySettings

if TYPE_CHECKING:
    from ray._private.parameter import RayParams

MARK = "SELFLOW_RAY_SESSION"
RESOURCES = {"edge": 1, "store": 1, "train_slot": 1, "serve_slot": 1}
PRIVATE = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_allow_out_of_band_object_ref_serialization": "0",
    "DO_NOT_TRACK": "1",
    "HF_HUB_OFFLINE": "1",
}
"""Of every Ray that we start, and of its drivers: loopback, nothing asked of the network, refs kept
in their cycle.
"""
_RAY_TMP_NAME_BYTES = 70
"""Room that Ray needs below its temp folder for ``session_<time>_<pid>/sockets/plasma_store``."""
_START_LIMIT_S = 120
PORT_TRIES = 50
_CORE = {"raylet", "gcs_server"}
_AGENTS = (
    *("ray::DashboardAgent", "dashboard/agent.py"),
    *("ray::RuntimeEnvAgent", "runtime_env/agent/main.py"),
)
_FIRST_CALL = "/ray.rpc.NodeInfoGcsService/GetClusterId"
"""A read-only call that every Ray driver makes first."""
_PROBE_LIMIT_S = 5.0


def no_ray_client(ray_params: "RayParams", is_head: bool) -> None:  # noqa: FBT001  (Ray calls it so)
    """Ray's start hook: no Ray Client server (an open remote shell on port 10001)."""
    del is_head
    ray_params.ray_client_server_port = None


def own_environment(root: Root, ray: RaySettings, address: str) -> dict[str, str]:
    """The variables of every process of a session that we start (docs/ray.md#environment)."""
    return {
        **ray.knobs,
        "RAY_ADDRESS": address,
        **_token_variables(root),
        **PRIVATE,
        "RAY_START_HOOK": "actors.ray_head.no_ray_client",
        "RAY_SERVE_ENABLE_HA_PROXY": "0",
        "RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S": "1",
        # Ray answers both metrics ports without a token; -1 is Ray's own word for "no port"
        "RAY_enable_metrics_collection": "0",
        "DASHBOARD_METRIC_PORT": "-1",
        "SPT_NOENV": "1",
    }


def make_token(root: Root) -> dict[str, str]:
    """Write a new token for a Ray of our own; the variables with which Ray asks for it."""
    variables = _token_variables(root)
    write_private(Path(variables["RAY_AUTH_TOKEN_PATH"]), secrets.token_hex(32))
    return variables


def start_own(
    root: Root, ray: RaySettings, meanwhile: Callable[[], None] = lambda: None
) -> RaySession:
    """Start a head of our own on loopback and wait until it answers; ``meanwhile`` is done while it
    starts, once its environment is written.

    Raises:
        StoreError: Ray did not start; the message names the log.
    """
    gcs, agent = free_ports(2)
    dashboard = dashboard_port(ray)
    address = f"127.0.0.1:{gcs}"
    environment = own_environment(root, ray, address)
    make_token(root)
    write_private(root.run / "ray.env", _exports(environment))
    command = start_command(root, ray, gcs, dashboard)
    command += [f"--dashboard-agent-listen-port={agent}"]
    log = root.log / "ray-start.log"
    with (
        log.open("ab") as output,
        subprocess.Popen(  # noqa: S603  (our own interpreter and arguments)
            command,
            env={**os.environ, **environment, MARK: str(root.path)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            umask=0o077,
        ) as starting,
    ):
        meanwhile()
        try:
            status = starting.wait(_START_LIMIT_S)
        except subprocess.TimeoutExpired as error:
            starting.kill()
            message = f"Ray did not start within {_START_LIMIT_S} s"
            raise StoreError(message, f"see {log}") from error
    if status != 0:
        raise StoreError(f"Ray did not start (exit status {status})", f"see {log}")
    session = RaySession(
        address, is_ours=True, dashboard_port=dashboard, core_pids=_core_pids(root)
    )
    write_ray_session(root, session)
    return session


def load_environment(root: Root) -> None:
    """Put the session's variables into this process; must happen before Ray is imported.

    Raises:
        NotRunningError: No session was ever started below this root.
    """
    path = root.run / "ray.env"
    if not path.is_file():
        raise NotRunningError("SelFlow is not running", "start it with: selflow up")
    for line in path.read_text(encoding="utf-8").splitlines():
        name, _, value = line.removeprefix("export ").partition("=")
        os.environ[name] = value.strip("'")


def named_cluster(ray: RaySettings, environ: Mapping[str, str]) -> str | None:
    """The address of the cluster that the owner named: ``ray.address``, else ``RAY_ADDRESS``.

    Ray's own note of "the current cluster" is never read: it lies in the shared temp folder, which
    Ray makes writable for everybody, so any account could name a cluster of its own there and run
    code as the user who joins it.

    Raises:
        NotRunningError: Nothing answers there.
        RefusedError: What listens there belongs to another account of this machine.
    """
    address = ray.address or environ.get("RAY_ADDRESS")
    if not address:
        return None
    if not listens(address):
        raise NotRunningError(
            f"no Ray cluster answers at {address}", "start it, or unset ray.address and RAY_ADDRESS"
        )
    if not _is_trusted_listener(address):
        raise RefusedError(
            f"another account of this machine listens at {address}",
            "joining it would run its code as you; start your own with: ray start --head",
        )
    return address


def attach(root: Root, ray: RaySettings, address: str) -> RaySession:
    """Note a named cluster as ours to use but not to end, and say what it exposes.

    Raises:
        NotRunningError: It is not a Ray cluster.
        RefusedError: It asks for no token and ``ray.attach_without_token`` is off.
    """
    environment = {"RAY_ADDRESS": address, "RAY_USAGE_STATS_ENABLED": "0", "HF_HUB_OFFLINE": "1"}
    warnings = ["you started this Ray cluster: selflow down does not stop it"]
    if requires_token(address):
        environment["RAY_AUTH_MODE"] = "token"
    elif ray.attach_without_token:
        warnings.append("it has no token authentication: any local program can run code through it")
    else:
        raise RefusedError(
            f"the Ray cluster at {address} has no token authentication: every account of this "
            "machine can run code as its owner",
            "start it with RAY_AUTH_MODE=token, or accept that: selflow up --attach-without-token",
        )
    write_private(root.run / "ray.env", _exports(environment))
    if listens_beyond_loopback(address):
        warnings.append("its ports listen beyond loopback")
    session = RaySession(address, is_ours=False, dashboard_port=None, warnings=tuple(warnings))
    write_ray_session(root, session)
    return session


def requires_token(address: str) -> bool:
    """Whether a Ray control store refuses a call that carries no token. Cost: one call, 0.3 s.

    Raises:
        NotRunningError: What listens there is not a Ray control store.
    """
    import grpc

    with grpc.insecure_channel(address) as channel:
        get_cluster_id = channel.unary_unary(_FIRST_CALL)
        try:
            get_cluster_id(b"", timeout=_PROBE_LIMIT_S)
        except grpc.RpcError as error:
            if error.code() == grpc.StatusCode.UNAUTHENTICATED:
                return True
            raise NotRunningError(
                f"not a Ray control store: {address} ({error.code().name})",
                "give the address that ray start printed",
            ) from error
    return False


def session_processes(root: Root) -> list[psutil.Process]:
    """Every process of our own Ray session: those that carry its mark, and all that they started.

    The mark alone is not enough: Ray's workers write their title over their environment.
    """
    processes: dict[int, psutil.Process] = {}
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.pid != os.getpid() and process.environ().get(MARK) == str(root.path):
                processes |= {
                    member.pid: member for member in (process, *process.children(recursive=True))
                }
    return list(processes.values())


def own_processes(root: Root) -> list[psutil.Process]:
    """Every process that the session costs: those of its Ray, and the keeper beside it."""
    processes = session_processes(root)
    keeper = living_keeper(root)
    if keeper is not None:
        with suppress(psutil.NoSuchProcess):
            processes.append(psutil.Process(keeper.pid))
    return processes


def is_alive(session: RaySession) -> bool:
    """Whether the core of the session runs: its raylet, its control store and the raylet's agents.

    The raylet ends itself some time after one of its agents has died: nothing is gained by waiting.
    Of an attached cluster: whether the owner or root still listens at its address.
    """
    if not session.is_ours:
        return listens(session.address) and _is_trusted_listener(session.address)
    try:
        core = [psutil.Process(pid) for pid in session.core_pids]
        # A container without an init keeps what was killed as a zombie, with its name
        living = {p.name(): p for p in core if p.status() != psutil.STATUS_ZOMBIE}
        agents = [p for name, p in living.items() if name not in _CORE]
        return (
            living.keys() >= _CORE
            and len(living) == len(core)
            and all(agent.ppid() == living["raylet"].pid for agent in agents)
        )
    except psutil.Error:
        return False


def end_own(root: Root, grace_s: float = 1.0) -> int:
    """End every process of our session and remove Ray's files. Returns how many there were."""
    ended = end_processes(root, grace_s)
    remove_files(root)
    return ended


def end_processes(root: Root, grace_s: float = 1.0) -> int:
    """End every process of our session: politely, then by force. Returns how many there were."""
    ended = 0
    while processes := session_processes(root):  # a dying raylet may still fork a child
        ended += len(processes)
        for process in processes:
            with suppress(psutil.Error):
                process.terminate()
        for process in psutil.wait_procs(processes, timeout=grace_s)[1]:
            with suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(processes, timeout=grace_s)
    return ended


def remove_files(root: Root) -> None:
    """Remove Ray's temp folder and what it spilled."""
    remove_entry(ray_temp(root).parent, "ray")
    remove_entry(root.run, "spill")


def ray_temp(root: Root) -> Path:
    """Ray's temp folder: below ``run``, or a short 0700 folder if its socket paths would grow too
    long.
    """
    path = root.run / "ray"
    return path if len(os.fsencode(path)) + _RAY_TMP_NAME_BYTES <= 107 else root.short_run() / "ray"


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now, all different."""
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_STREAM) for _ in range(count)]
    try:
        for listener in sockets:
            listener.bind(("127.0.0.1", 0))
        return [int(listener.getsockname()[1]) for listener in sockets]
    finally:
        for listener in sockets:
            listener.close()


def next_free_port(first: int) -> int:
    """The first free loopback port from ``first`` on.

    Raises:
        StoreError: None of ``PORT_TRIES`` ports is free.
    """
    for port in range(first, first + PORT_TRIES):
        with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port
    raise StoreError(
        f"no free port from {first} to {first + PORT_TRIES - 1}",
        "choose another port; selflow config show lists the settings",
    )


def dashboard_port(ray: RaySettings) -> int | None:
    """The dashboard's port, the first free one from the setting on; None without a dashboard."""
    return next_free_port(ray.dashboard_port) if ray.dashboard else None


def start_command(root: Root, ray: RaySettings, gcs_port: int, dashboard: int | None) -> list[str]:
    """The ``ray start`` of a head of our own; ``dashboard`` is its port, None for none."""
    cores = ray.num_cpus or max(2, (psutil.cpu_count(logical=False) or 2) - 1)
    disposable_folder(ray_temp(root).parent)
    return [
        sys.executable,
        "-m",
        "ray.scripts.scripts",
        "start",
        "--head",
        f"--port={gcs_port}",
        "--min-worker-port=0",
        "--max-worker-port=0",
        f"--temp-dir={ray_temp(root)}",
        f"--object-spilling-directory={root.run / 'spill'}",
        f"--object-store-memory={ray.object_store_bytes}",
        f"--num-cpus={cores}",
        f"--resources={json.dumps(RESOURCES)}",
        "--disable-usage-stats",
        "--no-monitor",
        "--include-log-monitor=false",
        f"--include-dashboard={'true' if dashboard else 'false'}",
        "--dashboard-host=127.0.0.1",
        f"--dashboard-port={dashboard or free_ports(1)[0]}",
    ]


def _exports(environment: Mapping[str, str]) -> str:
    return "".join(f"export {name}='{value}'\n" for name, value in sorted(environment.items()))


def _token_variables(root: Root) -> dict[str, str]:
    return {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(root.run / "ray_token")}


def _is_trusted_listener(address: str) -> bool:
    """Whether what listens there belongs to the owner or to root, as far as this machine can tell.

    The address may be of another machine; then the owner's word is all there is.
    """
    return listener_uids(address) <= {os.getuid(), 0}


def _core_pids(root: Root) -> tuple[int, ...]:
    """Raylet, control store, and the agents that the raylet cannot live without.

    The raylet starts its agents before ``ray start`` returns; their titles come a little later.
    """
    core = {p.name(): p for p in session_processes(root) if p.name() in _CORE}
    raylet = core.get("raylet")
    agents = [p for p in raylet.children() if _is_agent(p)] if raylet else []
    return tuple(process.pid for process in (*core.values(), *agents))


def _is_agent(process: psutil.Process) -> bool:
    """Whether it is the dashboard agent or the runtime-environment agent: by title or by script."""
    with suppress(psutil.Error):
        line = " ".join(process.cmdline())
        return any(name in line for name in _AGENTS)
    return False

"""Which Ray cluster a session joins: one that the owner named, and no other."""

import os
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from actors import ray_head, session
from selflow.core.errors import NotRunningError, RefusedError, StoreError
from selflow.core.listening import listener_uids
from selflow.core.paths import Root
from selflow.core.session_files import RaySession, read_ray_session
from selflow.core.settings import RaySettings

NOBODY = 65_534


@pytest.fixture
def root(tmp_path: Path) -> Root:
    made = Root(tmp_path, tmp_path)
    made.make()
    return made


@pytest.fixture
def stranger(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a listener that belongs to another account.

    Only root can open one; any other user takes another number for itself instead.
    """
    is_root = os.getuid() == 0
    if is_root:
        os.seteuid(NOBODY)
    try:
        listener = socket.create_server(("127.0.0.1", 0))
    finally:
        os.seteuid(os.getuid())
    if not is_root:
        monkeypatch.setattr(os, "getuid", lambda: NOBODY)
    with listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


class ControlStore(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Answers as Ray's control store does: refuses calls without a token, or answers them all."""

    def __init__(self, *, has_token: bool) -> None:
        self._has_token = has_token

    def service(self, handler_call_details: Any) -> Any:
        def answer(_: bytes, context: Any) -> bytes:
            if self._has_token:
                context.abort(grpc.StatusCode.UNAUTHENTICATED, "InvalidAuthToken")
            return b""

        return grpc.unary_unary_rpc_method_handler(answer)


@contextmanager
def control_store(*, has_token: bool, host: str = "127.0.0.1") -> Iterator[str]:
    server = grpc.server(ThreadPoolExecutor(1), handlers=[ControlStore(has_token=has_token)])
    port = server.add_insecure_port(f"{host}:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None).wait()


@pytest.mark.setting("ray.address")
def test_a_named_cluster_that_does_not_answer_is_an_error() -> None:
    port = ray_head.free_ports(1)[0]

    with pytest.raises(NotRunningError, match=f"no Ray cluster answers at 127.0.0.1:{port}"):
        ray_head.named_cluster(RaySettings(address=f"127.0.0.1:{port}"), {})


def test_the_setting_wins_over_the_environment() -> None:
    with socket.create_server(("127.0.0.1", 0)) as cluster:
        address = f"127.0.0.1:{cluster.getsockname()[1]}"

        assert ray_head.named_cluster(RaySettings(), {"RAY_ADDRESS": address}) == address
        named = ray_head.named_cluster(RaySettings(address=address), {"RAY_ADDRESS": "127.0.0.1:1"})

    assert named == address


def test_a_note_in_the_shared_temp_folder_is_never_followed(stranger: str, tmp_path: Path) -> None:
    note = tmp_path / "ray" / "ray_current_cluster"
    note.parent.mkdir()
    note.write_text(stranger)
    if os.getuid() == 0:
        os.chown(note.parent, NOBODY, NOBODY)
        os.chown(note, NOBODY, NOBODY)
    environ = {"RAY_TMPDIR": str(tmp_path), "TMPDIR": str(tmp_path)}

    assert ray_head.named_cluster(RaySettings(), environ) is None


def test_the_listener_of_another_account_is_refused(stranger: str) -> None:
    with pytest.raises(RefusedError, match="another account of this machine listens"):
        ray_head.named_cluster(RaySettings(address=stranger), {})
    attached = RaySession(stranger, is_ours=False, dashboard_port=None)
    assert not ray_head.is_alive(attached)


def test_the_owner_of_a_listener_is_known() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mine:
        assert listener_uids(f"127.0.0.1:{mine.getsockname()[1]}") == {os.getuid()}

    assert listener_uids("192.0.2.1:80") == set()


@pytest.mark.setting("ray.attach_without_token")
def test_a_cluster_without_a_token_needs_an_explicit_yes(root: Root) -> None:
    with control_store(has_token=False) as address:
        with pytest.raises(RefusedError, match="no token authentication"):
            ray_head.attach(root, RaySettings(), address)
        assert read_ray_session(root) is None

        attached = ray_head.attach(root, RaySettings(attach_without_token=True), address)

    assert any("no token authentication" in warning for warning in attached.warnings)


@pytest.mark.parametrize(
    ("host", "is_open"),
    [("127.0.0.1", False), ("0.0.0.0", True), ("[::1]", False), ("[::]", True)],  # noqa: S104
)
def test_a_cluster_that_other_machines_reach_is_told(
    root: Root,
    host: str,
    is_open: bool,  # noqa: FBT001  (a parameter of the test)
) -> None:
    with control_store(has_token=True, host=host) as address:
        port = address.rpartition(":")[2]
        named = f"{'[::1]' if ':' in host else '127.0.0.1'}:{port}"
        warnings = ray_head.attach(root, RaySettings(), named).warnings

    assert ("its ports listen beyond loopback" in warnings) == is_open


def test_a_cluster_with_a_token_is_joined_with_one(root: Root) -> None:
    with control_store(has_token=True) as address:
        attached = ray_head.attach(root, RaySettings(), address)

    assert not attached.is_ours
    assert "RAY_AUTH_MODE='token'" in (root.run / "ray.env").read_text()


def test_a_listener_that_is_no_ray_is_named(root: Root) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        other.close()

        with pytest.raises(NotRunningError, match=f"not a Ray control store: {address}"):
            ray_head.attach(root, RaySettings(), address)


def note_session(root: Root, address: str, *, is_ours: bool) -> None:
    """What an earlier ``selflow up`` left: the session and the request for it."""
    noted = f'"address": "{address}", "is_ours": {str(is_ours).lower()}, "dashboard_port": null'
    (root.run / "ray.json").write_text(f'{{{noted}, "warnings": [], "core_pids": []}}')
    (root.run / "request.json").write_text('{"assignments": []}')


def test_a_rebuild_attaches_to_nothing_however_it_is_named(
    root: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start_own(*_: object) -> RaySession:
        raise StoreError("a Ray of our own was started")

    monkeypatch.setattr(ray_head, "start_own", start_own)
    note_session(root, "127.0.0.1:1", is_ours=True)
    with control_store(has_token=True) as address:
        monkeypatch.setenv("RAY_ADDRESS", address)

        with pytest.raises(StoreError, match="a Ray of our own was started"):
            session.rebuild(root, lambda _: None)


@pytest.mark.parametrize("has_ended", [True, False])
def test_the_owners_cluster_is_never_rebuilt(
    root: Root,
    monkeypatch: pytest.MonkeyPatch,
    has_ended: bool,  # noqa: FBT001  (a parameter of the test)
) -> None:
    def start_own(*_: object) -> RaySession:
        pytest.fail("a Ray of ours was started in place of the owner's")

    monkeypatch.setattr(ray_head, "start_own", start_own)
    with control_store(has_token=True) as address:
        note_session(root, "127.0.0.1:1" if has_ended else address, is_ours=False)

        with pytest.raises(NotRunningError, match="SelFlow did not start the Ray cluster"):
            session.rebuild(root, lambda _: None)

"""The hook that keeps replicas on loopback, and the lines of Ray that it relies on."""

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from serve.loopback import HOME, NAME, USER, keep_replicas_on_loopback


def source_of(module: str) -> str:
    spec = importlib.util.find_spec("ray")
    assert spec is not None
    assert spec.origin is not None
    return (
        Path(spec.origin)
        .parent.joinpath(*module.split(".")[1:])
        .with_suffix(".py")
        .read_text(encoding="utf-8")
    )


def a_module(name: str, bound: list[str]) -> ModuleType:
    def add_port_to_grpc_server(server: object, address: str) -> int:
        bound.append(address)
        return 4711

    module = ModuleType(name)
    setattr(module, NAME, add_port_to_grpc_server)
    return module


@pytest.fixture
def bound(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    addresses: list[str] = []
    home = a_module(HOME, addresses)
    user = ModuleType(USER)
    setattr(user, NAME, getattr(home, NAME))
    monkeypatch.setitem(sys.modules, HOME, home)
    monkeypatch.setitem(sys.modules, USER, user)
    return addresses


def test_all_interfaces_become_loopback_by_either_name(bound: list[str]) -> None:
    keep_replicas_on_loopback()

    for module in (HOME, USER):
        add_port = getattr(sys.modules[module], NAME)
        assert add_port(None, "[::]:0") == 4711
        assert add_port(None, "0.0.0.0:0") == 4711
    assert bound == ["127.0.0.1:0"] * 4


def test_an_address_that_was_chosen_stays(bound: list[str]) -> None:
    keep_replicas_on_loopback()

    getattr(sys.modules[USER], NAME)(None, "127.0.0.1:9000")

    assert bound == ["127.0.0.1:9000"]


def test_a_second_call_changes_nothing(bound: list[str]) -> None:
    keep_replicas_on_loopback()
    first = getattr(sys.modules[HOME], NAME)
    keep_replicas_on_loopback()

    assert getattr(sys.modules[HOME], NAME) is first


def test_a_worker_does_not_start_when_ray_has_moved_the_function(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, HOME, ModuleType(HOME))

    with pytest.raises(AttributeError):
        keep_replicas_on_loopback()


def test_ray_still_opens_the_port_where_the_hook_waits() -> None:
    home, user = source_of(HOME), source_of(USER)

    assert f"def {NAME}(server, address):" in home
    assert f"from {HOME} import {NAME}" in user
    assert re.findall(rf"{NAME}\((.*)\)", user) == ['self._server, "[::]:0"']
    assert "add_insecure_port" not in user


def test_ray_asks_for_its_token_at_that_port() -> None:
    assert "self._server = create_grpc_server_with_interceptors(" in source_of(USER)
    assert "AsyncAuthenticationServerInterceptor()" in source_of("ray._private.grpc_utils")

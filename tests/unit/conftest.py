"""What holds in every unit test: Ray is never started, and nothing but this machine is reached."""

import gc
import importlib.abc
import ipaddress
import os
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import NoReturn

import pytest

# Each worker has a core: numpy's threads would only take turns. Before numpy is loaded.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def pytest_collection_finish() -> None:
    """What was imported stays: the garbage collector need not look at it again and again."""
    gc.collect()
    gc.freeze()


def _refused(*_: object, **__: object) -> NoReturn:
    pytest.fail("a unit test starts no Ray: this one belongs in tests/cluster")


class _RayThatCannotStart(importlib.abc.MetaPathFinder):
    """Takes ``init`` out of Ray when a test imports it. Ray itself is not imported for that."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._patch = patch

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(fullname, path) if fullname == "ray" else None
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def execute_and_refuse(module: ModuleType) -> None:
            execute(module)
            self._patch.setattr(module, "init", _refused)

        spec.loader.exec_module = execute_and_refuse  # type: ignore[method-assign]
        return spec


@contextmanager
def ray_cannot_start() -> Iterator[None]:
    """``ray.init`` fails the test, whether Ray is loaded already or imported inside."""
    with pytest.MonkeyPatch.context() as patch:
        if "ray" in sys.modules:
            patch.setattr(sys.modules["ray"], "init", _refused)
        patch.setattr(sys, "meta_path", [_RayThatCannotStart(patch), *sys.meta_path])
        yield


def is_here(family: int, address: object) -> bool:
    """Whether a socket's address is on this machine."""
    if family == socket.AF_UNIX:
        return True
    host = address[0] if isinstance(address, tuple) else ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@pytest.fixture(autouse=True)
def _unit(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("connect", "connect_ex"):
        original = getattr(socket.socket, name)

        def guarded(
            self: socket.socket, address: object, *, _original: object = original
        ) -> object:
            if not is_here(self.family, address):
                pytest.fail(f"a unit test reaches nothing but this machine: {address!r}")
            return _original(self, address)  # type: ignore[operator]

        monkeypatch.setattr(socket.socket, name, guarded)
    with ray_cannot_start():
        yield

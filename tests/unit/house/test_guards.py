"""The guards around unit tests, tried out."""

import os
import socket
import sys
from pathlib import Path
from types import ModuleType

import pytest
from _pytest.outcomes import Failed

from tests.unit.conftest import is_here, ray_cannot_start


def test_a_socket_to_another_machine_fails_the_test() -> None:
    with socket.socket() as connection, pytest.raises(Failed, match="nothing but this machine"):
        connection.connect(("192.0.2.1", 80))


def test_loopback_and_unix_sockets_are_allowed() -> None:
    assert is_here(socket.AF_INET, ("127.0.0.1", 1))
    assert is_here(socket.AF_INET6, ("::1", 1, 0, 0))
    assert is_here(socket.AF_UNIX, "/some/socket")
    assert not is_here(socket.AF_INET, ("example.org", 1))


@pytest.mark.parametrize(
    "arguments", [{}, {"address": "local"}, {"address": "auto", "ignore_reinit_error": True}]
)
def test_ray_cannot_be_started_in_a_unit_test(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: dict[str, object]
) -> None:
    (tmp_path / "ray.py").write_text("def init(**arguments):\n    raise SystemExit('started')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "ray", ModuleType("ray"))
    del sys.modules["ray"]
    with ray_cannot_start():
        import ray

        with pytest.raises(Failed, match="belongs in tests/cluster"):
            ray.init(**arguments)


def test_every_test_has_a_home_of_its_own(home: Path) -> None:
    folders = [
        os.environ[name] for name in ("HOME", "SELFLOW_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")
    ]

    assert all(Path(folder).is_relative_to(home) for folder in folders)
    assert not Path(os.environ["SELFLOW_HOME"]).exists()


def test_a_missing_program_skips_at_home_and_fails_in_ci(
    tool: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "false")
    with pytest.raises(pytest.skip.Exception):
        tool("no-such-program")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(Failed):
        tool("no-such-program")

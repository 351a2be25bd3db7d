"""Installed entry points that cannot be loaded: one sentence that says what to do."""

from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint, version
from pathlib import Path

import pytest

from selflow.collect.sources import make_source
from selflow.console.cli import app as frame
from selflow.core.clock import SystemClock
from selflow.core.errors import ConfigError
from selflow.core.plugins import load, load_one
from tests.unit.console.conftest import Cli

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs a distribution of version 1.0 with one entry point."""

    def installed(group: str, entry: str, distribution: str = "broken") -> None:
        site = tmp_path / "site"
        folder = site / f"{distribution}-1.0.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n"
        )
        (folder / "entry_points.txt").write_text(f"[{group}]\n{entry}\n")
        (site / "broken_module.py").write_text("raise RuntimeError('no licence')\n")
        monkeypatch.syspath_prepend(site)
        frame._points.cache_clear()

    yield installed
    frame._points.cache_clear()


@pytest.mark.parametrize(
    ("entry", "cause"),
    [
        ("gone.module:run", "ModuleNotFoundError: No module named 'gone'"),
        (
            "selflow.core.ids:gone",
            "AttributeError: module 'selflow.core.ids' has no attribute 'gone'",
        ),
        ("broken_module:run", "RuntimeError: no licence"),
    ],
)
def test_a_command_that_cannot_be_loaded_is_named(
    cli: Cli, install: Install, entry: str, cause: str
) -> None:
    install(frame.GROUP, f"broken-command = {entry}")
    ended = cli("broken-command")

    assert (ended.code, ended.out) == (2, "")
    assert ended.err == (
        f"error: cannot load the command 'broken-command' ({entry}) of broken 1.0: {cause}\n"
        "hint: update or remove broken: pip install --upgrade broken, or pip uninstall broken\n"
    )


def test_a_stale_command_of_ours_asks_for_a_new_installation(cli: Cli, install: Install) -> None:
    install(frame.GROUP, "stale = selflow.gone:stale", "selflow")
    ended = cli("stale")

    assert ended.code == 2
    assert "the command 'stale' (selflow.gone:stale) of selflow 1.0" in ended.err
    assert "hint: install SelFlow again: make setup in a checkout" in ended.err


def test_a_source_that_cannot_be_loaded_is_named(install: Install) -> None:
    class Section:
        type = "bank_account"

    install("selflow.sources", "bank_account = broken_module:from_settings")
    with pytest.raises(ConfigError, match="cannot load the source 'bank_account'") as caught:
        make_source(Section(), SystemClock(), "/home/u")

    assert "pip uninstall broken" in caught.value.hint


def test_an_entry_point_that_is_not_installed_is_named() -> None:
    with pytest.raises(ConfigError, match="import ledger 'gone' is not installed") as caught:
        load_one("selflow.imports", "gone", "import ledger")

    assert "install SelFlow again" in caught.value.hint


def test_an_entry_point_without_a_distribution_is_named() -> None:
    with pytest.raises(ConfigError, match="of an unnamed distribution"):
        load([EntryPoint("x", "gone:x", frame.GROUP)], "command")


def test_a_command_of_two_distributions_is_refused_with_both_names(
    cli: Cli, install: Install
) -> None:
    install(frame.GROUP, "version = selflow.core.ids:new_id", "shadow")
    ended = cli("version")

    assert (ended.code, ended.out) == (2, "")
    assert ended.err == (
        "error: more than one distribution has the command 'version': shadow 1.0 "
        f"(selflow.core.ids:new_id) and selflow {version('selflow')} "
        "(selflow.console.cli.version:version)\n"
        "hint: keep one of them: pip uninstall shadow\n"
    )
    assert cli("url", "--help").code == 0


def test_a_source_of_two_distributions_is_refused(install: Install) -> None:
    class Section:
        type = "shell_history"

    install("selflow.sources", "shell_history = gone:from_settings", "shadow")
    with pytest.raises(ConfigError, match="more than one distribution has the source") as caught:
        make_source(Section(), SystemClock(), "/home/u")

    assert caught.value.hint == "keep one of them: pip uninstall shadow"

"""Tab in real shells, with the scripts of ``selflow completion`` and the real program."""

import sys

import pytest

from selflow.console.cli.completion import SCRIPTS
from selflow.store.catalog import Catalog
from tests.unit.house.rules import HERE
from tests.unit.shells.homes import Home
from tests.unit.shells.terminal import Terminal
from tests.unit.store.worlds import register

pytestmark = pytest.mark.slow
PROGRAM = """\
#!/bin/sh
[ "$_SELFLOW_COMPLETE" ] || {{ echo "ran: $*."; exit; }}
export PYTHONPATH={tree} SELFLOW_HOME={root}
exec {python} -c 'from selflow.console.cli.main import main; main()'
"""


def completing(home: Home, shell: str) -> Terminal:
    """A shell with the script, and a program that says how it was called."""
    program = home.path / "bin" / "selflow"
    program.parent.mkdir(exist_ok=True)
    root = home.path / "root"
    root.mkdir(exist_ok=True)
    program.write_text(PROGRAM.format(tree=HERE, root=root, python=sys.executable))
    program.chmod(0o755)
    to_path = (
        f"set -gx PATH {program.parent} $PATH\n"
        if shell == "fish"
        else f"export PATH={program.parent}:$PATH\n"
    )
    return home.start(shell, to_path + SCRIPTS[shell], is_hooked=False)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_tab_completes_commands_options_and_names(at_home: Home, shell: str) -> None:
    terminal = completing(at_home, shell)
    with Catalog.open(at_home.path / "root" / "catalog.db") as catalog:
        version = register(catalog, "a").id
    name, _, number = version.partition("@")

    assert "ran: doctor." in terminal.run("selflow docto\t")
    assert "ran: patterns --all." in terminal.run("selflow patterns --al\t")
    assert f"ran: agents show {name}." in terminal.run(f"selflow agents show {name[:3]}\t")
    shown = terminal.run(f"selflow agents show {name}@{number[:2]}\t")
    assert f"ran: agents show {version}." in shown


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_tab_is_silent_where_nothing_is_known(at_home: Home, shell: str) -> None:
    terminal = completing(at_home, shell)
    (at_home.path / "root" / "catalog.db").write_text("no catalog")

    shown, _, rest = terminal.run("selflow agents show x\t").partition("ran: ")

    assert (shown.strip(), rest.splitlines()[0]) == ("", "agents show x.")

"""The frame of the command line: commands by entry point, global options, errors, exit codes,
import weight.
"""

import json
import os
import signal
import subprocess
import sys
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import pytest
import typer

from selflow.console.cli import app as frame
from selflow.console.cli.main import run
from selflow.core.errors import NotRunningError
from selflow.core.invocation import Invocation, printable, size, table
from selflow.core.paths import Root
from tests.unit.console.conftest import Cli

OURS = set(frame.SUMMARIES)
SELFLOW = [sys.executable, "-c", "from selflow.console.cli.main import main; main()"]


def test_our_commands_come_in_by_the_entry_point_door() -> None:
    assert {point.name for point in entry_points(group=frame.GROUP)} >= OURS


@pytest.mark.parametrize("name", sorted(OURS))
def test_the_summary_of_each_command_is_the_first_line_of_its_help(cli: Cli, name: str) -> None:
    first = cli(name, "--help").out.split("\n\n")[1]

    assert " ".join(first.split()) == frame.SUMMARIES[name]


def test_help_lists_the_commands_in_the_order_of_the_work(cli: Cli) -> None:
    ended = cli("--help")
    lines = ended.out.partition("Commands:")[2].splitlines()
    listed = [line.split()[0] for line in lines if line.strip() and not line.startswith("   ")]

    assert ended.code == 0
    assert [name for name in listed if name in OURS] == [
        name for name in frame.SUMMARIES if name in OURS
    ]


def test_no_command_at_all_is_wrong_usage_and_shows_the_help(cli: Cli) -> None:
    ended = cli()

    assert (ended.code, ended.out) == (2, "")
    assert "Commands:" in ended.err


def test_an_unknown_command_names_the_nearest(cli: Cli) -> None:
    ended = cli("verson")

    assert ended.code == 2
    assert ended.err == "error: unknown command: verson\nhint: did you mean 'version'?\n"


def test_an_unknown_option_is_wrong_usage(cli: Cli) -> None:
    ended = cli("version", "--nope")

    assert ended.code == 2
    assert "error: No such option: --nope" in ended.err
    assert "hint: selflow version --help" in ended.err


def test_json_may_stand_before_and_behind_the_command(cli: Cli) -> None:
    assert cli("--json", "version").document == cli("version", "--json").document


def test_behind_a_double_dash_json_is_an_argument(cli: Cli) -> None:
    ended = cli("logs", "--", "--json")

    assert ended.code == 2
    assert "unknown log: --json" in ended.err


def test_with_json_an_error_is_a_problem_on_stderr_and_stdout_is_empty(cli: Cli) -> None:
    ended = cli("url", "inference", "--json")

    assert (ended.code, ended.out) == (3, "")
    assert ended.problem["code"] == "ray_down"
    assert ended.problem["type"] == "urn:selflow:error:ray_down"
    assert "selflow up" in ended.problem["hint"]


def test_home_wins_over_the_environment(cli: Cli, tmp_path: Path) -> None:
    assert cli("--home", str(tmp_path / "other"), "config", "path", "--json").document[
        "root"
    ] == str(tmp_path / "other")


def test_config_names_another_settings_file(cli: Cli, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text("serve: {port: 7999}\n")

    assert cli("--config", str(other), "config", "get", "serve.port").out == "7999\n"


def test_a_missing_settings_file_is_wrong_configuration(cli: Cli, tmp_path: Path) -> None:
    ended = cli("--config", str(tmp_path / "none.yaml"), "config", "show")

    assert ended.code == 2
    assert "no settings file" in ended.err


def test_profile_lays_an_overlay_below_the_owners_file(cli: Cli, root: Root) -> None:
    root.profiles.mkdir()
    (root.profiles / "fast.yaml").write_text("serve: {running: 3, waiting: 4}\n")
    root.user_settings.write_text("serve: {waiting: 5}\n")
    serve = cli("--profile", "fast", "config", "get", "serve", "--json").document["value"]

    assert (serve["running"], serve["waiting"]) == (3, 5)


def test_quiet_keeps_notes_back(cli: Cli) -> None:
    assert "no events yet" in cli("events").err
    assert cli("events", "--quiet").err == ""


@pytest.mark.parametrize(
    ("no_color", "flag", "is_coloured"),
    [("", [], True), ("1", [], False), ("", ["--no-color"], False)],
)
def test_colours_need_a_terminal_and_the_owners_leave(
    root: Root,
    monkeypatch: pytest.MonkeyPatch,
    no_color: str,
    flag: list[str],
    *,
    is_coloured: bool,
) -> None:
    seen: list[str] = []

    def look(ctx: typer.Context) -> None:
        call: Invocation = ctx.obj
        seen.append(call.paint("x", "red"))

    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(EntryPoint, "load", lambda _point: look)
    run([*flag, "version"])

    assert seen == ["\x1b[31mx\x1b[0m" if is_coloured else "x"]


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        (NotRunningError("away", "start it"), 3, "error: away\nhint: start it\n"),
        (KeyboardInterrupt(), 130, ""),
        (typer.Exit(5), 5, ""),
        (
            PermissionError(13, "Permission denied", "/x"),
            1,
            "error: cannot use /x: Permission denied\nhint: check",
        ),
    ],
)
def test_how_a_command_ends_is_the_exit_code(
    root: Root,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    raised: BaseException,
    code: int,
    said: str,
) -> None:
    def failing() -> None:
        raise raised

    monkeypatch.setattr(EntryPoint, "load", lambda _point: failing)

    assert run(["version"]) == code
    assert capfd.readouterr().err.startswith(said)


def test_a_plugin_that_offers_no_command_is_named(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EntryPoint, "load", lambda _point: 7)
    ended = cli("version")

    assert ended.code == 2
    assert "is not a command" in ended.err


def test_a_reader_that_leaves_early_is_no_failure(root: Root) -> None:
    with subprocess.Popen(
        [*SELFLOW, "config", "show", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        complaints = process.stderr.read()
        code = process.wait(timeout=20)

    assert (code, complaints) == (0, b"")


def test_sigterm_ends_with_143(root: Root) -> None:
    root.log.joinpath("x.log").write_text("first\n")
    with subprocess.Popen(
        [*SELFLOW, "logs", "--follow"], stdout=subprocess.PIPE, env=os.environ
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"x: first\n"
        process.send_signal(signal.SIGTERM)

        assert process.wait(timeout=20) == 143


def test_status_loads_nothing_heavy(root: Root) -> None:
    heavy = "fastapi ray torch pandas sqlalchemy alembic numpy pydantic yaml zmq rich httpx psutil"
    script = (
        "import sys; from selflow.console.cli.main import run; run(['status', '--json']);"
        f"sys.exit(repr([name for name in {heavy.split()} if name in sys.modules]))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, env=os.environ
    )

    assert ended.stderr.splitlines()[-1] == "[]"
    assert json.loads(ended.stdout)["state"] == "not running"


def test_no_command_loads_a_heavy_library_at_the_top() -> None:
    heavy = {
        "fastapi",
        "ray",
        "torch",
        "pandas",
        "sqlalchemy",
        "alembic",
        "numpy",
        "zmq",
        "lmdb",
        "rich",
    }
    modules = [
        f"selflow.console.cli.{path.stem}" for path in Path(frame.__file__).parent.glob("[!_]*.py")
    ]
    named = ", ".join([*modules, "selflow.store.commands.init", "actors.demo.command"])
    script = f"import {named}, sys; print(' '.join(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout.split()

    assert set(modules) <= set(loaded)
    assert heavy.isdisjoint(loaded)


def test_no_event_can_steer_the_terminal() -> None:
    assert printable("a\x1b[2Jb\nc") == "a\ufffd[2Jb\ufffdc"
    assert table(["subject"], [["\x1b]0;x\x07"]])[1].isprintable()


def test_a_table_aligns_numbers_right_and_words_left() -> None:
    assert table(["name", "n"], [["a", 12_345], ["bcd", 1]]) == [
        "name       n",
        "a     12,345",
        "bcd        1",
    ]


def test_sizes_are_read_by_people() -> None:
    assert [size(n) for n in (999, 1_500, 64_000_000, 5_000_000_000)] == [
        "999 B",
        "1.5 kB",
        "64.0 MB",
        "5.0 GB",
    ]

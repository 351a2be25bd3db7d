"""The command ``selflow`` as Typer sees it: global options, and commands from entry points.

A command comes in by the entry-point group ``selflow.commands``: ``name = "module:attribute"``,
where the attribute is either a function with Typer's annotations (one command) or a ``typer.Typer``
(a command with subcommands). It finds its ``Invocation`` (``selflow.core.invocation``) as
``ctx.obj`` of a ``ctx: typer.Context`` parameter, raises the errors of ``selflow.core.errors``, and
ends with another exit code by ``raise typer.Exit(code)``. Its module is imported only when the
command is called. Our own commands come in by the same door; a name that two distributions
have is refused when it is called.
"""

import os
import sys
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from functools import cache
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Annotated, Any

import typer
import typer.core
import typer.main

from selflow.console.cli.invoke import FLAGS, make_invocation
from selflow.core.errors import UsageError
from selflow.core.plugins import installed, load

GROUP = "selflow.commands"
SUMMARIES = {
    "init": "Record what SelFlow may collect, source by source.",
    "up": "Start SelFlow, or attach it to the Ray cluster that RAY_ADDRESS names.",
    "down": "Stop SelFlow; an attached Ray cluster keeps running.",
    "ui": "Open the web page, signed in.",
    "watch": "Show what SelFlow does, live.",
    "status": "Show what runs, how full the buffer is and what listens.",
    "doctor": (
        "Check listeners, tokens, file modes and versions; exit code 5 if something is wrong."
    ),
    "demo": (
        "Replay real events, grow and judge agents, serve, predict later events over "
        "HTTP, and learn from the outcomes."
    ),
    "import": (
        "Import events from an export, a table, shell history, a git repository or ActivityWatch."
    ),
    "replay": "Send a recorded stream through the ingest.",
    "shell": "Install the shell companion: finished commands, and suggestions while you type.",
    "events": "List, show, count, follow and export stored events.",
    "pause": "Collect nothing for a while, and start no learning cycle by itself.",
    "resume": "Collect and learn again; nothing of the pause is read.",
    "forget": "Delete events, and all that was learned from them.",
    "privacy": "Show, try and add rules for what is never stored.",
    "sources": "List what may be collected, by your word, and what came from each source.",
    "learn": "Begin a learning cycle.",
    "cycles": "List the learning cycles, newest first.",
    "discover": "Find the clusters in a table that several families of clustering agree on.",
    "patterns": "List the current patterns, largest first.",
    "trials": "List the configurations that searches tried, with what they reached.",
    "agents": "List the agents' versions with their verdicts, newest first.",
    "models": "List bases and the versions that stand on each, with size, licence and verdict.",
    "ask": "Ask about your own events.",
    "predict": "Predict the next step.",
    "suggest": "Complete a shell line, a commit message or a path.",
    "decisions": "List answered predictions, newest first.",
    "feedback": "Send feedback on a decision.",
    "git": "Suggest commit messages in a repository, and write down its commits, by hooks.",
    "eval": "Evaluate predictors on a file.",
    "config": "Show, explain, check and change settings.",
    "db": "Check that everything that is kept is whole.",
    "logs": "Show the logs.",
    "token": "Create, list and revoke bearer tokens.",
    "aw": "Show the port that answers ActivityWatch's watchers.",
    "audit": "List the audit log, newest first: every act that changed something, and who did it.",
    "notices": "List what SelFlow had to tell, newest first.",
    "tray": "Show SelFlow in the desktop's tray, until it is ended.",
    "completion": "Print the completion script of a shell.",
    "url": "Print the address of a listener.",
    "version": "Print the version.",
}
"""One line for each of our commands, so that ``selflow --help`` need not import them; a test
compares.
"""
INTERNAL = frozenset({"service"})
"""Commands that SelFlow calls itself; not listed."""


class LazyGroup(typer.core.TyperGroup):
    """A group that finds its commands among the installed entry points and imports one when it is
    called.
    """

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401, ARG002  (Typer's vendored context type is private)
        """Names only: ours in the order of the work, then those of plugins."""
        names = _points().keys() - INTERNAL
        return [name for name in SUMMARIES if name in names] + sorted(names - SUMMARIES.keys())

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ANN401
        """Import the command.

        Raises:
            UsageError: No command has this name, or a plugin's entry point is not a command.
            ConfigError: More than one distribution has it, or its module cannot be imported.
        """
        points = _points().get(cmd_name)
        if points is not None:
            return _as_command(points)
        near = get_close_matches(cmd_name, self.list_commands(ctx), n=1)
        raise UsageError(
            f"unknown command: {cmd_name}",
            f"did you mean {near[0]!r}?" if near else "selflow --help lists the commands",
        )

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:  # noqa: ANN401
        """Names of commands without importing one; options as Typer knows them."""
        from typer._click.shell_completion import CompletionItem  # where Typer keeps its own

        names = [] if incomplete.startswith("-") else self.list_commands(ctx)
        items = [CompletionItem(name) for name in names if name.startswith(incomplete)]
        return items or typer.core.TyperCommand.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401
        """List the commands without importing one."""
        rows = [(name, SUMMARIES.get(name, "(from a plugin)")) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401
        """Accept the global flags behind the command too."""
        end = args.index("--") if "--" in args else len(args)
        flags = [arg for arg in args[:end] if arg in FLAGS]
        rest = [arg for arg in args[:end] if arg not in FLAGS]
        return super().parse_args(ctx, [*flags, *rest, *args[end:]])


@cache
def _points() -> dict[str, list[EntryPoint]]:
    """Every installed command by its name; what is installed does not change while a
    command runs.
    """
    return installed(GROUP)


def _as_command(points: Sequence[EntryPoint]) -> Any:  # noqa: ANN401
    target, point = load(points, "command"), points[0]
    if not isinstance(target, typer.Typer):
        if not callable(target):
            raise UsageError(
                f"the entry point {point.value} is not a command", "remove the plugin that has it"
            )
        function: Callable[..., object] = target
        target = typer.Typer(add_completion=False, rich_markup_mode=None)
        target.command(point.name)(function)
    command = typer.main.get_command(target)
    command.name = point.name
    return command


app = typer.Typer(
    cls=LazyGroup,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="SelFlow: a private AI that grows on its owner's machine.",
    epilog="--json, --quiet and --no-color may also follow the command.",
)


@app.callback()
def options(
    ctx: typer.Context,
    home: Annotated[
        str | None, typer.Option(metavar="DIR", help="State root; default SELFLOW_HOME or XDG.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Settings file instead of the owner's.")
    ] = None,
    profile: Annotated[
        str | None, typer.Option(metavar="NAME", help="Settings overlay below the owner's.")
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress and no notes.")] = False,
    no_color: Annotated[
        bool, typer.Option("--no-color", help="No colours; NO_COLOR does the same.")
    ] = False,
) -> None:
    """Make the invocation that every command receives."""
    flags = {"--json": as_json, "--quiet": quiet, "--no-color": no_color}
    ctx.obj = make_invocation(
        {flag for flag, is_given in flags.items() if is_given}, home, config, profile
    )


@cache
def _group() -> Any:  # noqa: ANN401  (Typer's vendored command type is private)
    return typer.main.get_command(app)


def invoke(args: Sequence[str]) -> int:
    """Run one command; returns its exit code.

    Raises:
        UsageError: The command line is wrong. SelFlowError: What the command raised.
    """
    command = _group()
    if "_SELFLOW_COMPLETE" in os.environ:  # the shell asks, see --install-completion
        command.main(prog_name="selflow")
    try:
        with command.make_context("selflow", list(args)) as context:
            result = command.invoke(context)
    except typer.Exit as ended:
        return ended.exit_code
    except typer.Abort as aborted:
        raise KeyboardInterrupt from aborted
    except typer.TyperException as error:
        if error.format_message().startswith(
            "Usage:"
        ):  # no argument at all: the help is the message
            sys.stderr.write(f"{error.format_message()}\n")
            return error.exit_code
        misused = getattr(error, "ctx", None)
        where = misused.command_path if misused else "selflow"
        # A refused value comes with pydantic's name for the kind of error.
        raise UsageError(
            error.format_message().replace(": Value error,", ":"), f"{where} --help"
        ) from error
    return result if isinstance(result, int) else 0

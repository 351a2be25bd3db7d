"""The commands that start, end and examine the session; they come in by the entry-point group
``selflow.commands``.
"""

import math
import threading
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer

from actors import console_process, keeper, session
from actors import doctor as checks
from selflow.core.clock import SystemClock
from selflow.core.config_files import clear_overrides, untrusted_project
from selflow.core.errors import StoreError, UsageError, public_text
from selflow.core.invocation import Invocation, table
from selflow.core.paths import settings_variables
from selflow.core.session_files import SessionRequest, read_ray_session, read_request

_FAULT = 5
Assignments = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="A setting for this session; may be repeated."),
]
WithoutToken = Annotated[
    bool,
    typer.Option(
        "--attach-without-token",
        help="Attach to a Ray cluster without token authentication: every account of this "
        "machine can run code as its owner.",
    ),
]
Lean = Annotated[bool, typer.Option("--lean", help="Start without Ray's dashboard.")]


def up(
    ctx: typer.Context,
    *,
    lean: Lean = False,
    without_token: WithoutToken = False,
    assign: Assignments = None,
) -> None:
    """Start SelFlow, or attach it to the Ray cluster that RAY_ADDRESS names.

    Without the consent of ``selflow init`` everything starts and nothing is collected.
    """
    call: Invocation = ctx.obj
    _refuse_strangers()
    request = _request(call, assign, lean=lean, without_token=without_token)
    project = untrusted_project(call.root, call.cwd)
    if project is not None:
        call.note(f"note: {project} is ignored; to trust it: selflow config trust")
    plan = session.bring_up(call.root, request, call.note)
    session.spawn_keeper(call.root)
    _have_console(call, plan.settings.console.port)
    endpoints = call.endpoints()
    address, page = endpoints["inference"], endpoints.get("console")
    call.show(
        {"state": "running", "root": str(plan.root.path), "endpoints": endpoints},
        [
            f"SelFlow is running; inference at {address}, token in {plan.root.token}",
            *([f"the web page is at {page}; open it with: selflow ui"] if page else []),
        ],
    )
    ray_session = read_ray_session(call.root)
    for warning in ray_session.warnings if ray_session else ():
        call.note(f"note: {warning}")


def down(ctx: typer.Context) -> None:
    """Stop SelFlow; an attached Ray cluster keeps running."""
    call: Invocation = ctx.obj
    was_up = session.take_down(call.root, call.note)
    call.show(
        {"state": "stopped", "was_running": was_up},
        ["SelFlow is stopped" if was_up else "SelFlow was not running"],
    )


def doctor(ctx: typer.Context) -> None:
    """Check listeners, tokens, file modes and versions; exit code 5 if something is wrong."""
    call: Invocation = ctx.obj
    request = read_request(call.root)
    findings = checks.examine(
        call.root, call.catalog_location(), request.inference_port if request else None
    )
    faults = [finding for finding in findings if not finding.is_ok]
    rows = [
        ("ok" if finding.is_ok else "FAULT", finding.check, finding.detail) for finding in findings
    ]
    call.show(
        {
            "ok": not faults,
            "checks": [{"check": f.check, "ok": f.is_ok, "detail": f.detail} for f in findings],
        },
        table(("", "check", "found"), rows),
    )
    if faults:
        raise typer.Exit(_FAULT)


service = typer.Typer(
    add_completion=False, rich_markup_mode=None, help="What service units and the keeper call."
)


@service.command("run")
def run(
    ctx: typer.Context,
    *,
    lean: Lean = False,
    without_token: WithoutToken = False,
    assign: Assignments = None,
) -> None:
    """Bring the session up, keep it, and take it down at SIGTERM: for service units."""
    call: Invocation = ctx.obj
    _refuse_strangers()
    plan = session.bring_up(
        call.root, _request(call, assign, lean=lean, without_token=without_token), call.note
    )
    _have_console(call, plan.settings.console.port)
    try:
        keeper.keep(call.root, SystemClock(), threading.Event(), handover_s=math.inf)
    finally:
        session.take_down(call.root, call.note)


@service.command("keep")
def keep(ctx: typer.Context) -> None:
    """Watch the session and rebuild it when it dies, until it is taken down."""
    call: Invocation = ctx.obj
    keeper.keep(call.root, SystemClock(), threading.Event())


@service.command("rebuild")
def rebuild(ctx: typer.Context) -> None:
    """Restart a dead session with the settings it had."""
    call: Invocation = ctx.obj
    session.rebuild(call.root, call.note)


def _request(
    call: Invocation, assign: list[str] | None, *, lean: bool, without_token: bool
) -> SessionRequest:
    assignments = [
        *(assign or ()),
        *(["ray.dashboard=false"] if lean else []),
        *(["ray.attach_without_token=true"] if without_token else []),
    ]
    clear_overrides(call.root, assignments)
    return SessionRequest(
        config_file=str(call.config_file.absolute()) if call.config_file else None,
        profile=call.profile,
        assignments=tuple(assignments),
        cwd=str(call.cwd),
        environment=settings_variables(call.environ),
    )


def _have_console(call: Invocation, wished_port: int) -> None:
    """Start the console; a session without one collects, learns and answers all the same."""
    try:
        console_process.ensure(call.root, wished_port)
    except (StoreError, OSError) as error:  # OSError: its log cannot be written
        call.note(f"note: the console did not start: {public_text(error)}; see selflow doctor")


def _refuse_strangers() -> None:
    """A foreign distribution of our top-level names would win over ours on the path of every
    worker.
    """
    home = Path(session.__file__).parents[1]
    strangers = [
        name for name in ("actors", "serve", "tune") if not _lies_in(import_module(name), home)
    ]
    if strangers:
        raise UsageError(
            f"another installed package has the name of one of ours: {', '.join(strangers)}",
            "uninstall it, or install SelFlow into its own virtual environment",
        )


def _lies_in(module: ModuleType, home: Path) -> bool:
    return module.__file__ is not None and Path(module.__file__).parents[1] == home

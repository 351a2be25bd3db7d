"""``selflow learn``: asks for a learning cycle and tells how it goes, by the catalog alone."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from selflow.core.clock import Clock, SystemClock
from selflow.core.errors import NotRunningError, StoreError
from selflow.core.grants import OWNER
from selflow.core.invocation import Invocation, printable
from selflow.store.commands.opening import open_catalog
from selflow.store.reading import CatalogReader
from selflow.store.records import Cycle, Stage
from selflow.store.row import document
from selflow.store.run_views import runs

if TYPE_CHECKING:
    from selflow.store.catalog import Catalog

_POLL_S = 0.5
_CLEAR = "\r\x1b[2K"
_PATIENCE_S = 120.0
"""A session that died is recreated in less."""


def learn(
    ctx: typer.Context,
    *,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Show the stages until the cycle has ended.")
    ] = True,
    cancel: Annotated[bool, typer.Option("--cancel", help="Cancel the open cycle.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the open cycle, and change nothing.")
    ] = False,
) -> None:
    """Begin a learning cycle.

    One is open at a time: if one is, its stages are shown. Ctrl-C leaves it running. Exit code 1 if
    it fails.
    """
    call: Invocation = ctx.obj
    if not call.endpoints() and not cancel:
        raise NotRunningError(
            "SelFlow is not running; a learning cycle needs it", "start it with: selflow up"
        )
    clock = SystemClock()
    with open_catalog(call) as catalog:
        cycle = catalog.cycles.open()
        if dry_run or (cancel and cycle is None):
            call.show(
                {"cycle": cycle and document(cycle)},
                [f"open: {cycle.id}" if cycle else "no cycle is open"],
            )
            return
        if cancel:
            catalog.cycles.cancel(cycle.id, clock.now_us())
            call.show({"cycle": {"id": cycle.id, "state": "cancelled"}}, [f"cancelled: {cycle.id}"])
            return
        cycle = catalog.cycles.request(OWNER, clock.now_us())
        if wait:
            cycle = follow(call, catalog, cycle, clock)
        stages = [document(stage) for stage in catalog.cycles.stages(cycle.id)]
    if cycle.state in {"failed", "cancelled"}:
        raise StoreError(
            f"{cycle.id} is {cycle.state}: {cycle.error or 'by its owner'}", "see selflow logs"
        )
    call.show({"cycle": document(cycle), "stages": stages}, [f"{cycle.id} is {cycle.state}"])


def follow(call: Invocation, catalog: "Catalog", cycle: Cycle, clock: Clock) -> Cycle:
    """Tell each stage of a cycle until it has ended, over restarts of the services.

    Raises:
        NotRunningError: The supervisor has said nothing for two minutes.
        KeyboardInterrupt: The owner had enough; the cycle goes on.
    """
    printed, spoke_us, heard_s = set[str](), 0, clock.monotonic_s()
    try:
        while cycle.finished_at_us is None:
            clock.sleep(_POLL_S)
            cycle = next(item for item in catalog.cycles.latest(9) if item.id == cycle.id)
            _print_stages(call, catalog.cycles.stages(cycle.id), printed)
            if call.may_animate:
                _draw_progress(call, cycle)
            last_us = max((item.seen_at_us for item in catalog.services.list_all()), default=0)
            if last_us != spoke_us:
                spoke_us, heard_s = last_us, clock.monotonic_s()
            elif clock.monotonic_s() - heard_s > _PATIENCE_S:
                raise NotRunningError(
                    "SelFlow has stopped; the cycle resumes at the next start",
                    "start it with: selflow up",
                )
    except KeyboardInterrupt:
        call.note(
            f"{cycle.id} goes on; look with selflow status or selflow learn, end it with "
            "selflow learn --cancel"
        )
        raise
    return cycle


def _print_stages(call: Invocation, stages: Iterable[Stage], printed: set[str]) -> None:
    """A line for each stage that has ended since."""
    clear = _CLEAR if call.may_animate else ""
    for stage in stages:
        if stage.finished_at_us and stage.name not in printed:
            printed.add(stage.name)
            call.note(
                f"{clear}{printable(stage.name)}: "
                f"{(stage.finished_at_us - stage.started_at_us) / 1e6:.1f} s"
            )


def _draw_progress(call: Invocation, cycle: Cycle) -> None:
    """How far the stage is that is worked on, for a person who looks; its runs say how long yet."""
    working = [] if cycle.finished_at_us else runs(CatalogReader(call.catalog_location()), cycle.id)
    left_s = [run.eta_s for run in working if run.eta_s is not None and run.stage == cycle.stage]
    left = f", {max(left_s):,.0f} s left" if left_s else ""
    how_far = f"{printable(cycle.stage)} {cycle.done_fraction:.0%}{left}"
    call.err.write(_CLEAR if cycle.finished_at_us else f"{_CLEAR}{how_far}")
    call.err.flush()

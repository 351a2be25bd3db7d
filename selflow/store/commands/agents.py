"""``selflow agents``: who serves, by which verdict, and back to who served before."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

import typer

from selflow.core.clock import SystemClock
from selflow.core.grants import OWNER
from selflow.core.invocation import Invocation, printable, table, unknown_name
from selflow.store.commands.names import agent_names, version_names
from selflow.store.commands.opening import open_catalog
from selflow.store.reading import CatalogReader
from selflow.store.records import Trial
from selflow.store.routing_view import routing_document
from selflow.store.row import document
from selflow.store.views import agent_items, router_beliefs

app = typer.Typer(add_completion=False, rich_markup_mode=None)
_GAIN = "slice_gain_bits"
_Agent = Annotated[
    str, typer.Argument(metavar="NAME", help="An agent.", autocompletion=agent_names)
]


@app.callback(invoke_without_command=True)
def agents(
    ctx: typer.Context,
    status: Annotated[
        Literal["champion", "retired", "rejected", "no_verdict"] | None,
        typer.Option(help="Only versions with this status; the champion serves."),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Maximum number of versions; default all.")
    ] = None,
) -> None:
    """List the agents' versions with their verdicts, newest first."""
    if ctx.invoked_subcommand is not None:
        return
    call: Invocation = ctx.obj
    items = [item for item in _items(call) if status in {None, item["status"]}][:limit]
    if not items:
        call.note("no agents yet; to train some: selflow learn")
    names = ("agent", "surface", "version", "status", "created_at")
    rows = [
        [*(i[n] for n in names), i["verdict"]["decision"], i["verdict"]["numbers"].get(_GAIN)]
        for i in items
    ]
    call.show({"items": items, "next": None}, table([*names, "verdict", "gain, bits"], rows))


@app.command()
def show(
    ctx: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="An agent, or one version: NAME@VERSION.",
            autocompletion=agent_names,
        ),
    ],
) -> None:
    """Show a version, the champion or else the newest: its verdict with all numbers, and the trials
    of its search.
    """
    call: Invocation = ctx.obj
    matches = [item for item in _items(call) if name in {item["id"], item["agent"]}]
    if not matches:
        known = {item["agent"] for item in _items(call)}
        raise unknown_name("agent", name, sorted(known), "selflow agents lists the agents")
    chosen = next((item for item in matches if item["status"] == "champion"), matches[0])
    trials = CatalogReader(call.catalog_location()).learned(
        Trial, cycle_id=chosen["cycle_id"], agent=chosen["agent"]
    )
    call.show({**chosen, "trials": [document(trial) for trial in trials]}, _lines(chosen, trials))


@app.command()
def rollback(
    ctx: typer.Context,
    name: _Agent,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show which versions serve, and change nothing.")
    ] = False,
) -> None:
    """Serve the previous version of an agent again; none if it was the first."""
    call: Invocation = ctx.obj
    if dry_run:
        _show_serving(call, name)
        return
    with open_catalog(call) as catalog:
        version = catalog.agents.rollback(name, SystemClock().now_us(), OWNER)
    if version is None:
        call.show({"agent": name, "serves": None}, [f"no version of {printable(name)} serves"])
        return
    call.show(document(version), [f"{version.id} serves"])


@app.command()
def promote(
    ctx: typer.Context,
    version: Annotated[
        str,
        typer.Argument(
            metavar="NAME@VERSION",
            help="A version that served before.",
            autocompletion=version_names,
        ),
    ],
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show which version serves, and change nothing.")
    ] = False,
) -> None:
    """Serve a version of an agent again that passed its verdict."""
    call: Invocation = ctx.obj
    if dry_run:
        _show_serving(call, version.partition("@")[0])
        return
    with open_catalog(call) as catalog:
        promoted = catalog.agents.promote(version, SystemClock().now_us(), OWNER)
    call.show(document(promoted), [f"{promoted.id} serves"])


@app.command()
def beliefs(ctx: typer.Context) -> None:
    """Show what the router believes of each arm, with 95% credible intervals.

    An arm without feedback is not listed: its probability of success lies between 0.03 and 0.97.
    """
    call: Invocation = ctx.obj
    state = router_beliefs(CatalogReader(call.catalog_location()))
    if not state["items"]:
        call.note("no feedback on routed answers yet")
    rows = [
        [
            *(item[name] for name in ("surface", "arm", "pulls", "success")),
            f"{item['low']:.2f} to {item['high']:.2f}",
            item["latency_s"],
        ]
        for item in state["items"]
    ]
    head = ["surface", "arm", "pulls", "success", "95% interval", "latency, s"]
    call.show({**state, "next": None}, table(head, rows))


@app.command()
def routing(ctx: typer.Context) -> None:
    """Show how the last 500 requests were routed: explored, exploited, or named by the caller."""
    call: Invocation = ctx.obj
    shown = routing_document(CatalogReader(call.catalog_location()))
    if shown["because"] is None:
        call.note("no request was routed yet")
    columns = ["from_at", "to_at", "n", "explored", "exploited", "forced"]
    rows = [[item[name] for name in columns] for item in shown["bins"]]
    last = [printable(shown["because"]["text"])] if shown["because"] else []
    call.show(shown, [*table(columns, rows), *last])


@app.command()
def retire(
    ctx: typer.Context,
    name: _Agent,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show which version serves, and change nothing.")
    ] = False,
) -> None:
    """Stop serving an agent; a learning cycle may train it again."""
    call: Invocation = ctx.obj
    if dry_run:
        _show_serving(call, name)
        return
    with open_catalog(call) as catalog:
        version = catalog.agents.retire(name, SystemClock().now_us(), OWNER, "by command")
    call.show(document(version), [f"{version.id} retired; no version of its agent serves"])


def _show_serving(call: Invocation, name: str) -> None:
    """Which version of an agent serves, and which did before it."""
    serving = [i for i in _items(call) if (i["agent"], i["status"]) == (name, "champion")]
    lines = [
        f"{i['id']} serves; the version before it: {i['previous_id'] or 'none'}" for i in serving
    ]
    lines = lines or [f"no version of {printable(name)} serves"]
    call.show({"items": serving, "dry_run": True}, lines)


def _items(call: Invocation) -> list[dict[str, Any]]:
    return agent_items(CatalogReader(call.catalog_location()))


def _lines(item: Mapping[str, Any], trials: list[Trial]) -> Iterator[str]:
    verdict = item["verdict"]
    yield f"{item['id']}: {item['status']}, registered {item['created_at']} by {item['cycle_id']}"
    look = "the gate part was not looked at"
    if verdict["opening"] is not None:
        look = f"opening {verdict['opening']} of its gate set, alpha {verdict['alpha']:.4f}"
    yield f"verdict: {verdict['decision']}, {look}"
    yield from (f"  {printable(reason)}" for reason in verdict["reasons"])
    yield ""
    yield from table(["number", "value"], _flat(verdict["numbers"]))
    if trials:
        yield ""
        rows = [
            [trial.state, trial.tune_bits, trial.seconds, trial.config, trial.error]
            for trial in trials
        ]
        yield from table(["trial", "tune bits", "seconds", "configuration", "error"], rows)


def _flat(numbers: Mapping[str, Any]) -> Iterator[list[Any]]:
    for name, value in numbers.items():
        if isinstance(value, dict):
            yield from ([f"{name} {below}", figure] for below, figure in _flat(value))
        else:
            yield [name, value]

"""``selflow demo``: the whole loop on real events, station by station, each checked and
measured.
"""

import tempfile
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from actors import sample, session, stations
from actors.comparison import Figures, compare
from actors.stations import DemoRun
from selflow.core.errors import StoreError
from selflow.core.invocation import Invocation, size, table
from selflow.core.paths import Root, find_root
from selflow.core.session_files import read_ray_session

_COLUMNS = ("steps", "hit@1", "hit@5", "log_loss_bits")
_TITLES = {
    "replayed": "all replayed commits, each predicted before it was learned",
    "judged": "the gate part: commits that no base, pattern or agent has seen",
    "asked": "the 50 later commits, asked over HTTP (half of the pool, half by the router)",
}


def demo(
    ctx: typer.Context,
    *,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave SelFlow running on the demo's state folder.")
    ] = False,
    rows: Annotated[
        int | None, typer.Option(min=500, help="Replay only the newest rows of the sample.")
    ] = None,
) -> None:
    """Replay real events, grow and judge agents, serve, predict later events over HTTP, and learn
    from the outcomes.
    """
    call: Invocation = ctx.obj
    root = find_root(tempfile.mkdtemp(prefix="selflow-demo-"), {})
    demo_run = DemoRun(call.note)
    figures: Figures = {}
    try:
        figures = _travel(root, demo_run, sample.load(rows))
    finally:
        if not keep:
            stations.leave(root, demo_run)
    _report(call, demo_run, figures)
    if keep:
        call.note(
            f"left running: selflow --home {root.path} status; end it with: selflow "
            f"--home {root.path} down"
        )
    if not all(station.is_ok for station in demo_run.stations):
        raise typer.Exit(1)


def _travel(root: Root, demo_run: DemoRun, given: sample.Sample) -> Figures:
    plan = stations.start(root, demo_run)
    stations.ingest(root, given, demo_run)
    found = read_ray_session(root)
    if found is None:
        raise StoreError("the session left no note of itself", "see selflow logs")
    with session.connected(root, found):
        stations.learn(plan, given, demo_run)
        stations.serve(plan, demo_run)
    served = stations.ask(root, given, demo_run)
    with demo_run.at("compare") as station:
        figures = compare(given, demo_run.learned, served)
        station.facts = {
            "steps": figures["replayed"]["rrf"]["steps"],
            "judged": figures["judged"]["rrf"]["steps"],
        }
        station.is_ok = True
    return figures


def _report(call: Invocation, demo_run: DemoRun, figures: Figures) -> None:
    shown = [
        (each.name, "ok" if each.is_ok else "FAILED", f"{each.seconds:.1f}", told(each.facts))
        for each in demo_run.stations
    ]
    lines = table(("station", "", "seconds", "what it did"), shown)
    if demo_run.learned:
        lines += _learned_lines(demo_run.learned)
    for name, title in _TITLES.items():
        if name in figures:
            rows = [
                (who, *(row[column] for column in _COLUMNS)) for who, row in figures[name].items()
            ]
            lines += ["", title, *table(("", "steps", "hit@1", "hit@5", "log-loss bits"), rows)]
    lines += _belief_lines(demo_run.beliefs)
    whole = [each for each in demo_run.stations if not each.name.startswith(" ")]
    lines += ["", f"total {sum(each.seconds for each in whole):.0f} s"]
    document = {
        "stations": [each.document() for each in demo_run.stations],
        "learned": demo_run.learned,
        "figures": figures,
        "beliefs": demo_run.beliefs,
    }
    call.show(document, lines)


def _learned_lines(learned: Mapping[str, Any]) -> list[str]:
    """Patterns, trials and verdicts."""
    found = learned["stages"].get("discover", {})
    patterns = [
        (each["name"], each["windows"], each["events"], each["share"], each["agreement"])
        for each in found.get("patterns", [])
    ]
    lines = ["", "patterns", *table(("name", "windows", "events", "share", "agreement"), patterns)]
    if found.get("note"):
        lines.append(found["note"])
    trials = [
        (each["agent"], each["state"], told(each["config"]), each["tune_bits"], each["seconds"])
        for each in learned["trials"]
    ]
    lines += ["", "trials", *table(("agent", "state", "settings", "tune bits", "seconds"), trials)]
    for verdict in learned["verdicts"]:
        lines += ["", f"verdict on {verdict['version_id']}: {verdict['decision']}"]
        lines += [f"  {reason}" for reason in verdict["reasons"]]
        lines.append(
            "  "
            + told(
                {name: v for name, v in verdict["numbers"].items() if isinstance(v, int | float)}
            )
        )
    return lines


def _belief_lines(beliefs: Mapping[str, Any]) -> list[str]:
    rows = [
        (
            when,
            each["arm"],
            each["pulls"],
            each["success"],
            f"{each['low']:.2f} to {each['high']:.2f}",
        )
        for when, arms in beliefs.items()
        for each in arms
    ]
    head = ("when", "arm", "pulls", "success", "95% interval")
    return ["", "the router's beliefs", *table(head, rows)] if rows else []


def told(facts: Mapping[str, Any]) -> str:
    """Numbers with their names, as a line."""
    said = []
    for name, value in facts.items():
        if isinstance(value, Mapping):
            shown = told(value)
        elif isinstance(value, float):
            shown = f"{value:.4g}"
        else:
            shown = (
                size(value)
                if name.endswith("_bytes")
                else f"{value:,}"
                if type(value) is int
                else str(value)
            )
        said.append(f"{name.removesuffix('_bytes').replace('_', ' ')} {shown}")
    return ", ".join(said)

"""The demo's loop, station by station, and what it shows at the end."""

import tempfile

from actors.demo import stations
from actors.demo.comparison import Figures, compare
from actors.demo.lines import complete_lines
from actors.demo.report import report_lines
from actors.demo.sample import Sample, load
from actors.demo.stations import DemoRun
from selflow.core.invocation import Invocation
from selflow.core.paths import Root, find_root


def run_loop(call: Invocation, *, keep: bool, rows: int | None) -> bool:
    """Visit every station and show the figures; whether each station was well.

    Args:
        call: Says how to show.
        keep: Leave SelFlow running.
        rows: Replay only so many of the sample's newest rows.
    """
    root = find_root(tempfile.mkdtemp(prefix="selflow-demo-"), {})
    demo_run = DemoRun(call.note)
    figures: Figures = {}
    try:
        figures = _visit_all(root, demo_run, load(rows))
    finally:
        if not keep:
            stations.end(root, demo_run)
    document = {
        "stations": [station.document() for station in demo_run.stations],
        "learned": demo_run.learned,
        "figures": figures,
        "beliefs": demo_run.beliefs,
        "lines": demo_run.lines,
    }
    call.show(document, report_lines(demo_run, figures))
    selflow = f"selflow --home {root.path}"
    call.note(
        f"left running; see its data in the console: {selflow} ui; end it with: {selflow} down"
        if keep
        else "to see such data in the console: selflow demo --keep, then the command that it names"
    )
    return all(station.is_ok for station in demo_run.stations)


def _visit_all(root: Root, demo_run: DemoRun, sample: Sample) -> Figures:
    stations.start(root, demo_run)
    stations.ingest(root, sample, demo_run)
    stations.learn(root, demo_run)
    stations.serve(root, demo_run)
    answers = stations.ask(root, sample, demo_run)
    demo_run.lines = complete_lines(root, demo_run)
    with demo_run.at("compare") as station:
        figures = compare(sample, demo_run.learned, answers)
        station.facts = {
            "steps": figures["replayed"]["pool"]["steps"],
            "judged": figures["judged"]["rrf"]["steps"],
        }
        station.is_ok = station.facts["steps"] == len(sample.seen)
    return figures

"""What a person reads after a demo: stations, patterns, trials, verdicts and the tables of
figures.
"""

from collections.abc import Mapping
from typing import Any

from actors.demo.comparison import Figures
from actors.demo.stations import DemoRun
from selflow.core.invocation import size, table

SAMPLE_NOTE = (
    "The sample is development data: SelFlow's parameters were chosen on the history of this "
    "project. Its figures show what the product does; they are no test of how well it predicts."
)
_TITLES = {
    "replayed": "all replayed commits, each predicted before it was learned",
    "judged": "the gate part: commits that no base, pattern or agent has seen",
    "asked": "later commits, asked of the pool over HTTP; the rules on the same commits",
    "routed": "later commits, asked through the router over HTTP; the rules on the same commits",
}
_LINE_COLUMNS = {
    "lines": "lines",
    "hit@1": "hit@1",
    "hit@5": "hit@5",
    "keys_saved": "keys saved",
    "precision_shown": "precision",
    "bits_per_line": "bits a line",
}
_COLUMNS = {
    "steps": "steps",
    "hit@1": "hit@1",
    "hit@5": "hit@5",
    "log_loss_bits": "log-loss bits",
}


def report_lines(demo_run: DemoRun, figures: Figures) -> list[str]:
    """The whole report."""
    stations = demo_run.stations
    rows = [
        (
            station.name,
            "ok" if station.is_ok else "FAILED",
            f"{station.duration_s:.1f}",
            format_facts(station.facts),
        )
        for station in stations
    ]
    lines = table(("station", "", "seconds", "what it did"), rows)
    if demo_run.learned:
        lines += _learned_lines(demo_run.learned)
    for part, title in _TITLES.items():
        if part in figures:
            lines += ["", title, *_figure_lines(figures[part])]
    if figures:
        lines += ["", SAMPLE_NOTE]
    if demo_run.lines:
        title = "one person's shell lines, each completed before it was learned; a person and an"
        lines += ["", f"{title} exercise that the byte model never saw"]
        lines += _figure_lines(demo_run.lines, _LINE_COLUMNS)
    lines += _belief_lines(demo_run.beliefs)
    total_s = sum(station.duration_s for station in stations if not station.is_stage)
    return [*lines, "", f"total {total_s:.0f} s"]


def format_facts(facts: Mapping[str, Any]) -> str:
    """Figures with their names, as one line."""
    shown = []
    for name, value in facts.items():
        if isinstance(value, Mapping):
            text = format_facts(value)
        elif isinstance(value, float):
            text = f"{value:.4g}"
        elif name.endswith("_bytes"):
            text = size(value)
        else:
            text = f"{value:,}" if type(value) is int else str(value)
        shown.append(f"{name.removesuffix('_bytes').replace('_', ' ')} {text}")
    return ", ".join(shown)


def _figure_lines(
    figures: Mapping[str, Mapping[str, Any]], titles: Mapping[str, str] = _COLUMNS
) -> list[str]:
    """One row per predictor, with the columns that all of them have."""
    columns = [name for name in titles if all(name in row for row in figures.values())]
    rows = [(who, *(row[name] for name in columns)) for who, row in figures.items()]
    return table(("", *(titles[name] for name in columns)), rows)


def _learned_lines(learned: Mapping[str, Any]) -> list[str]:
    """Patterns, trials and verdicts."""
    discovered = learned["stages"].get("discover", {})
    patterns = [
        (
            pattern["name"],
            pattern["windows"],
            pattern["events"],
            pattern["share"],
            pattern["agreement"],
            pattern["reason"] or "may have an agent",
        )
        for pattern in discovered.get("patterns", [])
    ]
    columns = ("name", "windows", "events", "share", "agreement", "agent")
    lines = ["", "patterns", *table(columns, patterns)]
    if discovered.get("note"):
        lines.append(discovered["note"])
    trials = [
        (
            trial["agent"],
            trial["state"],
            format_facts(trial["config"]),
            trial["tune_bits"],
            trial["seconds"],
        )
        for trial in learned["trials"]
    ]
    lines += ["", "trials", *table(("agent", "state", "settings", "tune bits", "seconds"), trials)]
    for verdict in learned["verdicts"]:
        lines += ["", f"verdict on {verdict['version_id']}: {verdict['decision']}"]
        lines += [f"  {reason}" for reason in verdict["reasons"]]
        numbers = {n: v for n, v in verdict["numbers"].items() if isinstance(v, int | float)}
        lines.append(f"  {format_facts(numbers)}")
    return lines


def _belief_lines(beliefs: Mapping[str, Any]) -> list[str]:
    rows = [
        (
            when,
            belief["arm"],
            belief["pulls"],
            belief["success"],
            f"{belief['low']:.2f} to {belief['high']:.2f}",
        )
        for when, arms in beliefs.items()
        for belief in arms
    ]
    head = ("when", "arm", "pulls", "success", "95% interval")
    return ["", "the router's beliefs", *table(head, rows)] if rows else []

"""What tasks take, which is started next and whether it is completed within 14 days, beside simple
rules.

Tasks in time order, nothing of one used before it was known. Constants were chosen on the first
half of sip_tasks; it is judged on the second half, after everything before was learned. All of
agile_story_points is judged, with no constant of its own. Ends with 1 if a model misses a target
that the tables name.
"""

import csv
import gzip
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from bench._measure import MISSED
from bench._streams import require, stream_file
from selflow.plan.evaluate import grade_completion, grade_durations, grade_starts
from selflow.plan.grades import Figures, chance_figures, duration_figures, next_figures
from selflow.plan.table import TaskColumns, Unusable, task_from
from selflow.plan.task import Task, distinct

SIP, AGILE = "sip_tasks.csv.gz", "agile_story_points.csv.gz"
DAYS = ("dates_EstimateOn", "dates_StartedOn", "dates_CompletedOn")
SIP_COLUMNS = TaskColumns(
    time="dates_EstimateOn",
    id="TaskNumber",
    estimate="HoursEstimate",
    actual="HoursActual",
    tags=("Category", "SubCategory", "ProjectCode", "DeveloperID"),
    priority="Priority",
    created="dates_EstimateOn",
    started="dates_StartedOn",
    completed="dates_CompletedOn",
)
AGILE_COLUMNS = TaskColumns("Sprint", None, "Story.Points", "Time.Spent", ("Project",))
TARGETS = {
    "sip_tasks, mae_log2": (0.904, "below"),
    "sip_tasks, within2": (0.798, "above"),
    "sip_tasks, brier": (0.156, "below"),
    "sip_tasks, auc": (0.81, "above"),
    "sip_tasks, ece": (0.03, "below"),
    "sip_tasks, mean_percentile": (0.705, "above"),
    "sip_tasks, precision_at_k": (0.602, "above"),
}


def tasks_of(name: str, columns: TaskColumns) -> list[Task]:
    """The rows that have a time."""
    return distinct(_rows(name, columns))


def _rows(name: str, columns: TaskColumns) -> Iterator[Task]:
    with gzip.open(stream_file(name), "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row[columns.time] not in {"", "NA"}:
                yield task_from(row, columns, Unusable())


def show(title: str, by_name: Mapping[str, Figures]) -> None:
    """Print one table."""
    names = list(next(iter(by_name.values())))
    print(f"\n| {title} | {' | '.join(names)} |")
    print("|---" * (len(names) + 1) + "|")
    for rule, figures in by_name.items():
        cells = (
            "-" if x is None else f"{x:,}" if isinstance(x, int) else f"{x:.3f}"
            for x in figures.values()
        )
        print(f"| {rule} | {' | '.join(cells)} |")


def since(grades: Mapping[str, Sequence[Any]], ts_us: int) -> dict[str, list[Any]]:
    """What was judged from a moment on."""
    return {name: [g for g in of_name if g.ts_us >= ts_us] for name, of_name in grades.items()}


def main() -> int:
    """Print the tables; the exit status says whether every target was met."""
    require([SIP, AGILE])
    began_s = time.process_time()
    tasks = tasks_of(SIP, SIP_COLUMNS)
    half_us = tasks[len(tasks) // 2].ts_us
    durations = grade_durations(tasks)
    spent_s = time.process_time() - began_s
    print(f"sip_tasks: {len(tasks):,} tasks, durations took {spent_s:.0f} s of CPU.")
    judged = {n: duration_figures(g) for n, g in since(durations, half_us).items()}
    show("sip_tasks, durations, second half", judged)
    own = tasks_of(SIP, replace(SIP_COLUMNS, user="DeveloperID"))
    starts = {n: next_figures(g) for n, g in since(grade_starts(own), half_us).items()}
    show("sip_tasks, started next, by developer, second half", starts)
    chances = {n: chance_figures(g) for n, g in since(grade_completion(tasks), half_us).items()}
    show("sip_tasks, completed within 14 days, second half", chances)
    agile = grade_durations(tasks_of(AGILE, AGILE_COLUMNS))
    show("agile_story_points, durations", {n: duration_figures(g) for n, g in agile.items()})
    found = {**judged["model"], **starts["model"], **chances["model"]}
    return _against_targets(found)


def _against_targets(found: Figures) -> int:
    print("\n| target | bound | model | met |\n|---|---|---|---|")
    missed = 0
    for name, (bound, side) in TARGETS.items():
        figure = found[name.rpartition(", ")[2]] or 0.0
        is_met = figure < bound if side == "below" else figure > bound
        missed += not is_met
        print(f"| {name} | {side} {bound} | {figure:.3f} | {'yes' if is_met else 'no'} |")
    return MISSED if missed else 0


if __name__ == "__main__":
    sys.exit(main())

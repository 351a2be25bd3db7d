"""Runs and trials as the command line and the console show them: the same documents for both.

No SQLAlchemy may be imported here, not even indirectly.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from selflow.core.clock import parse_ts_us
from selflow.core.events import Json
from selflow.store.reading import CatalogReader
from selflow.store.records import Cycle, Trial
from selflow.store.row import document
from selflow.store.row_listing import newest_page
from selflow.store.run_records import Run, is_lost

_SEARCHES = ("grow:", "adapt:")
_SHOWN = (
    "step",
    "steps",
    "tokens_per_s",
    "memory_bytes",
    "losses",
    "checks",
    "eta_s",
    "started_at",
)
_SUMMED = (
    "id",
    "cycle_id",
    "stage",
    "agent",
    "config",
    "started_at",
    "finished_at",
    "step",
    "steps",
    "error",
)
_Point = tuple[int, float]


def runs(reader: CatalogReader, cycle_id: str | None = None) -> list[Run]:
    """Runs of all cycles or of one, in the order in which they began; who works no more is lost."""
    wanted = {} if cycle_id is None else {"cycle_id": cycle_id}
    every_run = reader.learned(Run, **wanted)
    if not any(run.state == "running" for run in every_run):
        return every_run
    open_ids = {cycle.id for cycle in reader.learned(Cycle) if cycle.finished_at_us is None}
    return [
        replace(run, state="lost") if is_lost(run, is_cycle_open=run.cycle_id in open_ids) else run
        for run in every_run
    ]


def run_item(run: Run) -> dict[str, Any]:
    """A run as JSON."""
    values = document(run)
    return {**{name: values[name] for name in values if name != "host"}, "eta_s": run.eta_s}


def past_runs(reader: CatalogReader, limit: int, cursor: str | None = None) -> dict[str, Any]:
    """Runs of all cycles, newest first, without their curves: what each came to.

    Raises:
        UsageError: It is not a cursor of ours.
    """
    page = newest_page(reader, Run, limit, cursor)
    working = {item["cycle_id"] for item in page["items"] if item["state"] == "running"}
    states = {run.id: run.state for cycle_id in working for run in runs(reader, cycle_id)}
    items = [_summary(item, states.get(item["id"], item["state"])) for item in page["items"]]
    return {**page, "items": items}


def _summary(run: Mapping[str, Any], state: str) -> dict[str, Any]:
    """Best and last loss: on the tune part, of a run that has none there in training."""
    curve = [loss for _, loss in run["checks"] or run["losses"]]
    end_us = parse_ts_us(run["finished_at"] or run["updated_at"])
    return {
        **{name: run[name] for name in _SUMMED},
        "state": state,
        "seconds": (end_us - parse_ts_us(run["started_at"])) / 1e6,
        "measure": ("tune" if run["checks"] else "training") if curve else None,
        "best_bits": min(curve, default=None),
        "last_bits": curve[-1] if curve else None,
    }


def trial_items(
    reader: CatalogReader, cycle_id: str | None = None, agent: str | None = None
) -> list[dict[str, Any]]:
    """The trials of searches with their curves; those of a search that has not ended come last, as
    their runs tell of them.
    """
    given = {"cycle_id": cycle_id, "agent": agent}
    wanted = {name: value for name, value in given.items() if value is not None}
    own: dict[tuple[str, str, str], list[Run]] = {}
    for run in runs(reader, cycle_id):
        is_wanted = agent is None or run.agent == agent
        if is_wanted and run.stage.startswith(_SEARCHES):
            own.setdefault(_key(run.cycle_id, run.agent, run.config), []).append(run)
    items = []
    for trial in reader.learned(Trial, **wanted):
        of_trial = own.pop(_key(trial.cycle_id, trial.agent, trial.config), [])
        items.append({**document(trial), **_curves(of_trial)})
    return items + [_untold(of_trial) for of_trial in own.values()]


def _key(cycle_id: str, agent: str, config: Mapping[str, Json]) -> tuple[str, str, str]:
    return cycle_id, agent, repr(sorted(config.items()))


def _untold(of_trial: Sequence[Run]) -> dict[str, Any]:
    """A trial whose search has not told of it yet."""
    newest, curves = of_trial[-1], _curves(of_trial)
    bits = [loss for _, loss in curves["checks"]]
    return {
        "id": newest.id,
        "cycle_id": newest.cycle_id,
        "agent": newest.agent,
        "config": newest.config,
        "state": newest.state,
        "tune_bits": min(bits, default=None),
        "seconds": sum((run.updated_at_us - run.started_at_us) / 1e6 for run in of_trial),
        "error": newest.error,
        **curves,
    }


def _curves(of_trial: Sequence[Run]) -> dict[str, Any]:
    """How far a trial is by its newest run, with the curves of all. A run that began again behind
    the end of the one before replaces what that had from there on.
    """
    if not of_trial:
        nothing: dict[str, Any] = dict.fromkeys(_SHOWN)
        return {**nothing, "losses": [], "checks": []}
    losses: list[_Point] = []
    checks: list[_Point] = []
    for run in of_trial:
        first = min((point[0] for point in (*run.losses, *run.checks)), default=run.step + 1)
        losses = [point for point in losses if point[0] < first] + list(run.losses)
        checks = [point for point in checks if point[0] < first] + list(run.checks)
    newest = run_item(of_trial[-1])
    return {**{name: newest[name] for name in _SHOWN}, "losses": losses, "checks": checks}

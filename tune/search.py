"""The search for an agent's settings: all to an eighth of the budget, the best two to the end; or
ASHA.
"""

import logging
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import optuna
import ray
from ray import tune as ray_tune
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search.optuna import OptunaSearch
from ray.util.placement_group import placement_group

from selflow.core.clock import SystemClock
from selflow.core.errors import ArtifactError
from tune.leftovers import release_leftovers, slot_name
from tune.trial import EIGHTHS, KNOBS, LoraTrial, SearchJob, Track

__all__ = ["SearchJob", "SearchResult", "TrialReport", "search"]

_FINALISTS = 2
"""Trials that ``keep_two`` brings to the end."""
_STARTUP_TRIALS = 4
"""Trials before TPE models anything; its own default, 10, is more than a whole search of ours."""
_TUNES_OWN = "tune"
"""The folder of Tune's own bookkeeping. It begins anew with each life: what lasts is in the tracks.
"""
_CLOCK = SystemClock()
_Values = dict[str, Any]
_Trial = Any
"""Ray's ``Trial``, much of which is None to a type checker."""


@dataclass(frozen=True)
class TrialReport:
    """How one configuration did: its lowest log-loss on the tune targets, and that after the first
    eighth.

    ``state``: ``finished``; ``rung``, compared and left there; ``stopped``, the time was over; or
    ``failed``.
    """

    config: Mapping[str, Any]
    state: str
    tune_bits: float | None
    rung_bits: float | None
    seconds: float
    error: str

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True)
class SearchResult:
    """The best adapter of all that were saved, eighth by eighth, its configuration, and all that
    were tried.
    """

    config: Mapping[str, Any]
    tune_bits: float
    folder: Path
    trials: tuple[TrialReport, ...]


def search(job: SearchJob, on_trial: Callable[[TrialReport], None]) -> SearchResult:
    """Try ``tune.num_samples`` configurations. The same job in the same folder goes on where it was
    killed.

    It blocks: call it in a Ray task with ``num_cpus=0``, else trials wait for the cores that the
    task holds; one at a time in a session. ``on_trial`` hears of each trial that ends, twice of one
    that goes on after the rung. A trial in the middle of a step can add 10 s to
    ``tune.time_budget_s``.

    Raises:
        ArtifactError: No trial got as far as an adapter.

    Cost: 2.75 whole runs for 8 samples, and two loads of the base; with nothing to train 5 s for 6
    samples. Source: one-epoch-then-top-K, arXiv 2307.15422.
    """
    os.environ.update(
        RAY_AIR_NEW_OUTPUT="0",
        TUNE_DISABLE_AUTO_CALLBACK_LOGGERS="1",
        TUNE_PRINT_ALL_TRIAL_ERRORS="0",
    )
    # A trial's end is a report, not a line
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    release_leftovers()
    watch, start_s = _Watch(job, on_trial), _CLOCK.monotonic_s()
    points, space = search_space(job)
    sampler = optuna.samplers.TPESampler(seed=job.seed, n_startup_trials=_STARTUP_TRIALS)
    config: _Values = {"num_samples": job.tune.num_samples, "time_budget_s": job.tune.time_budget_s}
    config["search_alg"] = OptunaSearch(points_to_evaluate=points, sampler=sampler)
    if job.tune.scheduler == "asha":
        config["scheduler"] = ASHAScheduler(max_t=EIGHTHS, grace_period=1, reduction_factor=4)
        return _conclude(job, watch, _fit(job, watch, space, config))
    trials = _fit(job, watch, space, config, stop={"training_iteration": 1})
    left_s = start_s + job.tune.time_budget_s - _CLOCK.monotonic_s()
    reports = [watch.report(trial) for trial in trials]
    compared = [report for report in reports if report.state == "rung"]
    finalists = sorted(compared, key=_at_the_rung)[:_FINALISTS]
    if finalists and left_s > 0:
        final = {"finalist": ray_tune.grid_search([dict(report.config) for report in finalists])}
        trials += _fit(job, watch, final, {"time_budget_s": left_s})
    return _conclude(job, watch, trials)


def _at_the_rung(report: TrialReport) -> tuple[float, list[Any]]:
    return report.rung_bits or 0.0, sorted(report.config.items())


def search_space(job: SearchJob) -> tuple[list[_Values], _Values]:
    """The configurations to try first, each once, and the space; it holds them whatever the owner
    set.
    """
    points = [_point(job, point) for point in (*job.warm, job.lora.model_dump())]
    rates, ranks = ({point[index] for point in points} for index in range(len(KNOBS)))
    lowest, highest = job.rates
    return [dict(zip(job.knobs, point, strict=True)) for point in dict.fromkeys(points)], {
        "learning_rate": ray_tune.loguniform(min(lowest, *rates), max(highest, *rates)),
        "rank": ray_tune.choice(sorted({4, 8, 16, *ranks})),
        **{knob: ray_tune.choice(list(values)) for knob, values in job.choices.items()},
    }


def _point(job: SearchJob, config: Mapping[str, Any]) -> tuple[Any, ...]:
    """A configuration to try first; a choice that it lacks, or that is none any more, is the first
    one.
    """
    chosen = {knob: config.get(knob) for knob in job.choices}
    return (
        *(config[knob] for knob in KNOBS),
        *(
            value if value in job.choices[knob] else job.choices[knob][0]
            for knob, value in chosen.items()
        ),
    )


def _fit(
    job: SearchJob, watch: "_Watch", space: _Values, config: _Values, stop: _Values | None = None
) -> list[_Trial]:
    # Ray would round up, and one too few would fit
    share = 10_000 // job.tune.max_concurrent / 10_000
    slot = _Slot(
        [
            {
                "CPU": job.tune.trial_cpus,
                "train_slot": share * job.has_resources,
                "GPU": job.gpu_share,
            }
        ]
    )
    trainable = ray_tune.with_resources(
        type(f"LoraTrial_{job.key}", (LoraTrial,), {"job": job}), slot
    )
    config |= {
        "metric": "tune_bits",
        "mode": "min",
        "reuse_actors": True,
        "trial_dirname_creator": str,
    }
    tune_config = ray_tune.TuneConfig(max_concurrent_trials=job.tune.max_concurrent, **config)
    run_config = ray_tune.RunConfig(
        name=_TUNES_OWN,
        storage_path=str(job.folder),
        stop=stop,
        verbose=0,
        callbacks=[watch],
        failure_config=ray_tune.FailureConfig(max_failures=1),
    )
    shutil.rmtree(job.folder / _TUNES_OWN, ignore_errors=True)
    ray_tune.Tuner(
        trainable, param_space=space, tune_config=tune_config, run_config=run_config
    ).fit()
    return watch.trials


class _Slot(ray_tune.PlacementGroupFactory):
    """What a trial needs, under a name by which it can be given back."""

    def to_placement_group(self) -> Any:  # noqa: ANN401  (Ray's PlacementGroup)
        return placement_group(self.bundles, self.strategy, name=slot_name())


class _Watch(ray_tune.Callback):
    """Ends trials that say nothing for too long, and passes on how each trial ended."""

    def __init__(self, job: SearchJob, on_trial: Callable[[TrialReport], None]) -> None:
        self._job, self._on_trial = job, on_trial
        self._heard: dict[str, tuple[Any, float]] = {}
        self.trials: list[_Trial] = []

    def __reduce__(self) -> tuple[Any, ...]:
        """Tune writes its callbacks down and is never restored from that; who listens need not be
        picklable.
        """
        return ray_tune.Callback, ()

    def on_step_end(self, iteration: int, trials: list[_Trial], **_: object) -> None:  # noqa: ARG002
        """Look at every trial; Tune does this about ten times a second."""
        now_s, limit_s = _CLOCK.monotonic_s(), self._job.tune.step_limit_s
        for trial in trials:
            mark = (trial.status, trial.run_metadata.last_result_time)
            before, since_s = self._heard.get(trial.trial_id, (None, now_s))
            if mark != before:
                self._heard[trial.trial_id] = mark, now_s
                if trial.is_finished():
                    self._on_trial(self.report(trial))
            elif trial.status == "RUNNING" and now_s - since_s > limit_s:
                # It gets no second chance, and this tells its end from others.
                trial.max_failures = 0
                ray.kill(trial.temporary_state.ray_actor)

    def on_experiment_end(self, trials: list[_Trial], **_: object) -> None:
        """Every trial has ended."""
        self.on_step_end(0, trials)
        self.trials = list(trials)

    def report(self, trial: _Trial) -> TrialReport:
        """What is known of a trial: its track, and what Tune saw of its end."""
        track, last = _track(self._job, trial), trial.last_result or {}
        past = track.read()
        error = past.failure
        if trial.status == "ERROR":
            cause = trial.get_pickled_error()  # its words could quote what the trial worked on
            named = f"failed for good ({type(getattr(cause, 'cause', cause)).__name__})"
            error = (
                named
                if trial.max_failures
                else f"reported nothing for {self._job.tune.step_limit_s:g} s"
            )
        left = "rung" if last.get("done") else "stopped"
        return TrialReport(
            config=track.config,
            state="failed" if error else "finished" if last.get("fraction") == 1 else left,
            tune_bits=min(past.bits, default=None),
            rung_bits=past.bits[0] if past.bits else None,
            seconds=past.seconds,
            error=error,
        )


def _track(job: SearchJob, trial: _Trial) -> Track:
    return Track(job, trial.config.get("finalist", trial.config))


def _conclude(job: SearchJob, watch: _Watch, trials: list[_Trial]) -> SearchResult:
    tracks = {
        _track(job, trial).folder: (_track(job, trial), watch.report(trial)) for trial in trials
    }
    reports = tuple(report for _, report in tracks.values())
    saved = [
        (min(past.bits), track, past.best)
        for track, _ in tracks.values()
        if (past := track.read()).bits
    ]
    if not saved:
        errors = [report.error for report in reports if report.error]
        why = (
            f"{len(errors)} of {len(reports)} trials failed, the last: {errors[-1]}"
            if errors
            else "the time was over"
        )
        raise ArtifactError(
            f"no adapter for {job.agent}: {why}",
            "look at tune.time_budget_s and at the trials' log",
        )
    bits, track, best = min(saved, key=lambda candidate: candidate[0])
    return SearchResult(track.config, bits, track.adapter(best), reports)

"""One trial of Ray Tune: a training run that advances by eighths of its budget."""

import json
import math
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

import psutil
from ray import tune as ray_tune

from selflow.core.clock import SystemClock
from selflow.core.errors import SelFlowError
from selflow.core.paths import private_folder, write_private
from selflow.core.settings import LoraSettings, TuneSettings
from selflow.core.training_steps import OnStep, StepReport
from selflow.store.run_recorder import RunPlace, RunRecorder
from selflow.store.run_records import RunState

EIGHTHS = 8
"""Steps of a whole run; after the first one trials are compared."""
KNOBS = ("learning_rate", "rank")
"""What every search is about; alpha keeps its ratio to the rank."""
_PROGRESS = "progress.json"
_CLOCK = SystemClock()


class TrainingRun(Protocol):
    """What is tuned. ``advance`` answers with ``tune_bits``, the log-loss on the tune targets in
    bits per step.
    """

    def advance(
        self, to_fraction: float, should_stop: Callable[[], bool], on_step: OnStep
    ) -> Any: ...  # noqa: ANN401
    def save(self, folder: Path) -> None: ...
    def load(self, folder: Path) -> None: ...
    def export(self, folder: Path) -> None: ...
    def reset(self, config: Mapping[str, Any], seed: int) -> None: ...


def lora_run(
    base: Path,
    data: Path,
    lora: LoraSettings,
    config: Mapping[str, Any],
    seed: int,
    device: Literal["auto", "cpu", "cuda"],
) -> TrainingRun:
    """A LoRA run on the data in a file. Torch is loaded here and nowhere earlier."""
    from selflow.lm.base import device_of
    from selflow.lm.data import AgentData
    from selflow.lm.lora import LoraRun

    return LoraRun(base, AgentData.load(data), lora, config, seed, device_of(device))


@dataclass(frozen=True)
class SearchJob:
    """What a search works on: plain values and paths, so that it crosses processes and outlives a
    session.
    """

    agent: str
    base: Path
    data: Path
    out: Path
    """Everything that the search writes lies below it."""
    lora: LoraSettings
    tune: TuneSettings
    warm: tuple[Mapping[str, Any], ...]
    """Configurations to try first."""
    seed: int
    device: Literal["auto", "cpu", "cuda"]
    has_resources: bool
    """Whether the session has ``train_slot``."""
    gpu_share: float
    """Of a GPU, for each trial; 0 asks for none."""
    make_run: Callable[..., TrainingRun] = field(default=lora_run, repr=False)
    """A function of a module: (base, data, lora, config, seed, device) to a run."""
    rates: tuple[float, float] = (1e-4, 3e-3)
    """Between which the learning rate is searched."""
    choices: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    """What is searched besides ``KNOBS``, by name; the first value is tried first."""

    progress: RunPlace | None = field(default=None, repr=False)
    """Where trials write how far they are; None where nobody looks."""

    @property
    def knobs(self) -> tuple[str, ...]:
        """What a configuration consists of."""
        return (*KNOBS, *self.choices)

    @property
    def key(self) -> str:
        """Another job has another key, so that neither finds what the other has done."""
        return sha256(repr(self).encode()).hexdigest()[:12]

    @property
    def folder(self) -> Path:
        """The tracks of this job."""
        return self.out / self.key


@dataclass(frozen=True)
class Progress:
    """What one configuration has behind it: ``bits`` after each eighth, in ``seconds`` of work, and
    why it failed.
    """

    bits: tuple[float, ...] = ()
    seconds: float = 0.0
    failure: str = ""

    @property
    def best(self) -> int:
        """The eighth with the lowest loss, counted from 1; 0 if there is none."""
        return 1 + min(range(len(self.bits)), key=self.bits.__getitem__) if self.bits else 0


class Track:
    """The folder in which one configuration keeps its progress: its last state and its best
    adapter.

    What ``progress.json`` names is whole, whenever the process is killed: it is written last.
    Tune's own bookkeeping is several files that a kill can tear apart, and its restored searches do
    not survive that (decision 0015).
    """

    def __init__(self, job: SearchJob, config: Mapping[str, Any]) -> None:
        self.config = {knob: config[knob] for knob in job.knobs}
        self.folder = (
            job.folder / sha256(json.dumps(self.config, sort_keys=True).encode()).hexdigest()[:12]
        )

    def read(self) -> Progress:
        """How far it has come."""
        try:
            document = json.loads((self.folder / _PROGRESS).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return Progress()
        return Progress(tuple(document["bits"]), document["seconds"], document["failure"])

    def add(self, run: TrainingRun, progress: Progress) -> None:
        """Keep one more eighth, and drop what it replaces."""
        last, best = len(progress.bits), progress.best
        self._keep(self.state(last), run.save)
        if best == last:
            self._keep(self.adapter(last), run.export)
        self.note(progress)
        for path in self.folder.iterdir():
            if path.is_dir() and path not in {self.state(last), self.adapter(best)}:
                shutil.rmtree(path, ignore_errors=True)

    def note(self, progress: Progress) -> None:
        """Keep that it failed, or what ``add`` has saved."""
        private_folder(self.folder)
        write_private(
            self.folder / _PROGRESS, json.dumps({**asdict(progress), "config": self.config})
        )

    def state(self, eighth: int) -> Path:
        """All that a run needs to go on after this eighth."""
        return self.folder / f"state-{eighth}"

    def adapter(self, eighth: int) -> Path:
        """The adapter as it would be served."""
        return self.folder / f"adapter-{eighth}"

    def _keep(self, path: Path, write: Callable[[Path], None]) -> None:
        if not path.exists():  # else from a life that was killed before it noted it: the same bytes
            staged = Path(tempfile.mkdtemp(dir=private_folder(self.folder)))
            write(staged / path.name)
            (staged / path.name).rename(path)


class LoraTrial(ray_tune.Trainable):
    """Trains one eighth per step. The base is loaded once per process, the adapter is fresh per
    trial.

    An eighth that its track knows is told and not trained again: so a trial goes on after the rung,
    after a crash and in another life of the search. All that may take long happens in ``step``:
    there the search's watch sees a hang. A fault that the run itself names (divergence, say) ends
    the trial with those words; anything else is tried once more, unless it strikes between two
    trials of one process.
    """

    job: ClassVar[SearchJob]

    def setup(self, config: dict[str, Any]) -> None:
        """Step back behind everything else. Ray has set OMP_NUM_THREADS to the trial's cores
        already.
        """
        psutil.Process().nice(19)
        self._run: TrainingRun | None = None
        self._recorder: RunRecorder | None = None
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Another trial takes over this process."""
        self._end_run("rung")
        self._track, self._is_ready = Track(self.job, new_config.get("finalist", new_config)), False
        return True

    def step(self) -> dict[str, Any]:
        """Train one eighth more, unless that was done before."""
        eighth, past = self.iteration + 1, self._track.read()
        if len(past.bits) < eighth and not past.failure:
            past = self._train(past)
        has_failed = len(past.bits) < eighth
        return {
            "tune_bits": math.inf
            if has_failed
            else past.bits[eighth - 1],  # NaN would stay in the sampler for ever
            "fraction": eighth / EIGHTHS,
            "done": eighth == EIGHTHS or has_failed,
        }

    def cleanup(self) -> None:
        """No more steps are asked for."""
        self._end_run("rung")

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Nothing: the track has it."""

    def _train(self, past: Progress) -> Progress:
        began_s, bits = _CLOCK.monotonic_s(), past.bits
        try:
            run = self._ready(len(bits))
            to_fraction = (len(bits) + 1) / EIGHTHS
            reached = float(run.advance(to_fraction, lambda: False, self._on_step).tune_bits)
            failure = "" if math.isfinite(reached) else f"its tune loss is {reached} bits"
        except SelFlowError as error:
            failure = str(error)
        seconds = past.seconds + _CLOCK.monotonic_s() - began_s
        if failure:
            past = Progress(bits, seconds, failure)
            self._track.note(past)
            self._end_run("failed", failure)
        else:
            past = Progress((*bits, reached), seconds)
            self._track.add(run, past)
            if self._recorder is not None:
                self._recorder.check(reached)
            if len(past.bits) == EIGHTHS:
                self._end_run("finished")
        return past

    def _on_step(self, report: StepReport) -> None:
        """The first step of a trial in this process begins its row."""
        if self._recorder is None and self.job.progress is not None:
            self._recorder = self.job.progress.begin(self._track.config, _CLOCK)
        if self._recorder is not None:
            self._recorder.step(report)

    def _end_run(self, state: RunState, error: str = "") -> None:
        if self._recorder is not None:
            self._recorder.end(state, error)
        self._recorder = None

    def _ready(self, eighths: int) -> TrainingRun:
        if self._run is None or not self._is_ready:
            job, config = self.job, self._track.config
            if self._run is None:
                self._run = job.make_run(job.base, job.data, job.lora, config, job.seed, job.device)
            else:
                self._run.reset(config, job.seed)
            if eighths:
                self._run.load(self._track.state(eighths))
            self._is_ready = True
        return self._run

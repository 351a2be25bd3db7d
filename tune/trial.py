"""One trial of Ray Tune: a training run that advances by eighths of its budget."""

import math
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

import psutil
from ray import tune as ray_tune

from selflow.core.errors import SelFlowError
from selflow.core.settings import LoraSettings, TuneSettings

EIGHTHS = 8
"""Steps of a whole run; after the first one trials are compared."""
KNOBS = ("learning_rate", "rank")
"""What is searched; alpha keeps its ratio to the rank."""


class TrainingRun(Protocol):
    """What is tuned. ``advance`` answers with ``tune_bits``, the log-loss on the tune targets in bits per step."""

    def advance(self, to_fraction: float, should_stop: Callable[[], bool]) -> Any: ...  # noqa: ANN401
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
    from selflow.lm.lora import AgentData, LoraRun

    return LoraRun(base, AgentData.load(data), lora, config, seed, device_of(device))


@dataclass(frozen=True)
class SearchJob:
    """What a search works on: plain values and paths, so that it crosses processes and outlives a session."""

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


class LoraTrial(ray_tune.Trainable):
    """Trains one eighth per step. The base is loaded once per process, the adapter is fresh per trial.

    All that may take long happens in ``step``, ``save`` and ``restore``: there the search's watch sees a hang. A fault
    that the run itself names (divergence, say) ends the trial with those words; anything else is tried once more.
    """

    job: ClassVar[SearchJob]

    def setup(self, config: dict[str, Any]) -> None:
        """Step back behind everything else. Ray has set OMP_NUM_THREADS to the trial's cores already."""
        psutil.Process().nice(19)
        tempfile.tempdir = str(self.job.out)  # Ray stages checkpoints there: an adapter never leaves the state root
        self._run: TrainingRun | None = None
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Another trial takes over this process."""
        self._config, self._is_ready, self._failure = new_config.get("kept", new_config), False, ""
        return True

    def step(self) -> dict[str, Any]:
        """Train one eighth more; a trial that was kept at the rung has the first one behind it."""
        eighths, bits = self.iteration + 1 + ("resume_from" in self._config), math.inf
        try:
            bits = float(self._ready().advance(eighths / EIGHTHS, lambda: False).tune_bits)
            self._failure = "" if math.isfinite(bits) else f"its tune loss is {bits} bits"
        except SelFlowError as error:
            self._failure = str(error)
        is_over = eighths == EIGHTHS or bool(self._failure)
        bits = math.inf if self._failure else bits  # NaN would stay in the sampler as a trial without an end
        return {"tune_bits": bits, "fraction": eighths / EIGHTHS, "failure": self._failure, "done": is_over}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """The run's whole state, and beside it the adapter as it would be served."""
        if self._run is not None and not self._failure:
            self._run.save(Path(checkpoint_dir, "state"))
            self._run.export(Path(checkpoint_dir, "adapter"))

    def load_checkpoint(self, checkpoint: Any) -> None:  # noqa: ANN401  (a folder; Ray allows other things)
        """Go on after a crash."""
        self._ready().load(Path(checkpoint, "state"))

    def _ready(self) -> TrainingRun:
        if self._run is None or not self._is_ready:
            job, config = self.job, {knob: self._config[knob] for knob in KNOBS}
            if self._run is None:
                self._run = job.make_run(job.base, job.data, job.lora, config, job.seed, job.device)
            else:
                self._run.reset(config, job.seed)
            if "resume_from" in self._config:
                self._run.load(Path(self._config["resume_from"], "state"))
            self._is_ready = True
        return self._run

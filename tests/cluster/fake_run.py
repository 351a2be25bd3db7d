"""A training run without torch: its tune loss is a parabola over the logarithm of the learning
rate.
"""

import json
import math
import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from selflow.core.clock import SystemClock
from selflow.core.errors import ArtifactError
from selflow.core.settings import LoraSettings
from selflow.core.training_steps import OnStep, StepReport

BEST_RATE = 1e-3


@dataclass(frozen=True)
class FakeAdvance:
    tune_bits: float
    train_loss_bits: float
    fraction: float


class FakeRun:
    """What goes wrong at which rank stands in the data file; what it did is written beside it, a
    line each.
    """

    def __init__(
        self,
        base: Path,
        data: Path,
        lora: LoraSettings,
        config: Mapping[str, Any],
        seed: int,
        device: str,
    ) -> None:
        self._notes = data.with_suffix(".notes")
        self._faults = json.loads(data.read_text())
        niceness, threads = psutil.Process().nice(), os.environ["OMP_NUM_THREADS"]
        self.note("load", base.name, device, seed, "threads", threads, "nice", niceness)
        self.note("pid", os.getpid())
        self.reset(config, seed)

    def reset(self, config: Mapping[str, Any], seed: int) -> None:
        self._config, self._eighths = config, 0

    def advance(
        self, to_fraction: float, should_stop: Callable[[], bool], on_step: OnStep
    ) -> FakeAdvance:
        rank, rate = self._config["rank"], self._config["learning_rate"]
        before, self._eighths = self._eighths, round(to_fraction * 8)
        self.note("advance", rank, before, self._eighths)
        on_step(StepReport(self._eighths * 10, 80, 6.0 - self._eighths / 8, self._eighths * 640))
        fault = self._faults.get(f"{rank}@{self._eighths}", self._faults.get(str(rank), ""))
        self._fail(*fault.split())
        bits = 4 + math.log10(rate / BEST_RATE) ** 2 - self._eighths / 10
        return FakeAdvance(math.nan if fault == "nan" else bits, bits, to_fraction)

    def _fail(self, fault: str = "", seconds: str = "0") -> None:
        clock = SystemClock()
        if fault == "named":
            raise ArtifactError("the planted fault")
        if fault == "unknown":
            raise ValueError("the owner's own words")
        if fault == "slow":
            clock.sleep(float(seconds))
        if fault == "freeze":
            os.kill(os.getpid(), signal.SIGSTOP)
        if fault == "die" or (fault == "die-once" and self.note("die") == 1):
            os.kill(os.getpid(), signal.SIGKILL)
        if fault == "meet":
            self.note("here")
            while self.lines().count("here") < 2:
                clock.sleep(0.02)

    def lines(self) -> list[str]:
        return self._notes.read_text().splitlines()

    def note(self, *words: object) -> int:
        """Write a line; how many such lines there are now."""
        line = " ".join(map(str, words))
        with self._notes.open("a") as file:
            file.write(line + "\n")
        return self.lines().count(line)

    def save(self, folder: Path) -> None:
        self.note("save", folder)
        folder.mkdir(parents=True)
        (folder / "state.json").write_text(json.dumps(self._eighths))

    def load(self, folder: Path) -> None:
        self._eighths = json.loads((folder / "state.json").read_text())

    def export(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        (folder / "adapter.json").write_text(json.dumps({**self._config, "eighths": self._eighths}))

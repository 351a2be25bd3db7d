"""A training run of the byte model's adapter on its owner's lines, for the search."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgpack

from selflow.core.lora import LoraAdapter
from selflow.core.settings import LoraSettings
from selflow.core.training_steps import OnStep, StepReport
from selflow.text.adapter_file import ADAPTER_FILE, pack_adapter, unpack_adapter
from selflow.text.adapter_rows import EVERY_LINES, AdapterRows, Disturb, as_it_came
from selflow.text.adapter_tuner import AdapterPlan, AdapterTuner
from selflow.text.adapting import LineData
from selflow.text.byte_model import load_byte_model
from selflow.text.lines import Packed

FROM_BASE = "base"
"""The start of an adapter that has learned nothing."""
LINE_PLAN = {"learning_rate": 6e-3, "rank": 8}
"""Where a search begins: fitted on people whom no bench scores (decision 0030)."""
LINE_CHOICES = {"every_lines": (EVERY_LINES, 2, 8)}
"""What is searched besides rank and rate, its default first."""
LINE_RATES = (5e-4, 2e-2)
"""Between which the rate is searched."""
_STATE_FILE, _LEARNED_FILE = "run.msgpack", "learned.msgpack"


def start_file(name: str) -> str:
    """The file of an adapter to start from, beside the data."""
    return f"start-{name}.safetensors"


@dataclass(frozen=True, slots=True)
class Advance:
    """How far a run has come."""

    tune_bits: float
    """Bits of a line that compares, by the mix with the adapter in it."""
    fraction: float


class LineRun:
    """One configuration: the lines are learned once, in their order, as they would be live."""

    def __init__(
        self,
        base: Path,
        data: Path,
        lora: LoraSettings,  # noqa: ARG002  (rank and rate are in the configuration)
        config: Mapping[str, Any],
        seed: int,
        device: Literal["auto", "cpu", "cuda"],  # noqa: ARG002  (3 M parameters: the processor)
        disturb: Disturb = as_it_came,
    ) -> None:
        """``disturb``: what a control learns in the place of a line."""
        self._folder, self._disturb = data, disturb
        self._model, self._data = load_byte_model(base), LineData.load(data)
        self.reset(config, seed)

    def reset(self, config: Mapping[str, Any], seed: int) -> None:
        """Begin another configuration."""
        start, name = None, str(config["start"])
        if name != FROM_BASE:
            start = unpack_adapter((self._folder / start_file(name)).read_bytes())
        plan = AdapterPlan(int(config["rank"]), float(config["learning_rate"]), seed=seed)
        self._tuner = AdapterTuner(self._model, plan, start)
        self._rows = AdapterRows(int(config["every_lines"]), self._disturb, seed)
        self._learned = 0

    def advance(
        self,
        to_fraction: float,
        should_stop: Callable[[], bool],
        on_step: OnStep | None = None,
    ) -> Advance:
        """Learn the lines up to this fraction of all, and compare. ``on_step`` hears of each line;
        it has no loss in the unit in which lines compare.

        Cost: bench/messages.py prints what a line costs; then a pass of the model over the lines
        that compare.
        """
        upto = round(to_fraction * len(self._data.train))
        for line in self._data.train[self._learned : upto]:
            if should_stop():
                break
            if rows := self._rows.add(line.text, line.context, line.weight):
                self._tuner.learn(rows)
            self._learned += 1
            if on_step is not None:
                on_step(StepReport(self._learned, len(self._data.train)))
        bits = self._data.bits(self._model.adapted(self._tuner.adapter()))
        return Advance(bits, self._learned / len(self._data.train))

    def save(self, folder: Path) -> None:
        """All that it needs to go on."""
        folder.mkdir(parents=True)
        packed = msgpack.packb([self._learned, *self._state()])
        (folder / _STATE_FILE).write_bytes(packed)

    def load(self, folder: Path) -> None:
        """Go on from what ``save`` wrote."""
        self._learned, rows, tuner = msgpack.unpackb((folder / _STATE_FILE).read_bytes())
        self._tuner.load_state(tuner)
        self._rows.load_state(rows)

    def export(self, folder: Path) -> None:
        """The adapter as it would be served, and what it goes on learning from."""
        folder.mkdir(parents=True)
        (folder / ADAPTER_FILE).write_bytes(pack_adapter(self._tuner.adapter()))
        (folder / _LEARNED_FILE).write_bytes(msgpack.packb(self._state()))

    def _state(self) -> list[Packed]:
        return [self._rows.state(), self._tuner.state()]


def exported(folder: Path) -> tuple[LoraAdapter, Packed]:
    """What ``LineRun.export`` wrote: the adapter, and the state of what learned it."""
    adapter = unpack_adapter((folder / ADAPTER_FILE).read_bytes())
    return adapter, msgpack.unpackb((folder / _LEARNED_FILE).read_bytes())

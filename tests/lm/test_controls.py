"""The controls of the gate: what a base knows already is no merit of an adapter, and only what an
adapter has learned itself lets it pass.

The base is made of a stream with one rule; then the owner's habit changes. No count of up to three
steps can express either rule (``planted_steps``).
"""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from actors.judging import baseline, judge_on_gate, recorder
from actors.messages import Candidate, Judged, Snapshot
from actors.plan import Plan
from selflow.core.clock import SystemClock
from selflow.core.paths import Root
from selflow.core.settings import LmSettings, LoraSettings, Settings
from selflow.core.steps import Step
from selflow.judge.splits import split_by_time
from selflow.lm.base import grow_tiny
from selflow.lm.data import AgentData
from selflow.lm.loaded import WEIGHTS_FILE
from selflow.lm.lora import LoraRun
from selflow.predict.steps import StepTable
from selflow.store.artifacts import ArtifactStore
from selflow.store.catalog import Catalog
from tests.lm.worlds import planted_steps, shuffled_targets

STEPS, BASE_STEPS, BASE_EPOCHS = 4_300, 3_000, 4
EPOCHS, RATE = 10, 3e-3


@dataclass(frozen=True)
class Control:
    """A base of another rule, the stream, the pool before its gate part, and a place for files."""

    folder: Path
    base: Path
    steps: Sequence[Step]
    past: bytes

    @property
    def plan(self) -> Plan:
        root = Root(self.folder, self.folder)
        return Plan(root, Settings(), "1", 0, has_resources=False, gpu_share=0.0)

    def adapter(self, steps: Sequence[Step]) -> Path:
        """An adapter that learned from the train part of these steps."""
        split = split_by_time(steps)
        data = AgentData(steps[: split.tune[1]], range(*split.train), range(*split.tune))
        lora = LoraSettings(epochs=EPOCHS)
        run = LoraRun(self.base, data, lora, {"learning_rate": RATE}, 7, "cpu")
        run.advance(1.0)
        run.export(self.folder / "adapter")
        return self.folder / "adapter"

    def judge(self, adapter: Path) -> Judged:
        """The real gate on the real stream."""
        store, split = ArtifactStore(self.plan.root.artifacts), split_by_time(self.steps)
        candidate = Candidate(
            "agent", "", -1, "", store.put(self.base), adapter_sha256=store.put(adapter)
        )
        table = StepTable.of(self.steps)
        snapshot = Snapshot(table, STEPS, 3, split.train, split.tune, split.gate)
        with closing(Catalog.open(self.folder / "catalog.db")) as catalog:
            cycle = catalog.cycles.begin(catalog.cycles.request("owner", 1).id, 1, 1)
            record = recorder(self.plan, self.steps)
            return judge_on_gate(
                self.plan, cycle.id, candidate, snapshot, self.past, catalog, record
            )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Sequence[Step], bytes]:
    folder = tmp_path_factory.mktemp("controls")
    earlier = planted_steps(BASE_STEPS, seed=7)
    settings = LmSettings(base_epochs=BASE_EPOCHS)
    grow_tiny(earlier, settings, 7, folder / "base", SystemClock(), lambda _done, _of: None)
    steps = planted_steps(STEPS, seed=9)
    plan = Plan(Root(folder, folder), Settings(), "1", 0, has_resources=False, gpu_share=0.0)
    past = baseline(plan, steps, split_by_time(steps).gate[0]).save()
    return folder / "base", steps, past


@pytest.fixture
def control(made: tuple[Path, Sequence[Step], bytes], tmp_path: Path) -> Control:
    return Control(tmp_path, *made)


def test_an_adapter_that_learned_the_new_rule_passes(control: Control) -> None:
    judged = control.judge(control.adapter(control.steps))

    assert judged.decision == "passed", judged.reasons
    assert judged.numbers["slice_gain_bits"] > 0.5


def test_an_adapter_that_learned_shuffled_targets_is_rejected(control: Control) -> None:
    judged = control.judge(control.adapter(shuffled_targets(control.steps, seed=3)))

    assert judged.decision == "rejected", judged.reasons
    assert judged.numbers["slice_gain_bits"] < 0.05


def test_an_adapter_of_zeros_is_rejected(control: Control) -> None:
    split = split_by_time(control.steps)
    data = AgentData(control.steps[: split.tune[1]], range(64), range(*split.tune))
    run = LoraRun(control.base, data, LoraSettings(epochs=1), {}, 7, "cpu")
    run.advance(1.0)
    adapter = control.folder / "adapter"
    run.export(adapter)
    weights = load_file(adapter / WEIGHTS_FILE)
    save_file({name: torch.zeros_like(w) for name, w in weights.items()}, adapter / WEIGHTS_FILE)
    judged = control.judge(adapter)

    assert judged.decision == "rejected", judged.reasons
    assert abs(judged.numbers["slice_gain_bits"]) < 0.02

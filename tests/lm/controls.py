"""A stream whose habit changed after its base was made, and the real gate on its last fifth."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

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
from selflow.lm.lora import LoraRun
from selflow.predict.steps import StepTable
from selflow.store.artifacts import ArtifactStore
from selflow.store.catalog import Catalog
from tests.lm.worlds import planted_steps

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


def base_of_another_rule(folder: Path) -> Path:
    """A base that read another ring than any of the streams."""
    settings = LmSettings(base_epochs=BASE_EPOCHS)
    earlier = planted_steps(BASE_STEPS, seed=7)
    grow_tiny(earlier, settings, 7, folder / "base", SystemClock(), lambda _: None)
    return folder / "base"


def pool_before_gate(folder: Path, steps: Sequence[Step]) -> bytes:
    """What the counts have learned when the gate part begins."""
    plan = Plan(Root(folder, folder), Settings(), "1", 0, has_resources=False, gpu_share=0.0)
    return baseline(plan, steps, split_by_time(steps).gate[0]).save()

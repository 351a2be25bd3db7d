"""A cycle in a real Ray and Serve that makes a new base while an agent on the old one serves."""

import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from openai import OpenAI

from selflow.core.clock import SystemClock
from selflow.core.codec import encode_record
from selflow.core.events import Event
from selflow.core.paths import Root
from selflow.core.settings import LoraSettings, Settings
from selflow.core.steps import label_event
from selflow.lm.data import AgentData
from selflow.store.artifacts import ArtifactStore
from selflow.store.catalog import Catalog
from selflow.store.reading import CatalogReader
from selflow.store.records import AgentVersion, Artifact, Base, Cycle, Parent, Verdict
from tests.cluster.conftest import QUICK
from tests.cluster.test_cycle import ask
from tests.lm.worlds import planted_steps, small_base
from tests.unit.store.worlds import next_look
from tests.waiting import PATIENCE, wait_until

AGENT = "everything"
STEPS = planted_steps(520, seed=7, labels=24)
KNOWN = sorted({label for step in STEPS for label in step.labels})[:12]
"""Half of the labels: what else comes has no token in the old base, and it is outgrown."""
LIMIT_S = 120.0 * PATIENCE
SETTINGS = {
    "discover": {"bootstraps": 2, "null_sets": 0},
    "lm": {"base": "tiny", "base_epochs": 1},
    "lora": {"epochs": 1},
    "tune": {"num_samples": 1},
    "gate": {"alpha": 0.49, "min_gain_bits": 0.0, "min_events": 100},
}


class World:
    """A session in which an agent serves on a base that knows half of the labels."""

    def __init__(self, root: Root, compose: Callable[..., Any]) -> None:
        self.old = serving_agent(root)
        wanted = Settings.model_validate({**SETTINGS, "supervisor": QUICK.model_dump()})
        plan = compose(serving=True, wanted=wanted)
        self.client = OpenAI(
            base_url=f"http://127.0.0.1:{plan.inference_port}/v1",
            api_key=root.token.read_text(),
            timeout=60 * PATIENCE,
        )

    def answering_version(self) -> str:
        """Which version writes a text of the agent."""
        raw = self.client.completions.with_raw_response.create(
            model=AGENT, prompt="a", max_tokens=1
        )
        return str(raw.headers["x-selflow-version"])

    def champions(self) -> list[str]:
        """The agents' versions that the model list shows as serving."""
        found = [model.model_dump()["selflow"] for model in self.client.models.list()]
        return [each["version"] for each in found if each["status"] == "champion"]


def serving_agent(root: Root) -> AgentVersion:
    """What an earlier cycle left: a base of two layers, and an adapter on it that passed."""
    from selflow.lm.lora import LoraRun

    now_us, artifacts = SystemClock().now_us(), ArtifactStore(root.artifacts)
    base = small_base(root.path / "planted_base", KNOWN)
    data = AgentData(STEPS, range(300), range(300, 400))
    run = LoraRun(base, data, LoraSettings(epochs=1), {}, seed=7, device="cpu")
    run.export(root.path / "planted_adapter")
    pattern = {"name": AGENT, "windows": 1, "events": 9, "share": 1.0, "agreement": None}
    pattern |= {"terms": [], "hours": [], "medoids": [], "days": 1, "steps": 9}
    pattern |= {"families": {}, "grade": None, "reason": "", "alive_cycles": 1, "parts": []}
    with closing(Catalog.open(root.catalog)) as catalog:
        cycle = catalog.cycles.begin(catalog.cycles.request("owner", now_us).id, 0, now_us)

        def artifact(stage: str, folder: Path) -> str:
            sha256 = artifacts.put(folder)
            catalog.cycles.stage_done(
                cycle.id, stage, Artifact(sha256, stage, 1, {}), [], {}, now_us
            )
            return sha256

        base_sha256 = artifact("base", root.path / "planted_base")
        sha256 = artifact("adapter", root.path / "planted_adapter")
        catalog.bases.adopt(base_sha256, "small", cycle.id, now_us)
        opening = catalog.verdicts.open_gate(next_look("old"), (1, 9), sha256, cycle.id, now_us)
        assert opening is not None
        version = catalog.agents.register(
            agent=AGENT,
            sha256=sha256,
            base_sha256=base_sha256,
            pattern_id=catalog.patterns.record(cycle.id, [pattern], now_us)[AGENT],
            cycle_id=cycle.id,
            verdict=Verdict("passed", (), {}, "old", opening.opening, 0.05),
            stage=f"judge:{AGENT}",
            now_us=now_us,
        )
        catalog.cycles.finish(cycle.id, "done", "", now_us)
    return version


def test_an_agent_serves_while_a_new_base_gets_its_successor(
    root: Root, compose: Callable[..., Any]
) -> None:
    world, reader = World(root, compose), CatalogReader(root.catalog)
    old = world.old
    records = [
        encode_record(Event(step.ts_us, "test", *label_event(step.labels[0]))) for step in STEPS
    ]
    cycle_id, answers = ask(root, records), []
    deadline_s = time.monotonic() + LIMIT_S
    while not (cycle := reader.learned(Cycle, id=cycle_id)[0]).finished_at_us:
        assert time.monotonic() < deadline_s, f"the cycle stands at {cycle.stage}"
        answer = cycle.stage, world.answering_version(), world.champions()
        if len(reader.learned(AgentVersion)) == 1:  # nothing was promoted while it was asked
            answers.append(answer)
        SystemClock().sleep(0.5)

    assert (cycle.state, cycle.error) == ("done", "")
    assert {(version, *shown) for _, version, shown in answers} == {(old.version, old.version)}
    assert {f"grow:{AGENT}", f"judge:{AGENT}"} <= {stage for stage, _, _ in answers}

    bases = reader.learned(Base)
    old_row, new = reader.learned(AgentVersion)
    verdicts = {verdict.version_id: verdict for verdict in reader.learned(Verdict)}
    assert [base.is_current for base in bases] == [False, True]
    assert [base.sha256 for base in bases] == [old.base_sha256, new.base_sha256]
    assert Parent("artifact", new.base_sha256, child=new.sha256) in reader.learned(Parent)
    assert (len(reader.learned(Verdict)), set(verdicts)) == (2, {old.id, new.id})

    has_passed = verdicts[new.id].decision == "passed"
    assert verdicts[new.id].decision != "no_verdict"
    statuses = ("retired", "champion") if has_passed else ("champion", "rejected")
    assert (old_row.status, new.status) == statuses
    assert new.previous_id == (old.id if has_passed else None)
    serving = new.version if has_passed else old.version
    wait_until(lambda: (world.answering_version(), world.champions()) == (serving, [serving]))

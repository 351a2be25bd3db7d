"""A cycle in a real Ray that grows, judges and registers an agent of the shell's lines."""

from collections.abc import Callable
from importlib.resources import files
from typing import Any

import numpy as np

from selflow.core.codec import encode_record
from selflow.core.events import SHELL_COMMAND, Event
from selflow.core.paths import Root
from selflow.core.settings import Settings
from selflow.core.surfaces import LINE_AGENTS
from selflow.store.artifacts import ArtifactStore
from selflow.store.reading import CatalogReader
from selflow.store.records import AgentVersion, Cycle, Stage, Trial, Verdict
from selflow.text.agent import LineAgent
from selflow.text.shared_text import SHARED_FILE, decode_lines
from tests.cluster.conftest import QUICK
from tests.cluster.test_cycle import MINUTE_US, ask
from tests.waiting import wait_until

LINES = 520
SHELL_AGENT, COMMIT_AGENT = LINE_AGENTS["shell"], LINE_AGENTS["commit"]
SETTINGS = {
    "discover": {"bootstraps": 2, "null_sets": 0},
    "lm": {"base": "tiny", "base_epochs": 1},
    "lora": {"epochs": 1},
    "tune": {"num_samples": 1, "time_budget_s": 20.0},
    "supervisor": QUICK.model_dump(),
}


def records() -> list[bytes]:
    """Commands that the installed model knows better than counts do, each once."""
    shared = decode_lines(files("selflow.text").joinpath(SHARED_FILE).read_bytes())[1]
    short = sorted({line for line in shared if len(line) < 40})
    drawn = np.random.default_rng(7).permutation(len(short))[:LINES]
    return [
        encode_record(
            Event(
                MINUTE_US * minute,
                "test",
                SHELL_COMMAND,
                short[index].decode(),
                "bash",
                data={"folder": "~/work"},
            )
        )
        for minute, index in enumerate(drawn.tolist(), start=1)
    ]


def test_an_agent_of_lines_is_grown_judged_and_registered(
    compose: Callable[..., Any], root: Root
) -> None:
    from actors.line_agents import installed_base_sha256  # imports Ray: not before its fixture

    compose(wanted=Settings.model_validate(SETTINGS))
    reader = CatalogReader(root.catalog)
    cycle_id = ask(root, records())
    wait_until(lambda: bool(reader.learned(Cycle, id=cycle_id)[0].finished_at_us), 480)
    (cycle,) = reader.learned(Cycle)
    stages = {stage.name: stage for stage in reader.learned(Stage, cycle_id=cycle_id)}
    (version,) = reader.learned(AgentVersion, agent=SHELL_AGENT)
    (verdict,) = reader.learned(Verdict, version_id=version.id)

    assert (cycle.state, cycle.error) == ("done", "")
    assert verdict.decision == "passed", verdict.reasons
    assert (version.surface, version.status, version.pattern_id) == ("shell", "champion", None)
    assert version.base_sha256 == installed_base_sha256()
    assert verdict.numbers["parts"]["model"]["is_met"]
    assert version.id in stages["serve"].result["champions"]

    grown, adapted = stages[f"grow:{SHELL_AGENT}"], stages[f"adapt:{SHELL_AGENT}"]
    tried = reader.learned(Trial, cycle_id=cycle_id, agent=SHELL_AGENT)
    assert {trial.config["start"] for trial in tried} == {"base"}
    assert adapted.result["tune_bits"] == min(trial.tune_bits or 99.0 for trial in tried)
    is_adapted = adapted.result["tune_bits"] < adapted.result["tune_bits_without"]
    assert (adapted.sha256 is not None) == is_adapted
    assert ("adapter" in verdict.numbers["parts"]) == is_adapted
    assert stages[f"grow:{COMMIT_AGENT}"].result == {"lines": 0, "lacking": "100 lines"}

    served = adapted.sha256 if verdict.numbers["parts"].get("adapter", {}).get("is_met") else None
    assert version.sha256 == (served or grown.sha256)
    agent = LineAgent.load(ArtifactStore(root.artifacts).get(version.sha256))
    assert (agent.adapter is not None) == (served is not None)
    assert agent.lines == grown.result["learned"]
    assert agent.watermark_seq == LINES
    assert agent.lines + verdict.numbers["gate_steps"] == LINES

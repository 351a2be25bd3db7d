"""``selflow eval stream --agents``: agents from each user's own past, in a Ray of their own, and
nothing left behind.
"""

import json
from pathlib import Path

from tests.e2e.conftest import World
from tests.lm.worlds import planted_steps
from tests.processes import marked

ENVIRON = {
    "SELFLOW_DISCOVER__BOOTSTRAPS": "2",
    "SELFLOW_DISCOVER__NULL_SETS": "1",
    "SELFLOW_TUNE__NUM_SAMPLES": "2",
    "SELFLOW_LM__BASE_EPOCHS": "2",
    "SELFLOW_LORA__EPOCHS": "1",
}


def test_agents_of_each_user_join_and_are_grown_again(idle: World, tmp_path: Path) -> None:
    steps = [(step.ts_us // 1_000_000, step.labels[0][9:]) for step in planted_steps(300, seed=7)]
    rows = [(ts, label, "ann") for ts, label in steps]
    rows += [(ts + 1, label, "bob") for ts, label in steps[-60:]]
    file = tmp_path / "stream.csv"
    file.write_text("ts,label,who\n" + "".join(f"{ts},{label},{who}\n" for ts, label, who in rows))
    columns = ("--time", "ts", "--label", "label", "--user", "who")

    idle.environ["TMPDIR"] = str(idle.root.path)
    done = idle.run("--json", "eval", "stream", str(file), *columns, "--agents", limit_s=400)
    assert done.returncode == 0, done.stderr
    experts = json.loads(done.stdout)["experts"]

    assert {"pool", "pool_counts", "rrf", "agent:everything"} <= set(experts)
    assert {each["steps"] for each in experts.values()} == {150 + 30}
    for growth in ("150 steps", "210 steps", "255 steps"):
        assert f"{growth}: training the base" in done.stderr
    assert list(marked("SELFLOW_HOME", idle.environ["SELFLOW_HOME"])) == []
    assert list(idle.root.path.glob("selflow-eval-*")) == []

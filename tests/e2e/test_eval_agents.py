"""``selflow eval stream --agents``: agents from a file's own past, in a Ray of their own, and
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


def test_agents_join_as_experts_in_the_second_half_of_a_file(idle: World, tmp_path: Path) -> None:
    steps = planted_steps(600, seed=7)
    file = tmp_path / "stream.csv"
    file.write_text(
        "ts,label\n"
        + "".join(f"{step.ts_us // 1_000_000},{step.labels[0][9:]}\n" for step in steps)
    )

    idle.environ["TMPDIR"] = str(idle.root.path)
    done = idle.run(
        "--json",
        "--quiet",
        "eval",
        "stream",
        str(file),
        "--time",
        "ts",
        "--label",
        "label",
        "--agents",
        limit_s=400,
    )
    assert done.returncode == 0, done.stderr
    experts = json.loads(done.stdout)["experts"]

    assert {"pool", "pool_counts", "rrf", "agent:everything"} <= set(experts)
    assert {each["steps"] for each in experts.values()} == {300}
    assert list(marked("SELFLOW_HOME", idle.environ["SELFLOW_HOME"])) == []
    assert list(idle.root.path.glob("selflow-eval-*")) == []


def test_agents_of_several_users_are_refused_with_what_to_do(idle: World, tmp_path: Path) -> None:
    file = tmp_path / "stream.csv"
    file.write_text("ts,label,user\n" + "".join(f"{n},l{n % 3},u{n % 2}\n" for n in range(300)))
    columns = ("--time", "ts", "--label", "label", "--user", "user")

    done = idle.run("eval", "stream", str(file), *columns, "--agents")

    assert done.returncode == 2
    assert "leave out --user, or --agents" in done.stderr

"""``selflow eval stream --agents``: agents from a file's own past, in a Ray of their own, and
nothing left behind.
"""

import json
from contextlib import suppress
from pathlib import Path

import psutil

from tests.e2e.conftest import make_world
from tests.lm.worlds import planted_steps

SMALL = {
    "SELFLOW_DISCOVER__BOOTSTRAPS": "2",
    "SELFLOW_DISCOVER__NULL_SETS": "1",
    "SELFLOW_TUNE__NUM_SAMPLES": "2",
    "SELFLOW_LM__BASE_EPOCHS": "2",
    "SELFLOW_LORA__EPOCHS": "1",
}


def running(word: str) -> list[int]:
    """Processes with this word in their command line; one that has just ended has none any more."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if word in " ".join(process.cmdline()):
                found.append(process.pid)
    return found


def test_agents_join_as_experts_in_the_second_half_of_a_file(tmp_path: Path) -> None:
    steps = planted_steps(600, seed=7)
    file = tmp_path / "stream.csv"
    file.write_text(
        "ts,label\n"
        + "".join(f"{step.ts_us // 1_000_000},{step.labels[0][9:]}\n" for step in steps)
    )

    done = make_world(**SMALL).run(
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
    assert running("selflow-eval-") == []
    assert not list(Path("/tmp").glob("selflow-eval-*"))


def test_agents_of_several_users_are_refused_with_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "stream.csv"
    file.write_text("ts,label,user\n" + "".join(f"{n},l{n % 3},u{n % 2}\n" for n in range(300)))
    columns = ("--time", "ts", "--label", "label", "--user", "user")

    done = make_world().run("eval", "stream", str(file), *columns, "--agents")

    assert done.returncode == 2
    assert "leave out --user, or --agents" in done.stderr

"""``selflow eval stream --agents``: agents from each user's own past, in a Ray of their own, and
nothing left behind.
"""

import json
import os
import signal
import subprocess
from pathlib import Path

from tests.e2e.conftest import SELFLOW, World
from tests.lm.worlds import planted_steps
from tests.processes import marked

ENVIRON = {
    "SELFLOW_DISCOVER__BOOTSTRAPS": "2",
    "SELFLOW_DISCOVER__NULL_SETS": "1",
    "SELFLOW_TUNE__NUM_SAMPLES": "2",
    "SELFLOW_LM__BASE_EPOCHS": "2",
    "SELFLOW_LORA__EPOCHS": "1",
}
COLUMNS = ("--time", "ts", "--label", "label", "--user", "who")


def stream_file(folder: Path) -> Path:
    """Steps of two users, of whom one has too few for agents."""
    steps = [(step.ts_us // 1_000_000, step.labels[0][9:]) for step in planted_steps(300, seed=7)]
    rows = [(ts, label, "ann") for ts, label in steps]
    rows += [(ts + 1, label, "bob") for ts, label in steps[-60:]]
    file = folder / "stream.csv"
    file.write_text("ts,label,who\n" + "".join(f"{ts},{label},{who}\n" for ts, label, who in rows))
    return file


def test_agents_of_each_user_join_and_are_grown_again(idle: World, tmp_path: Path) -> None:
    file = str(stream_file(tmp_path))
    idle.environ["TMPDIR"] = str(idle.root.path)
    done = idle.run("--json", "eval", "stream", file, *COLUMNS, "--agents", limit_s=400)
    assert done.returncode == 0, done.stderr
    experts = json.loads(done.stdout)["experts"]

    assert {"pool", "pool_counts", "rrf", "agent:everything"} <= set(experts)
    assert {each["steps"] for each in experts.values()} == {150 + 30}
    for growth in ("150 steps", "210 steps", "255 steps"):
        assert f"{growth}: training the base" in done.stderr
    assert list(marked("SELFLOW_HOME", idle.environ["SELFLOW_HOME"])) == []
    assert list(idle.root.path.glob("selflow-eval-*")) == []


def test_ctrl_c_ends_it_and_leaves_no_process_and_no_folder(idle: World, tmp_path: Path) -> None:
    args = [SELFLOW, "eval", "stream", str(stream_file(tmp_path)), *COLUMNS, "--agents"]
    environ = {**idle.environ, "TMPDIR": str(idle.root.path)}
    # A session of its own: what a terminal interrupts are all processes of its foreground group
    with subprocess.Popen(
        args, env=environ, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stderr is not None
        is_up = any("finding patterns" in line for line in process.stderr)
        os.killpg(process.pid, signal.SIGINT)
        rest = process.communicate(timeout=120)[1]

    assert is_up
    assert (process.returncode, "Traceback" in rest) == (130, False)
    assert list(marked("SELFLOW_HOME", idle.environ["SELFLOW_HOME"])) == []
    assert list(idle.root.path.glob("selflow-eval-*")) == []

"""Ctrl-C in ``selflow eval text``: exit status 130, no traceback, nothing left behind."""

import os
import signal
import subprocess
from pathlib import Path

from tests.e2e.conftest import SELFLOW, World
from tests.processes import marked
from tests.waiting import PATIENCE


def test_an_interrupted_evaluation_leaves_nothing_behind(idle: World, tmp_path: Path) -> None:
    rows = tmp_path / "rows.csv"
    os.mkfifo(rows)
    idle.environ["TMPDIR"] = str(idle.root.path)
    before = sorted(idle.root.path.rglob("*"))
    running = subprocess.Popen(
        [str(SELFLOW), "eval", "text", str(rows), "--time", "ts", "--text", "line"],
        env=idle.environ,
        cwd=idle.root.path,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with rows.open("w", encoding="utf-8") as file:
        # Opened by both: it reads, and no row ends the file.
        file.write("ts,line\n" + "".join(f"{second},ls /srv\n" for second in range(100)))
        file.flush()
        os.killpg(running.pid, signal.SIGINT)
        out, err = running.communicate(timeout=30 * PATIENCE)

    assert (running.returncode, out) == (130, "")
    assert "Traceback" not in err
    assert list(marked("SELFLOW_HOME", idle.environ["SELFLOW_HOME"])) == []
    assert sorted(idle.root.path.rglob("*")) == before

"""A newcomer copies the README's commands, one after another, and each does what it says."""

import json
import os
import pty
import re
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from selflow.core.paths import Root
from selflow.store.commands.source_kinds import KINDS
from tests.e2e.conftest import SELFLOW
from tests.waiting import PATIENCE

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
COMMITS, FILES = 400, 24
LIMIT_S = 400.0
SMALL = {
    "SELFLOW_DISCOVER__BOOTSTRAPS": "2",
    "SELFLOW_DISCOVER__NULL_SETS": "1",
    "SELFLOW_TUNE__NUM_SAMPLES": "2",
    "SELFLOW_LM__BASE": "tiny",
    "SELFLOW_LM__BASE_EPOCHS": "1",
    "SELFLOW_LORA__EPOCHS": "1",
    "SELFLOW_SUPERVISOR__CHECK_INTERVAL_S": "0.5",
}
"""A short cycle; all else is as a newcomer has it, the dashboard too."""
ANSWERS = "".join("y\n" if kind.name == "ingest" else "n\n" for kind in KINDS)
"""To ``selflow init``: of all kinds of source only the ingest."""


def block(heading: str, number: int) -> list[str]:
    """The command lines of a section's fenced block, without comments; a line may go on after a
    backslash.
    """
    section = README.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    text = re.findall(r"^```\w*\n(.*?)^```", section, re.MULTILINE | re.DOTALL)[number]
    lines = text.replace("\\\n", " ").splitlines()
    return [line.partition(" #")[0].strip() for line in lines if line.strip()]


@dataclass(frozen=True)
class Newcomer:
    """A person with a home folder, a project in it, and a shell."""

    home: Path

    @property
    def environ(self) -> dict[str, str]:
        path = f"{SELFLOW.parent}:{os.environ['PATH']}"
        return {"PATH": path, "HOME": str(self.home), "LANG": "C.UTF-8", **SMALL}

    def type(self, line: str, answers: str = "") -> str:
        """A command line in a shell; its output. It must work."""
        reader, writer = pty.openpty() if answers else (None, None)
        if reader is not None:
            os.write(reader, answers.encode())
        done = subprocess.run(
            ["bash", "-c", line],
            env=self.environ,
            cwd=self.home,
            stdin=subprocess.DEVNULL if writer is None else writer,
            capture_output=True,
            text=True,
            timeout=LIMIT_S * PATIENCE,
            check=False,
        )
        for descriptor in (reader, writer):
            if descriptor is not None:
                os.close(descriptor)
        assert done.returncode == 0, f"{line}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout


def make_project(folder: Path) -> None:
    """A git repository whose commits walk through its files, an hour apart."""
    stream = ["reset refs/heads/main"]
    for n in range(COMMITS):
        moment_s = 1_700_000_000 + 3600 * n
        stream += [
            "commit refs/heads/main",
            f"committer Ann <ann@localhost> {moment_s} +0000",
            "data 4\nwork",
            *(
                f"M 100644 inline src/f{(n + i) % FILES}.py\ndata {len(str(n))}\n{n}"
                for i in (0, 1)
            ),
        ]
    folder.mkdir(parents=True)
    subprocess.run(["git", "init", "-q", "-b", "main", str(folder)], check=True)
    subprocess.run(
        ["git", "-C", str(folder), "fast-import", "--quiet"],
        input="\n".join(stream) + "\n",
        text=True,
        check=True,
    )


@pytest.fixture
def newcomer() -> Iterator[Newcomer]:
    from actors.ray_head import session_processes

    with tempfile.TemporaryDirectory(prefix="sf-", dir="/tmp") as folder:
        person = Newcomer(Path(folder))
        make_project(person.home / "src/project")
        yield person
        subprocess.run([str(SELFLOW), "down"], env=person.environ, capture_output=True, check=False)
        root = person.home / ".local/share/selflow"
        assert session_processes(Root(root, root)) == []


def test_the_commands_of_the_readme_work_as_written(newcomer: Newcomer) -> None:
    install, init, up, *use, down = block("Use it", 0)
    assert (install, init, up, down) == (
        "pip install .",
        "selflow init",
        "selflow up",
        "selflow down",
    )

    newcomer.type(init, ANSWERS)
    newcomer.type(up)
    output = {line: newcomer.type(line) for line in use}
    url = newcomer.type("selflow url inference").strip()
    (request,) = block("Use it", 1)
    answer = json.loads(newcomer.type(request.replace("http://127.0.0.1:7731", url)))
    newcomer.type(down)

    assert "done" in output["selflow learn"]
    assert "everything" in output["selflow agents"]
    assert "src/f" in output["selflow predict"]
    assert "running" in output["selflow status"]
    assert len(answer["predictions"]) == 3

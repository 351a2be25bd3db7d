"""What ``make bench`` records, and what it leaves alone."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from bench._measure import BROKE_OFF, MISSED, measure
from bench.run import (
    BELOW_BOUND,
    FAILED,
    HEAD,
    MISSED_LINE,
    NAMES,
    PAGE,
    RECORDED,
    commit,
    machine,
    record,
    with_section,
)
from tests.unit.house.rules import HERE


def test_a_measurement_replaces_its_own_section_alone() -> None:
    page = HEAD + "## bench/cycle.py\n\nold cycle\n\n## bench/gate.py\n\nold gate\n"

    written = with_section(page, "gate", "today, commit abc.", "new gate\n")

    assert written == (
        HEAD + "## bench/cycle.py\n\nold cycle\n\n"
        "## bench/gate.py\n\ntoday, commit abc.\n\nnew gate\n"
    )


def test_a_measurement_that_missed_its_bound_is_recorded_and_says_so(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(HEAD + "## bench/gate.py\n\nold gate\n", encoding="utf-8")

    assert record(page, "gate", "today.", MISSED, "too slow\n") == BELOW_BOUND
    written = page.read_text(encoding="utf-8")
    assert written == f"{HEAD}## bench/gate.py\n\ntoday.\n\ntoo slow\n\n{MISSED_LINE}\n"
    assert record(page, "gate", "today.", 0, "fast enough\n") == RECORDED
    assert MISSED_LINE not in page.read_text(encoding="utf-8")


def test_a_measurement_that_broke_off_leaves_its_section(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [])
    page = tmp_path / "page.md"
    page.write_text("## bench/gate.py\n\nold gate\n", encoding="utf-8")

    assert measure("no_such_measurement") == BROKE_OFF
    assert record(page, "gate", "today.", BROKE_OFF, "half a ta") == FAILED
    assert page.read_text(encoding="utf-8") == "## bench/gate.py\n\nold gate\n"


def test_a_section_says_its_commit_and_how_busy_the_machine_was() -> None:
    head = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=HERE,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout.strip()

    assert commit().startswith(f"commit {head}")
    assert re.search(r"load \d+\.\d at the start, commit \w+", machine())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["streams", "first_day"])
def test_without_data_a_recorded_section_stays(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCH_DATA", str(tmp_path))
    page = tmp_path / "page.md"
    page.write_text(f"## bench/{name}.py\n\nas recorded\n", encoding="utf-8")

    done = subprocess.run(
        [sys.executable, "-m", "bench.run", name, "--page", str(page)],
        cwd=HERE,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )

    assert done.returncode == 0
    assert f"recorded sections left as they were: {name}" in done.stdout
    assert "as recorded" in page.read_text(encoding="utf-8")


def test_every_recorded_section_names_a_measurement_and_a_commit() -> None:
    sections = PAGE.read_text(encoding="utf-8").split("\n## bench/")[1:]

    assert {section.partition(".py")[0] for section in sections} <= set(NAMES)
    assert all(re.search(r"commit [0-9a-f]{7}", section) for section in sections)

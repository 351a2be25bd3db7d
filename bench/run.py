"""``make bench``: every measurement of this folder, one after another, each in a process of its
own.

A measurement is a module ``bench/NAME.py`` that runs as ``python -m bench.NAME``, prints its
numbers with their sizes, and ends with exit status 0, with ``MISSED`` if a bound it states was
missed, or with ``NO_DATA`` where its streams are not on this machine. What missed a bound is
recorded like the rest, and says so. Modules ``make_*`` make shipped data and are
run by hand.
"""

import argparse
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from bench._measure import MISSED
from bench._streams import NO_DATA

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "benchmarks.md"
HEAD = """# Benchmarks

Written by `make bench`. Each section is what one run of that measurement printed, baselines beside
claims, with its day, machine and commit. A measurement whose streams are not there (`BENCH_DATA`
names their folder) leaves its section as it was.

"""
NAMES = sorted(
    path.stem for path in HERE.glob("*.py") if not path.stem.startswith(("_", "run", "make_"))
)
MARK = "## bench/"
MISSED_LINE = "A bound that this measurement states was missed in this run (exit status 1)."
RECORDED, FAILED = "recorded", "failed"
BELOW_BOUND = "recorded, but a bound was missed"
NOT_MEASURED = "no data, recorded sections left as they were"


def main() -> int:
    """Run the named measurements, or all, and put what they print into the page; 1 if one of them
    failed or missed a bound.
    """
    parser = argparse.ArgumentParser(prog="python -m bench.run", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--page", type=Path, default=PAGE, help="where the sections are kept")
    asked = parser.parse_args()
    names: list[str] = asked.names or NAMES
    page: Path = asked.page
    if unknown := sorted(set(names) - set(NAMES)):
        parser.error(f"no measurement {', '.join(unknown)}; there are: {', '.join(NAMES)}")
    became: dict[str, list[str]] = {}
    for name in names:
        print(f"== {name}", flush=True)
        measured = machine()
        done = subprocess.run(
            [sys.executable, "-m", "bench._measure", name],
            cwd=HERE.parent,
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        print(done.stdout, flush=True)
        became.setdefault(record(page, name, measured, done.returncode, done.stdout), []).append(
            name
        )
    print(f"\n{len(names)} measurements, failed: {', '.join(became.get(FAILED, ())) or 'none'}")
    for outcome in (BELOW_BOUND, NOT_MEASURED):
        if outcome in became:
            print(f"{outcome}: {', '.join(became[outcome])}")
    return int(FAILED in became or BELOW_BOUND in became)


def record(page: Path, name: str, measured: str, status: int, output: str) -> str:
    """Put what a measurement printed into the page unless it broke off; returns what became of
    it.
    """
    if status == NO_DATA:
        return NOT_MEASURED
    if status not in {0, MISSED}:
        return FAILED
    said = output if status == 0 else f"{output.rstrip()}\n\n{MISSED_LINE}\n"
    text = with_section(page.read_text(encoding="utf-8"), name, measured, said)
    page.write_text(text, encoding="utf-8")
    return RECORDED if status == 0 else BELOW_BOUND


def with_section(page: str, name: str, measured: str, output: str) -> str:
    """The page with this section in the place of its older self; the others stay as they are."""
    parts = page.split(MARK)[1:]
    sections = {part.partition(".py")[0]: f"{MARK}{part.rstrip()}\n" for part in parts}
    sections[name] = f"{MARK}{name}.py\n\n{measured}\n\n{output.rstrip()}\n"
    return HEAD + "\n".join(sections[each] for each in NAMES if each in sections)


def machine() -> str:
    """When, where and of what: day, machine, how busy it is, and the commit."""
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, {platform.machine()}, Python "
        f"{platform.python_version()}, load {os.getloadavg()[0]:.1f} at the start, {commit()}."
    )


def commit() -> str:
    """The commit that is checked out, and whether the product differs from it."""
    folders = ["actors", "bench", "selflow", "serve", "tune"]
    sha = _git("rev-parse", "--short", "HEAD")
    is_changed = _git("status", "--porcelain", "--", *folders)
    return f"commit {sha}" + (" with changes" if is_changed else "")


def _git(*words: str) -> str:
    done = subprocess.run(
        ["git", *words],
        cwd=HERE.parent,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())

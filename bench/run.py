"""``make bench``: every measurement of this folder, one after another, each in a process of its
own.

A measurement is a module ``bench/NAME.py`` that runs as ``python -m bench.NAME``, prints its
numbers with their sizes, and ends with exit status 0 unless a bound it states was broken. Modules
``make_*`` make shipped data and are run by hand.
"""

import argparse
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "benchmarks.md"
HEAD = """# Benchmarks

Written by `make bench`. Each section is what one run of that measurement printed, baselines beside
claims, with its day and machine.

"""
NAMES = sorted(
    path.stem for path in HERE.glob("*.py") if not path.stem.startswith(("_", "run", "make_"))
)
MARK = "## bench/"


def _sections() -> dict[str, str]:
    """The page as it is: by measurement, what it printed last."""
    parts = PAGE.read_text(encoding="utf-8").split(MARK)[1:]
    return {part.partition(".py")[0]: f"{MARK}{part.rstrip()}\n" for part in parts}


def main() -> int:
    """Run the named measurements, or all, and put what they print into the page; 1 if one of them
    failed.
    """
    parser = argparse.ArgumentParser(prog="python -m bench.run", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    names: list[str] = parser.parse_args().names or NAMES
    if unknown := sorted(set(names) - set(NAMES)):
        parser.error(f"no measurement {', '.join(unknown)}; there are: {', '.join(NAMES)}")
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    failed, sections = [], _sections()
    for name in names:
        print(f"== {name}", flush=True)
        done = subprocess.run(
            [sys.executable, "-m", f"bench.{name}"],
            cwd=HERE.parent,
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        print(done.stdout, flush=True)
        if done.returncode:
            failed.append(name)
        else:
            sections[name] = (
                f"{MARK}{name}.py\n\n{datetime.now(UTC):%Y-%m-%d}, "
                f"{machine}.\n\n{done.stdout.rstrip()}\n"
            )
            PAGE.write_text(
                HEAD + "\n".join(sections[each] for each in NAMES if each in sections),
                encoding="utf-8",
            )
    print(f"\n{len(names)} measurements, failed: {', '.join(failed) or 'none'}")
    return 1 if failed else 0


sys.exit(main())

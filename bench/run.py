"""``make bench``: every measurement of this folder, one after another, each in a process of its own.

A measurement is a module ``bench/NAME.py`` that runs as ``python -m bench.NAME``, prints its numbers with their
sizes, and ends with exit status 0 unless a bound it states was broken. Modules ``make_*`` make shipped data and are
run by hand.
"""

import argparse
import os
import platform
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "benchmarks.md"
HEAD = """# Benchmarks

Written by `make bench`; every figure was measured in one run on the machine named below, baselines beside claims.
"""
NAMES = sorted(path.stem for path in HERE.glob("*.py") if not path.stem.startswith(("_", "run", "make_")))


def main() -> int:
    """Run the named measurements, or all; 1 if one of them failed."""
    parser = argparse.ArgumentParser(prog="python -m bench.run", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    names = parser.parse_args().names or NAMES
    if unknown := sorted(set(names) - set(NAMES)):
        parser.error(f"no measurement {', '.join(unknown)}; there are: {', '.join(NAMES)}")
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    failed, told = [], [HEAD, f"Machine: {machine}.\n"]
    for name in names:
        print(f"== {name}", flush=True)
        done = subprocess.run(
            [sys.executable, "-m", f"bench.{name}"], cwd=HERE.parent, stdout=subprocess.PIPE, text=True, check=False
        )
        print(done.stdout, flush=True)
        told.append(f"## bench/{name}.py\n\n{done.stdout}")
        if done.returncode:
            failed.append(name)
    if names == NAMES and not failed:
        PAGE.write_text("\n".join(told), encoding="utf-8")
    print(f"\n{len(names)} measurements, failed: {', '.join(failed) or 'none'}")
    return 1 if failed else 0


sys.exit(main())

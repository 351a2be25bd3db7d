"""Runs one measurement so that a missed bound and a program that broke off end differently: Python
ends with 1 for both.
"""

import runpy
import sys
import traceback

MISSED = 1
"""Exit status of a measurement that missed a bound that it states."""
BROKE_OFF = 70
"""Exit status of one that raised (EX_SOFTWARE of sysexits.h)."""


def measure(name: str) -> int:
    """Run ``bench/NAME.py`` as if by ``python -m``; its exit status."""
    sys.argv = [name]
    try:
        runpy.run_module(f"bench.{name}", run_name="__main__", alter_sys=True)
    except Exception:  # noqa: BLE001  (whatever it is, it is shown, and the status says it)
        traceback.print_exc()
        return BROKE_OFF
    return 0


if __name__ == "__main__":
    sys.exit(measure(sys.argv[1]))

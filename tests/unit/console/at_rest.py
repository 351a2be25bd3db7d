"""What a process of ours has loaded once it is set up."""

import subprocess
import sys

_AT_REST = """
import contextlib, importlib, os, runpy, sys
module, *more = sys.argv[1:]
sys.argv[1:] = ["--help"]
with contextlib.redirect_stdout(open(os.devnull, "w")), contextlib.suppress(SystemExit):
    runpy.run_module(module, run_name="__main__")
for name in more:
    importlib.import_module(name)
print(*(name for name, module in sys.modules.items() if module is not None))
"""


def loaded_at_rest(module: str, *more: str) -> set[str]:
    """The modules that ``python -m module`` has loaded when it could begin, and with ``more``."""
    command = [sys.executable, "-c", _AT_REST, module, *more]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())

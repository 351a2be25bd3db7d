"""What the web page costs in a headless Chromium: the console alone on 130,000 events.

Ends with 1 if a bound is missed: cards visible warm 500 ms, complete cold 2,000 ms, 450 kB cold and
80 kB warm over the wire, nothing from outside, no error, an idle Live page 8 % of the main thread,
75 MB of RSS after the loads and with 5 readers of the stream. The first question loads numpy and
the words of dates; what is held then is shown, without a bound. ActivityWatch's own page is beside
it as far as its published package has it. `SHOT=FILE` keeps a picture of Live.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from bench._activitywatch import facts
from bench._streams import NO_DATA
from bench._world import show
from bench.console import EVENTS, READERS, ask, fill, reader, running
from selflow.console.page_opening import page_url
from selflow.core.paths import Root
from selflow.core.session_files import Endpoints, write_endpoints

WEB = Path(__file__).parents[1] / "selflow/console/web"
COLD, WARM, IDLE_S = 5, 15, 30
PAGES = ("/activity", "/patterns", "/training", "/agents", "/privacy", "/models", "/settings")
CARDS_MS, COMPLETE_MS, COLD_KB, WARM_KB, BUSY_PERCENT, RSS_MB = 500, 2_000, 450, 80, 8, 75


def main() -> int:
    """Measure; 1 if a bound is missed."""
    tools = {name: shutil.which(name) for name in ("chromium", "node")}
    if absent := [name for name, path in tools.items() if path is None]:
        print(f"not on PATH: {', '.join(absent)}")
        return NO_DATA
    with tempfile.TemporaryDirectory(prefix="sf-bench-", dir="/tmp") as folder:
        root = Root(Path(folder) / "root", Path(folder) / "root")
        root.make()
        fill(root)
        write_endpoints(root, Endpoints())
        with running(root) as console:
            seen = _browse(root, str(tools["chromium"]), str(tools["node"]))
            readers = [reader(root, console) for _ in range(READERS)]
            rest = _memory_mb(console.pid)
            ask(root, console, "how many files on 3 May 2020")
            asked = _memory_mb(console.pid)
            for one in readers:
                one.close()
    print(f"{EVENTS:,} events; medians of {COLD} cold and {WARM} warm loads of Live\n")
    bounded = _bounded(seen, rest[0])
    show([(what, f"{value:,.1f} {unit} (bound {at:,})") for what, value, unit, at in bounded])
    print("\nMemory of the console's process:\n")
    when = (f"after the loads, {READERS} streams", "after one question more")
    memory = zip(when, (rest, asked), strict=True)
    show([(moment, f"RSS {rss:.1f} MB, PSS {pss:.1f} MB") for moment, (rss, pss) in memory])
    print("\nThe first load of ActivityWatch's own page:\n")
    show([*facts(), ("Live, all files, cold, on the wire", f"{bounded[4][1]:,.1f} kB")])
    print("\nPages, warm, median of 3 loads:\n")
    show([(path, _said(loads)) for path, loads in seen["pages"].items()])
    for each in (*seen["outside"], *seen["faults"], *seen["csp"]):
        print(f"\n    {each[:200]}")
    return int(any(value > at for _, value, _, at in bounded))


def _memory_mb(pid: int) -> tuple[float, float]:
    """RSS and PSS in megabytes."""
    memory = psutil.Process(pid).memory_full_info()
    return memory.rss / 1e6, memory.pss / 1e6


def _browse(root: Root, chromium: str, node: str) -> dict[str, Any]:
    """What the browser saw."""
    environ = {
        "CHROMIUM": chromium,
        "WEB": str(WEB),
        "URLS": json.dumps([page_url(root) for _ in range(COLD)]),
        "PAGES": json.dumps(PAGES),
        "WARM": str(WARM),
        "IDLE_S": str(IDLE_S),
    }
    done = subprocess.run(
        [node, str(Path(__file__).with_suffix(".mjs"))],
        env={**os.environ, **environ},
        stdout=subprocess.PIPE,
        check=True,
    )
    seen: dict[str, Any] = json.loads(done.stdout)
    return seen


def _bounded(seen: dict[str, Any], rss_mb: float) -> list[tuple[str, float, str, float]]:
    """What is measured, its value and unit, and the bound that it must not pass."""

    def middle(loads: str, part: str) -> float:
        return float(median(load[part] for load in seen[loads]))

    return [
        ("first paint, warm", middle("warm", "paint"), "ms", CARDS_MS),
        ("cards visible, warm", middle("warm", "cards"), "ms", CARDS_MS),
        ("first paint, cold", middle("cold", "paint"), "ms", COMPLETE_MS),
        ("complete, cold", middle("cold", "complete"), "ms", COMPLETE_MS),
        ("transferred, cold", middle("cold", "bytes") / 1e3, "kB", COLD_KB),
        ("transferred, warm", middle("warm", "bytes") / 1e3, "kB", WARM_KB),
        ("outside requests", len(seen["outside"]), "requests", 0),
        ("console errors", len(seen["faults"]), "errors", 0),
        ("reports of the content security policy", len(seen["csp"]), "reports", 0),
        (f"main thread, idle for {IDLE_S} s", 100 * seen["idleFraction"], "%", BUSY_PERCENT),
        (f"RSS after the loads, {READERS} streams", rss_mb, "MB", RSS_MB),
    ]


def _said(loads: list[dict[str, float]]) -> str:
    paint, complete, size = (median(load[part] for load in loads) for part in _PARTS)
    return f"paint {paint:.0f} ms, complete {complete:.0f} ms, {size / 1e3:.0f} kB"


_PARTS = ("paint", "complete", "bytes")


if __name__ == "__main__":
    sys.exit(main())

"""What the shell companion costs in real shells, through a pseudo-terminal.

A command: from Enter on `true`, a builtin, to the next prompt, in two shells that differ in the
hook alone and take turns. A key: from typing it to its echo, in zsh, which asks at each key, while
a server of suggestions is absent, answers at once, or takes requests and never answers; in bash and
fish the key that asks, from pressing it to the next echo. A commit: `git commit -m` of one file,
by its processor time, without hooks and with those of `selflow git install`, in turns. Ends with 1
if the hook adds 3 ms or more to the median command, or recording 5 ms or more to the median commit,
or a key of zsh takes 50 ms or more (95th percentile).
"""

import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil

from bench._world import Rows, show
from selflow.collect.companion.git_hooks import GitHooks
from selflow.core.paths import Root
from tests.unit.shells.homes import Home
from tests.unit.shells.terminal import PROMPT, Terminal

SHELLS = ("bash", "zsh", "fish")
COMMANDS, KEYS, PRESSES, COMMITS = 400, 400, 40, 100
BOUND_MS, COMMIT_BOUND_MS, BUDGET_MS = 3.0, 5.0, 50.0
OWN_GHOST_OFF = {"bash": "", "fish": "set -g fish_autosuggestion_enabled 0\n"}
LINE = "echo hello world "


@contextmanager
def home() -> Iterator[Home]:
    """An owner's home with nothing in it."""
    with tempfile.TemporaryDirectory(prefix="sf-bench-", dir="/tmp") as folder:
        path = Path(folder)
        made = Home(path, Root(path / "root", path / "root"), lambda name: shutil.which(name) or "")
        yield made
        made.close()


def command_ms(terminal: Terminal) -> float:
    """One command that does nothing."""
    terminal.keys("true")
    terminal.expect("true")
    began_s = time.perf_counter()
    terminal.keys("\r")
    terminal.expect("\n")
    terminal.expect(PROMPT)
    return (time.perf_counter() - began_s) * 1e3


def cpu_ms(terminal: Terminal) -> float:
    """What a shell has taken of the processors so far, in steps of 10 ms."""
    used = psutil.Process(terminal.pid).cpu_times()
    return float(used.user + used.system) * 1e3


def commands(shell: str) -> tuple[list[float], list[float], float]:
    """Milliseconds of each command without and with the hook, and of CPU that it adds to each."""
    without: list[float] = []
    joined: list[float] = []
    with home() as plain, home() as hooked:
        hooked.allow()
        shells = plain.start(shell, is_hooked=False), hooked.start(shell)
        before = [cpu_ms(terminal) for terminal in shells]
        for number in range(COMMANDS):
            for terminal, took in zip(shells, (without, joined), strict=True):
                took_ms = command_ms(terminal)
                if number >= COMMANDS // 10:  # the first ones read files for the first time
                    took.append(took_ms)
        if len(hooked.commands()) != COMMANDS:
            sys.exit(f"{shell}: {len(hooked.commands())} of {COMMANDS} commands were recorded")
        spent = [cpu_ms(terminal) - ms for terminal, ms in zip(shells, before, strict=True)]
    return without, joined, (spent[1] - spent[0]) / COMMANDS


def keys(server: str) -> list[float]:
    """Milliseconds of each key of zsh while a server is ``absent``, ``answers`` or ``stalls``."""
    took = []
    with home() as owner:
        owner.allow()
        if server != "absent":
            # No suggestion fits the next key: each key asks, and none is taken for its echo
            lines = {LINE[:end]: f"{LINE[:end]}ZZZ" for end in range(1, len(LINE))}
            answering = owner.serve(lines)
            if server == "stalls":
                answering.stall()
        terminal = owner.start("zsh", is_patient=False)
        for _ in range(KEYS // len(LINE)):
            for key in LINE:
                began_s = time.perf_counter()
                terminal.keys(key)
                terminal.expect(key)
                took.append((time.perf_counter() - began_s) * 1e3)
            terminal.keys("\r")
            terminal.expect(PROMPT)
    return took


def presses(shell: str, *, is_stalled: bool) -> list[float]:
    """Milliseconds of each press of the key that asks, up to the echo of the key after it."""
    took = []
    with home() as owner:
        server = owner.serve({"echo h": "echo hello"})
        if is_stalled:
            server.stall()
        # One that is patient shows how long an answer takes, in time or not
        terminal = owner.start(shell, OWN_GHOST_OFF[shell], is_patient=not is_stalled)
        for _ in range(3 if is_stalled else PRESSES):  # after three failures nobody is asked
            terminal.keys("echo h")
            terminal.expect("h")
            began_s = time.perf_counter()
            terminal.keys("\0#")
            terminal.expect("#")
            took.append((time.perf_counter() - began_s) * 1e3)
            terminal.keys("\r")
            terminal.expect(PROMPT)
    return took


def commits() -> dict[str, list[float]]:
    """Milliseconds of CPU of each commit: without hooks, with the one that suggests, with both."""
    took: dict[str, list[float]] = {"without hooks": [], "that suggests": [], "with both hooks": []}
    with home() as owner:
        folder = owner.path / "repository"
        git = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@example.org"]
        subprocess.run(["git", "init", "-q", str(folder)], check=True)
        owner.root.commit_spool.mkdir(parents=True)
        hooks = GitHooks.of(folder)
        for number in range(COMMITS):
            for arm, each in took.items():
                if arm != "without hooks":
                    list(hooks.install(owner.root, is_recorded=arm == "with both hooks"))
                (folder / "file").write_text(f"{number} {arm}")
                subprocess.run([*git, "add", "file"], check=True)
                began_s = children_s()
                subprocess.run([*git, "commit", "-q", "-m", "Change it"], check=True)
                each.append((children_s() - began_s) * 1e3)
                if arm != "without hooks":
                    list(hooks.uninstall())
        if len([*owner.root.commit_spool.iterdir()]) != COMMITS:
            sys.exit("not every commit was recorded")
    return took


def children_s() -> float:
    """What ended processes have taken of the processors."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def spread(took: Sequence[float]) -> str:
    """Median and 95th percentile."""
    median, high = np.percentile(took, [50, 95])
    return f"{median:.2f} ms median, {high:.2f} ms p95"


def main() -> int:
    """Print the table; 1 if a bound is broken."""
    rows: Rows = []
    is_broken = False
    for shell in SHELLS:
        without, joined, added_cpu_ms = commands(shell)
        added_ms = float(np.median(joined) - np.median(without))
        is_broken |= added_ms >= BOUND_MS
        rows += [
            (f"{shell}, a command without the hook ({len(without)})", spread(without)),
            (f"{shell}, a command with the hook ({len(joined)})", spread(joined)),
            (f"{shell}, what the hook adds to the median", f"{added_ms:.2f} ms"),
            (f"{shell}, CPU that the hook adds to a command", f"{added_cpu_ms:.2f} ms"),
        ]
    for server in ("absent", "answers", "stalls"):
        took = keys(server)
        is_broken |= float(np.percentile(took, 95)) >= BUDGET_MS
        rows.append((f"zsh, a key while the server {server} ({len(took)})", spread(took)))
    for shell in ("bash", "fish"):
        for is_stalled in (False, True):
            took = presses(shell, is_stalled=is_stalled)
            server = "stalls" if is_stalled else "answers"
            named = f"{shell}, the key that asks while the server {server} ({len(took)})"
            rows.append((named, spread(took)))
    by_arm = commits()
    medians = [float(np.median(took)) for took in by_arm.values()]
    added_ms = medians[2] - medians[1]
    is_broken |= added_ms >= COMMIT_BOUND_MS
    rows += [
        (f"git, CPU of a commit {arm} ({COMMITS})", spread(took)) for arm, took in by_arm.items()
    ]
    rows.append(("git, CPU that recording adds to the median", f"{added_ms:.2f} ms"))
    show(rows)
    return int(is_broken)


sys.exit(main())

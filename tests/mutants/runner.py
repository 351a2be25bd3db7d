"""Plants one fault at a time in a copy of the tree and demands that the named tests turn red.

A promise without a test that can fail is a wish. Each fault breaks one promise by a change of text;
the tests that guard the promise must pass without the fault and fail with it, every one of them.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

TREE = Path(__file__).parents[2]
FAULTS = Path(__file__).with_name("faults")
WORKERS = 2
LIMIT_S = 600
_LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", "__pycache__", ".*_cache", ".hypothesis", "build", "dist"
)
RED = "red"


@dataclass(frozen=True, slots=True)
class Fault:
    """A change of text that breaks a promise, and the tests that must see it."""

    promise: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    @property
    def is_light(self) -> bool:
        """Whether its tests may run beside others: unit tests share nothing."""
        return all(test.startswith("tests/unit/") for test in self.tests)


def load_faults(folder: Path) -> tuple[Fault, ...]:
    """Every fault of every TOML file in the folder, by file name; a wrong key is a TypeError.

    ``old`` stands exactly once in ``file`` and is as short as it can be. A new promise brings a
    new fault.
    """
    files = [
        tomllib.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.toml"))
    ]
    listed = [entry for file in files for entry in file["fault"]]
    return tuple(Fault(**{**entry, "tests": tuple(entry["tests"])}) for entry in listed)


@contextmanager
def planted(tree: Path, fault: Fault) -> Iterator[None]:
    """The fault stands in the tree while the block runs.

    Raises:
        LookupError: The snippet is not there exactly once.
    """
    path = tree / fault.file
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    if text.count(fault.old) != 1:
        raise LookupError(
            f"the snippet stands {text.count(fault.old)} times in {fault.file}, not once"
        )
    path.write_text(text.replace(fault.old, fault.new), encoding="utf-8")
    try:
        yield
    finally:
        path.write_text(text, encoding="utf-8")


def run_tests(tree: Path, tests: Sequence[str]) -> tuple[int, list[str]]:
    """pytest in the tree: its exit status (-1: too slow) and its summary, the ids of failed tests
    among it.
    """
    options = ["-q", "--tb=no", "-rfE", "-p", "no:cacheprovider"]
    environ = {
        **os.environ,
        "PYTHONPATH": str(tree),
        "PYTHONDONTWRITEBYTECODE": "1",
        "COLUMNS": "1000",
    }
    environ["TEST_PATIENCE"] = "1"  # of a planted fault nobody waits for long
    command = [sys.executable, "-m", "pytest", *options, *tests]
    try:
        done = subprocess.run(
            command,
            cwd=tree,
            env=environ,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return -1, [f"no end within {LIMIT_S} s"]
    return done.returncode, [*done.stdout.splitlines(), *done.stderr.splitlines()]


def judge(tree: Path, fault: Fault) -> str:
    """``red`` if every named test failed with the fault; otherwise what is wrong."""
    try:
        with planted(tree, fault):
            status, lines = run_tests(tree, fault.tests)
    except LookupError as error:
        return str(error)
    # An error is a fixture that failed: the test has seen the fault before its first line.
    failed = [
        line.partition(" ")[2].split(" - ")[0]
        for line in lines
        if line.startswith(("FAILED ", "ERROR "))
    ]
    if status not in {0, 1}:
        words = next((line for line in reversed(lines) if line.strip()), "")
        return f"the tests could not run, exit status {status}: {words}"
    blind = [
        test
        for test in fault.tests
        if not any(one == test or one.startswith(f"{test}[") for one in failed)
    ]
    return f"not seen by {', '.join(blind)}" if blind else RED


def judge_all(faults: Sequence[Fault], trees: Sequence[Path]) -> Iterator[tuple[Fault, str, float]]:
    """Each fault with its verdict and seconds: light ones side by side, one to a tree, then the
    others alone.
    """
    free: SimpleQueue[Path] = SimpleQueue()
    for tree in trees:
        free.put(tree)

    def one(fault: Fault) -> tuple[Fault, str, float]:
        tree, started_s = free.get(), time.monotonic()
        try:
            return fault, judge(tree, fault), time.monotonic() - started_s
        finally:
            free.put(tree)

    with ThreadPoolExecutor(len(trees)) as pool:
        yield from pool.map(one, [fault for fault in faults if fault.is_light])
    yield from map(one, [fault for fault in faults if not fault.is_light])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the faults whose promise or file holds one of the words given; all without a word."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutants", description="one planted fault per promise"
    )
    parser.add_argument(
        "words", nargs="*", help="only faults whose promise or file holds one of these"
    )
    words = parser.parse_args(arguments).words
    faults = load_faults(FAULTS)
    faults = tuple(
        fault
        for fault in faults
        if not words or any(w in fault.promise + fault.file for w in words)
    )
    with tempfile.TemporaryDirectory(prefix="selflow-mutants-") as folder:
        trees = [Path(folder) / str(number) for number in range(WORKERS)]
        for tree in trees:
            shutil.copytree(TREE, tree, ignore=_LEFT_OUT)
        status, lines = run_tests(
            trees[0], sorted({test for fault in faults for test in fault.tests})
        )
        if status != 0:
            red = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
            sys.stdout.write(
                "\n".join([*(red or lines[-20:]), "the tests do not pass without a fault", ""])
            )
            return 1
        wrong = 0
        for fault, verdict, duration_s in judge_all(faults, trees):
            wrong += verdict != RED
            mark = verdict if verdict == RED else "NOT RED"
            sys.stdout.write(f"{mark:8}{duration_s:6.1f} s  {fault.promise}\n")
            if verdict != RED:
                sys.stdout.write(f"{'':18}{fault.file}: {verdict}\n")
            sys.stdout.flush()
    sys.stdout.write(f"{len(faults)} faults planted, {len(faults) - wrong} seen by their tests\n")
    return 1 if wrong or not faults else 0

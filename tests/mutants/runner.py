"""Plants one fault at a time in a copy of the tree and demands that the named tests turn red.

A promise without a test that can fail is a wish. Each fault breaks one promise by a change of text;
the tests that guard the promise must pass without the fault and fail with it, every one of them, in
their call phase and with an assertion (or the error that the fault names). A test that fails in its
set-up, or for another reason, proves nothing.
"""

import argparse
import json
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
SOUND_LIMIT_S = 3_600
"""For every named test at once, without a fault."""
_LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", "__pycache__", ".*_cache", ".hypothesis", "build", "dist", "node_modules"
)
_NODE_MODULES = Path("selflow/console/web/node_modules")
"""Large and never changed: the copies refer to it."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A change of text that breaks a promise, and the tests that must see it."""

    promise: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
    error: str = "AssertionError"
    """The exception class that the named tests end with; most often a claim that does not hold."""

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


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed phase of a test: setup, call or teardown, and its error with its base classes."""

    test: str
    phase: str
    errors: tuple[str, ...]

    def is_expected(self, fault: Fault) -> bool:
        """Whether the test itself came to the end that the fault asks for."""
        return self.phase == "call" and fault.error in self.errors

    def __str__(self) -> str:
        return f"{self.errors[0]} in {self.phase}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What pytest said: its exit status (-1: too slow), its lines, what failed and how."""

    status: int
    lines: tuple[str, ...]
    failures: tuple[Failure, ...]

    @property
    def last_line(self) -> str:
        """The last line that says something."""
        return next((line for line in reversed(self.lines) if line.strip()), "")


def run_tests(tree: Path, tests: Sequence[str], limit_s: float = LIMIT_S) -> Outcome:
    """Run pytest in the tree."""
    plugin = ["-p", "tests.mutants.failures"]
    options = ["-q", "--tb=no", "-rfE", "-p", "no:cacheprovider", *plugin]
    command = [sys.executable, "-m", "pytest", *options, *tests]
    with tempfile.TemporaryDirectory(prefix="selflow-mutants-") as folder:
        failed = Path(folder) / "failures.jsonl"
        environ = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join((str(tree), str(TREE))),
            "PYTHONDONTWRITEBYTECODE": "1",
            "COLUMNS": "1000",
            "TEST_PATIENCE": "1",  # of a planted fault nobody waits for long
            "FAILURES": str(failed),
        }
        try:
            done = subprocess.run(
                command,
                cwd=tree,
                env=environ,
                capture_output=True,
                text=True,
                timeout=limit_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Outcome(-1, (f"no end within {limit_s:.0f} s",), ())
        written = failed.read_text(encoding="utf-8").splitlines() if failed.is_file() else []
    lines = (*done.stdout.splitlines(), *done.stderr.splitlines())
    return Outcome(done.returncode, lines, tuple(map(_failure, written)))


def _failure(line: str) -> Failure:
    entry = json.loads(line)
    return Failure(entry["test"], entry["phase"], tuple(entry["errors"]))


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether every named test saw the fault, and how they failed; otherwise what is wrong."""

    is_red: bool
    reason: str


def judge(tree: Path, fault: Fault) -> Verdict:
    """Plant the fault, run its tests, and say what each of them saw."""
    try:
        with planted(tree, fault):
            outcome = run_tests(tree, fault.tests)
    except LookupError as error:
        return Verdict(is_red=False, reason=str(error))
    if outcome.status not in {0, 1}:
        reason = f"the tests could not run, exit status {outcome.status}: {outcome.last_line}"
        return Verdict(is_red=False, reason=reason)
    seen, blind = set[str](), []
    for test in fault.tests:
        own = [one for one in outcome.failures if test in {one.test, one.test.partition("[")[0]}]
        expected = {str(one) for one in own if one.is_expected(fault)}
        seen |= expected
        if not expected:
            other = ", ".join(sorted(set(map(str, own))))
            blind.append(f"{test} ({other}, expected {fault.error} in call)" if other else test)
    if blind:
        return Verdict(is_red=False, reason=f"not seen by {', '.join(blind)}")
    return Verdict(is_red=True, reason=", ".join(sorted(seen)))


def judge_all(
    faults: Sequence[Fault], trees: Sequence[Path]
) -> Iterator[tuple[Fault, Verdict, float]]:
    """Each fault with its verdict and seconds: light ones side by side, one to a tree, then the
    others alone.
    """
    free: SimpleQueue[Path] = SimpleQueue()
    for tree in trees:
        free.put(tree)

    def one(fault: Fault) -> tuple[Fault, Verdict, float]:
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
            (tree / _NODE_MODULES).symlink_to(TREE / _NODE_MODULES)
        named = sorted({test for fault in faults for test in fault.tests})
        sound = run_tests(trees[0], named, SOUND_LIMIT_S)
        if sound.status != 0:
            red = [line for line in sound.lines if line.startswith(("FAILED", "ERROR"))]
            sys.stdout.write(
                "\n".join([*(red or sound.lines[-20:]), "the tests fail without a fault", ""])
            )
            return 1
        missed = 0
        for fault, verdict, duration_s in judge_all(faults, trees):
            missed += not verdict.is_red
            mark = "red" if verdict.is_red else "NOT RED"
            sys.stdout.write(f"{mark:8}{duration_s:6.1f} s  {fault.promise}: {verdict.reason}\n")
            sys.stdout.flush()
    sys.stdout.write(f"{len(faults)} faults planted, {len(faults) - missed} seen by their tests\n")
    return 1 if missed or not faults else 0

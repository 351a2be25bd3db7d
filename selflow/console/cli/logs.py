"""``selflow logs``: what the processes wrote. Our logs are content-free: names, ids, sizes, never
an event.
"""

import json
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from selflow.core.clock import Clock, SystemClock
from selflow.core.errors import UsageError
from selflow.core.invocation import Invocation, printable
from selflow.core.paths import Root

_FOLLOW_S = 0.5


@dataclass(frozen=True, slots=True)
class LogFile:
    """One file and the name under which it is asked for."""

    name: str
    path: Path


def logs(
    ctx: typer.Context,
    name: Annotated[
        str | None, typer.Argument(help="Only logs whose name begins with this, such as collector.")
    ] = None,
    lines: Annotated[
        int, typer.Option(min=0, max=100_000, help="Number of last lines of each log.")
    ] = 20,
    *,
    follow: Annotated[
        bool, typer.Option("--follow", help="Keep printing new lines until Ctrl-C.")
    ] = False,
) -> None:
    """Show the logs.

    SelFlow's own and, while a Ray session is there, those that Ray keeps of our processes.
    """
    call: Invocation = ctx.obj
    files = log_files(call.root)
    if name is not None:
        named = [file for file in files if file.name.startswith(name)]
        if not named:
            names = ", ".join(sorted({file.name for file in files})) or "no logs yet"
            raise UsageError(f"unknown log: {name}", f"logs: {names}")
        files = named
    if follow:
        _follow(call, files, lines, SystemClock())
    else:
        _list(call, files, lines)


def log_files(root: Root) -> list[LogFile]:
    """Every log, ours before Ray's, by name."""
    ours = [LogFile(path.stem, path) for path in sorted(root.log.glob("*.log"))]
    rays = [
        LogFile(f"ray/{path.relative_to(folder)}", path)
        for base in (root.run, root.short_run())
        if (folder := base / "ray" / "session_latest" / "logs").is_dir()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix in {".log", ".out", ".err"} and path.stat().st_size
    ]
    return ours + rays


def _tail(path: Path, lines: int) -> list[str]:
    with path.open(encoding="utf-8", errors="replace") as file:
        return [line.rstrip("\n") for line in deque(file, maxlen=lines)]


def _list(call: Invocation, files: Sequence[LogFile], lines: int) -> None:
    tails = [(file, _tail(file.path, lines)) for file in files]
    items = [{"name": file.name, "path": str(file.path), "lines": tail} for file, tail in tails]
    shown = (
        line
        for file, tail in tails
        for line in (call.paint(f"==> {file.name} <==", "bold"), *map(printable, tail))
    )
    call.show({"items": items}, shown)


def _follow(call: Invocation, files: Sequence[LogFile], lines: int, clock: Clock) -> None:
    """Print what is appended, one line after the other; with --json one document per line."""
    offsets = {file: file.path.stat().st_size for file in files}
    for file in files:
        _print_lines(call, file, _tail(file.path, lines))
    while True:
        call.out.flush()
        clock.sleep(_FOLLOW_S)
        for file, offset in offsets.items():
            with suppress(FileNotFoundError):  # between the two steps of a rotation
                offsets[file], new_lines = _read_on(file.path, offset)
                _print_lines(call, file, new_lines)


def _read_on(path: Path, offset: int) -> tuple[int, list[str]]:
    """Whole lines from ``offset`` on; from the beginning if the file has become shorter."""
    with path.open("rb") as log:
        start = 0 if log.seek(0, 2) < offset else offset
        log.seek(start)
        whole, newline, _ = log.read().rpartition(b"\n")
    return start + len(whole) + len(newline), whole.decode("utf-8", "replace").splitlines()


def _print_lines(call: Invocation, file: LogFile, lines: Sequence[str]) -> None:
    for line in lines:
        document = json.dumps({"name": file.name, "line": line}, ensure_ascii=False)
        call.out.write(f"{document}\n" if call.is_json else f"{file.name}: {printable(line)}\n")

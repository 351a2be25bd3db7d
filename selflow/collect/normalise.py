"""Paths: which ones never count, and how the rest are written.

Two kinds of rules. The owner's **exclusions** (``privacy.exclude_paths``, ``privacy.exclude_apps``)
hold for every event, wherever it comes from. The **noise** list (VCS internals, caches, build
output, swap files) holds for the file source alone: it is not private, only worthless.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import PurePosixPath
from posixpath import normpath
from urllib.parse import unquote, urlsplit

from pathspec import GitIgnoreSpec

from selflow.core.errors import ConfigError
from selflow.core.events import COMMIT_MESSAGE, Event, Json
from selflow.core.shell_line import programs_of

NOISE = (
    *(".git/", ".hg/", ".svn/", ".bzr/", ".jj/", "CVS/", "_darcs/"),
    *(
        "__pycache__/",
        "*.py[cod]",
        ".mypy_cache/",
        ".pytest_cache/",
        ".ruff_cache/",
        ".tox/",
        ".nox/",
        ".hypothesis/",
    ),
    *(
        ".venv/",
        "venv/",
        "*.egg-info/",
        ".eggs/",
        "node_modules/",
        ".npm/",
        ".pnpm-store/",
        ".yarn/",
        "bower_components/",
    ),
    *(
        ".cache/",
        ".gradle/",
        ".m2/",
        ".cargo/",
        ".rustup/",
        ".ccache/",
        ".terraform/",
        ".parcel-cache/",
        ".next/",
        ".nuxt/",
    ),
    *(
        "build/",
        "dist/",
        "target/",
        "_build/",
        "dist-newstyle/",
        ".stack-work/",
        "cmake-build-*/",
        "*.o",
        "*.obj",
        "*.class",
    ),
    *(
        "*.swp",
        "*.swo",
        "*.swx",
        "*~",
        ".#*",
        "\\#*\\#",
        "4913",
        ".goutputstream-*",
        "*.tmp",
        "*.crdownload",
        "*.part",
    ),
    *(".DS_Store", "Thumbs.db", ".Trash*/", ".local/share/Trash/"),
)
"""What the file source ignores, in ``.gitignore`` syntax; the owner's ``exclude: ["!build/"]``
takes one back.
"""

_PATH_PART = re.compile(r"""[^\s"'=,;|&<>()]+""")


class PathRules:
    """Globs in ``.gitignore`` syntax over absolute paths; ``~`` is the home folder.

    Args:
        patterns: A pattern that starts with ``/`` or ``~`` is anchored; any other matches at every
            depth. home: The owner's home folder.

    Raises:
        ConfigError: If a pattern is not valid; it is quoted, for it is the owner's own setting.
    """

    def __init__(self, patterns: Sequence[str], home: str) -> None:
        self._home = home.rstrip("/")
        try:
            self._spec = GitIgnoreSpec.from_lines(
                [_anchor(pattern, self._home) for pattern in patterns]
            )
        except ValueError as error:
            raise ConfigError(
                f"invalid path pattern: {error}", "see the syntax of .gitignore"
            ) from error
        self._matches = lru_cache(maxsize=4_096)(self._spec.match_file)

    def match(self, path: str, *, is_folder: bool = False) -> bool:
        """Whether a path, or a folder above it, matches. ``..`` and doubled slashes are resolved
        first.
        """
        if path == "~" or path.startswith("~/"):
            path = self._home + path[1:]
        plain = normpath(path).lstrip("/")
        return bool(self._matches(plain + "/" if is_folder else plain))


class Exclusions:
    """The owner's privacy rules: what is dropped before it is stored, whoever reports it.

    A path counts wherever it stands: as the subject, among the words of a command line, or in
    ``data``.

    Args:
        paths: Globs as in ``.gitignore``.
        apps: Program names, case-insensitive, ``*`` allowed.
        home: The owner's home folder.
    """

    def __init__(self, paths: Sequence[str], apps: Sequence[str], home: str) -> None:
        self._paths = PathRules(paths, home) if paths else None
        self._apps = tuple(app.lower() for app in apps)

    def covers(self, event: Event) -> bool:
        """Whether the event is to be dropped."""
        if self._apps and any(
            fnmatchcase(name, app) for name in _programs(event) for app in self._apps
        ):
            return True
        rules = self._paths
        return rules is not None and any(
            rules.match(path, is_folder=True) for path in _paths(event)
        )


def write_home(text: str, home: str) -> str:
    """The text with the home folder written ``~`` wherever a path begins with it."""
    if not home.strip("/") or home not in text:
        return text
    return _home_pattern(home.rstrip("/")).sub("~", text)


@lru_cache(maxsize=8)
def _home_pattern(home: str) -> re.Pattern[str]:
    return re.compile(
        rf"(?<![\w.~/-]){re.escape(home)}(?![\w.-])|(?<=file://){re.escape(home)}(?![\w.-])"
    )


def _anchor(pattern: str, home: str) -> str:
    negation, rest = ("!", pattern[1:]) if pattern.startswith("!") else ("", pattern)
    return negation + (home + rest[1:] if rest == "~" or rest.startswith("~/") else rest)


def _programs(event: Event) -> Iterator[str]:
    """The names that an event's programs go by: its app and, of a command line, every program that
    it runs; as they are written and without their folder.
    """
    for name in (event.app, *(programs_of(event.subject) if _is_shell(event) else ())):
        if name:
            yield name.lower()
            yield PurePosixPath(name).name.lower()


def _is_shell(event: Event) -> bool:
    return event.kind.startswith("shell.")


def _paths(event: Event) -> Iterator[str]:
    """Everything in an event that could be a path: subjects whole and word by word, and the texts
    of ``data``.
    """
    for text in (event.subject, *_texts(event.data), *_committed(event)):
        if text:
            yield text
            for part in _PATH_PART.findall(text):
                yield unquote(urlsplit(part).path) if part.startswith("file://") else part


def _committed(event: Event) -> Iterator[str]:
    """The whole paths of a commit: it names them from its repository on."""
    folder, paths = event.data.get("folder"), event.data.get("paths")
    if event.kind == COMMIT_MESSAGE and folder and isinstance(paths, list):
        yield from (f"{folder}/{path}" for path in paths)


def _texts(data: Mapping[str, Json]) -> Iterator[str]:
    values: list[Json] = list(data.values())
    while values:
        value = values.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            values.extend(value)
        elif isinstance(value, dict):
            values.extend(value.values())

"""References in code and docs, each with the file or section that it must lead to."""

import functools
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from tests.unit.house.rules import PACKAGES, text_files

_PAGE = re.compile(r"(docs/[\w./-]+\.md(?:#[a-z0-9-]+)?)|``([\w./-]+\.md(?:#[a-z0-9-]+)?)``")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_DECISION = re.compile(r"\bdecisions? (\d{4})\b")
_PATH = re.compile(r"`((?:[\w.-]+/)+(?:[\w-]+\.\w+)?|[\w-]+\.py)`")
_MODULE = re.compile(r"``((?:actors|selflow|serve|tune|bench)(?:\.\w+)+)(?<!\.yaml)``")
_HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)
_OURS = (*PACKAGES, "bench", "docs", "tests", "configs", "deploy")
"""Folders whose names begin a path of ours."""
_HISTORY = "CHANGELOG.md"
"""What it names may be gone."""


def broken_references(root: Path) -> list[str]:
    """Pages, sections, decisions, paths and modules that code or docs name and that are not
    there.
    """
    found = []
    for path, text in text_files(root):
        if path.suffix not in {".py", ".md", ".toml", ".yaml"} and path.name != "Makefile":
            continue
        inside = path.relative_to(root)
        if path.name == "test_references.py":
            continue
        checks = [*_pages(root, path, text), *_decisions(root, text)]
        if path.suffix == ".md" and path.name != _HISTORY:
            checks += _paths(root, text)
        if path.suffix == ".py" and inside.parts[0] != "tests":
            checks += _modules(root, text)
        found += [
            f"{inside}:{text.count(chr(10), 0, at) + 1} {reference}" for at, reference in checks
        ]
    return found


def _pages(root: Path, path: Path, text: str) -> Iterator[tuple[int, str]]:
    """Pages and their sections: links of a page, and pages that code names by their path."""
    is_page = path.suffix == ".md"
    if path.is_relative_to(root / "tests"):
        return
    for match in (_LINK if is_page else _PAGE).finditer(text):
        reference = next(part for part in match.groups() if part)
        name, _, section = reference.partition("#")
        if "://" in name:
            continue
        target = (path.parent if is_page else root) / name if name else path
        if not target.exists() or (section and section not in _sections(target)):
            yield match.start(), reference


@functools.cache
def _sections(page: Path) -> frozenset[str]:
    """The anchors of a page's headings, as forges make them."""
    headings = _HEADING.findall(page.read_text(encoding="utf-8"))
    words = (re.sub(r"[^\w\s-]", "", heading.lower()) for heading in headings)
    return frozenset(re.sub(r"\s", "-", heading) for heading in words)


def _decisions(root: Path, text: str) -> Iterator[tuple[int, str]]:
    for match in _DECISION.finditer(text):
        if not any((root / "docs/decisions").glob(f"{match.group(1)}-*.md")):
            yield match.start(), match.group()


def _paths(root: Path, text: str) -> Iterator[tuple[int, str]]:
    """Files and folders that a page names between backticks."""
    for match in _PATH.finditer(text):
        name = match.group(1)
        first = name.partition("/")[0]
        if "/" not in name:
            is_there = name in _file_names(root)
        else:
            is_there = first not in _OURS or (root / name).exists()
        if not is_there:
            yield match.start(), name


@functools.cache
def _file_names(root: Path) -> frozenset[str]:
    return frozenset(path.name for path, _ in text_files(root))


def _modules(root: Path, text: str) -> Iterator[tuple[int, str]]:
    """Modules, what stands in them, and groups of entry points, that code names."""
    for match in _MODULE.finditer(text):
        name = match.group(1)
        if not (name in _groups(root) or _is_setting(root, name) or _is_defined(root, name)):
            yield match.start(), name


@functools.cache
def _setting_names(root: Path) -> frozenset[str]:
    settings = root / "selflow/core/settings.py"
    text = settings.read_text(encoding="utf-8") if settings.is_file() else ""
    return frozenset(re.findall(r"^    (\w+):", text, re.MULTILINE))


def _is_setting(root: Path, name: str) -> bool:
    """Whether this is a key of a section that bears a package's name, such as ``serve.port``."""
    section, _, key = name.partition(".")
    return section in _setting_names(root) and key in _setting_names(root)


@functools.cache
def _groups(root: Path) -> frozenset[str]:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return frozenset(project["entry-points"])


def _is_defined(root: Path, name: str) -> bool:
    """Whether a dotted name is a module, or stands in one."""
    parts = name.split(".")
    for n in range(len(parts), 0, -1):
        place = root.joinpath(*parts[:n])
        if place.is_dir() or place.with_suffix(".py").is_file():
            if n == len(parts):
                return True
            module = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
            return module.is_file() and bool(
                re.search(rf"\b{parts[n]}\b", module.read_text(encoding="utf-8"))
            )
    return False

"""A name says what it stands for: words that name nothing are refused, package by package."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.house import rules

VAGUE = {
    *("told", "made", "kept", "found", "asked", "each", "word"),
    *("place", "places", "worth", "fresh", "chance", "chances"),
}
"""A message, a result, what is retained, matches, requests, an index, a probability, ... have names
of their own.
"""
CLEAN = (
    "actors",
    "selflow/collect",
    "selflow/console",
    "selflow/core",
    "selflow/discover",
    "selflow/govern",
    "selflow/judge",
    "selflow/lm",
    "selflow/predict",
    "selflow/route",
    "selflow/sdk",
    "selflow/search",
    "selflow/store",
    "selflow/testing",
    "selflow/text",
    "selflow/web",
    "serve",
    "tune",
)
"""Folders in which no name is vague."""
NOUNS: dict[str, set[str]] = {"selflow/core/shell_line.py": {"word"}}
"""By module, words of the list that name their thing there: a shell line does consist of words."""


def vague_names(root: Path) -> list[str]:
    """Parameters, variables, fields, functions and classes that bear a vague name."""
    return [
        f"{path}:{line} {name}"
        for path, _, tree in rules.modules(root)
        if path.as_posix().startswith(tuple(f"{folder}/" for folder in CLEAN))
        for node in ast.walk(tree)
        for name, line in _bound(node)
        if name.strip("_").lower() in VAGUE - NOUNS.get(path.as_posix(), set())
    ]


def _bound(node: ast.AST) -> Iterator[tuple[str, int]]:
    """The name that a node gives to something, if it does."""
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id, node.lineno
    elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
        yield node.attr, node.lineno
    elif isinstance(node, ast.arg):
        yield node.arg, node.lineno
    elif isinstance(node, rules.Function | ast.ClassDef):
        yield node.name, node.lineno


def test_names_say_what_they_stand_for() -> None:
    assert vague_names(rules.HERE) == []


def test_every_clean_folder_and_noun_is_there() -> None:
    assert [name for name in (*CLEAN, *NOUNS) if not (rules.HERE / name).exists()] == []


@pytest.mark.parametrize(
    "text",
    [
        "told = 1\n",
        "def f(place): return place\n",
        "def _made(): return 1\n",
        "class Rows:\n    fresh: float\n",
        "for each in ():\n    pass\n",
        "class A:\n    def __init__(self):\n        self._kept = 1\n",
    ],
)
def test_a_vague_name_is_seen(text: str, tmp_path: Path) -> None:
    (tmp_path / "tune").mkdir()
    (tmp_path / "tune/m.py").write_text(text)

    assert len(vague_names(tmp_path)) == 1

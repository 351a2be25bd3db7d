"""Imports of our own modules, resolved from the syntax trees: nothing is imported, so this costs a
second and sees what only a run with Ray or torch would.
"""

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from tests.unit.house.rules import PACKAGES

FOLDERS = (*PACKAGES, "tests", "bench")


def stale_imports(root: Path) -> list[str]:
    """``import`` and ``from`` statements, at the top or in a function, that name a module of ours,
    or a name in one, that does not exist.
    """
    return [
        f"{path.relative_to(root)}:{line} {name}"
        for folder in FOLDERS
        for path in sorted((root / folder).rglob("*.py"))
        for name, line in _imported(_tree(path))
        if name.partition(".")[0] in FOLDERS and not _exists(root, name)
    ]


def _imported(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Every absolutely imported name with its dots, and its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((item.name, node.lineno) for item in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from ((f"{node.module}.{item.name}", node.lineno) for item in node.names)


def _exists(root: Path, name: str) -> bool:
    """Whether a dotted name is a module or package, or is bound at the top of one."""
    path = root.joinpath(*name.split("."))
    if path.is_dir() or path.with_suffix(".py").is_file():
        return True
    parent = path.parent
    module = parent / "__init__.py" if parent.is_dir() else parent.with_suffix(".py")
    return module.is_file() and path.name in _bound(module)


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def _bound(module: Path) -> frozenset[str]:
    """The names that a module binds outside functions and classes, and those of its ``__all__``,
    which ``__getattr__`` may resolve.
    """
    return frozenset(_names(_tree(module).body))


def _names(body: Iterable[ast.AST]) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (item.asname or item.name.partition(".")[0] for item in node.names)
        elif isinstance(node, ast.Name):
            yield from [node.id] if isinstance(node.ctx, ast.Store) else []
        else:
            yield from _names(ast.iter_child_nodes(node))
        if isinstance(node, ast.Assign) and _is_all(node):
            yield from ast.literal_eval(node.value)


def _is_all(node: ast.Assign) -> bool:
    return any(isinstance(target, ast.Name) and target.id == "__all__" for target in node.targets)

"""The map names every folder, and the modules where a newcomer would look first."""

import ast
import re
from pathlib import Path

import pytest

from tests.unit.house.rules import HERE, PACKAGES

MAP = (HERE / "docs/map.md").read_text(encoding="utf-8")
PLACES = re.findall(r"^\| (.+?) \| `([\w/]+\.py)` \| `([\w.]+)` \|$", MAP, re.MULTILINE)
FOLDERS = re.findall(r"^\| `([\w/]+)/` \|", MAP, re.MULTILINE)


def defined(module: Path) -> set[str]:
    """The names that a module defines, and those in its classes as ``Class.name``."""
    names = set()
    for node in ast.parse(module.read_text(encoding="utf-8")).body:
        names |= _names(node)
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}.{name}" for item in node.body for name in _names(item)}
    return names


def _names(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else []
    targets = [node.target] if isinstance(node, ast.AnnAssign) else targets
    return {target.id for target in targets if isinstance(target, ast.Name)}


def test_the_map_lists_fifteen_places() -> None:
    assert len(PLACES) == 15


@pytest.mark.parametrize(("what", "module", "name"), PLACES, ids=[what for what, _, _ in PLACES])
def test_each_place_is_where_the_map_says(what: str, module: str, name: str) -> None:
    assert name in defined(HERE / module), f"{what}: {module} does not define {name}"


def test_the_map_names_every_folder_of_the_product() -> None:
    below = [path.parent for path in (HERE / "selflow").glob("*/__init__.py")]
    folders = {str(path.relative_to(HERE)) for path in below} | set(PACKAGES) - {"selflow"}

    assert folders <= set(FOLDERS)
    assert all((HERE / folder).is_dir() for folder in FOLDERS)

"""No import of ours names what is gone, also in the tests that need Ray or torch."""

from pathlib import Path

import pytest

from tests.unit.house.imports import stale_imports
from tests.unit.house.rules import HERE


@pytest.mark.slow
def test_every_import_of_ours_names_something_that_exists() -> None:
    assert stale_imports(HERE) == []


@pytest.mark.parametrize(
    "text",
    [
        "from selflow.m import gone\n",
        "from selflow.gone import RULE\n",
        "import selflow.gone\n",
        "def test_it():\n    from selflow.m import gone\n",
        "from selflow.m import used\n",
        "from selflow.m import read\n",
    ],
)
def test_a_stale_import_is_found(text: str, tmp_path: Path) -> None:
    _write(
        tmp_path,
        "selflow/m.py",
        "RULE = 1\ndef f():\n    used = RULE\n    return used\nprint(read)\n",
    )
    _write(tmp_path, "tests/lm/test_m.py", text)

    assert len(stale_imports(tmp_path)) == 1


def test_imports_that_resolve_and_foreign_ones_are_let_through(tmp_path: Path) -> None:
    _write(tmp_path, "selflow/__init__.py", '__all__ = ["Lazy"]\n')
    _write(
        tmp_path,
        "selflow/m.py",
        "import os\ntry:\n    import fast as loader\nexcept ImportError:\n    loader = None\n"
        "A, B = 1, 2\nC: int = 3\nclass D:\n    pass\nif A:\n    def e(): return 1\n",
    )
    names = "os, loader, A, B, C, D, e"
    text = (
        f"import gone\nimport selflow.m\nfrom selflow import Lazy, m\nfrom selflow.m import {names}"
    )
    _write(tmp_path, "tests/lm/test_m.py", text)

    assert stale_imports(tmp_path) == []


def _write(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")

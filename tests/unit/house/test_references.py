"""Whatever code and docs refer to is there, and the check sees what is not."""

from pathlib import Path

import pytest

from tests.unit.house.references import broken_references
from tests.unit.house.rules import HERE


def test_every_reference_leads_somewhere() -> None:
    assert broken_references(HERE) == [], "name a page by its path: docs/http.md#feedback"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("selflow/m.py", '"""As ``learning.md`` 4.1."""\n'),
        ("selflow/m.py", '"""See docs/page.md#gone."""\n'),
        ("selflow/m.py", "# decision 9999\n"),
        ("selflow/m.py", '"""As ``selflow.gone.thing`` does."""\n'),
        ("docs/other.md", "[a page](gone.md)\n"),
        ("docs/other.md", "[a section](page.md#gone)\n"),
        ("docs/other.md", "The rule is in `selflow/gone.py`.\n"),
        ("docs/other.md", "The rule is in `gone.py`.\n"),
    ],
)
def test_a_reference_to_nothing_is_found(name: str, text: str, tmp_path: Path) -> None:
    _write(tmp_path, "pyproject.toml", '[project.entry-points."selflow.group"]\n')
    _write(tmp_path, "docs/page.md", "# Page\n\n## A section\n")
    _write(tmp_path, name, text)

    assert len(broken_references(tmp_path)) == 1


def test_references_that_lead_somewhere_are_let_through(tmp_path: Path) -> None:
    _write(tmp_path, "pyproject.toml", '[project.entry-points."selflow.group"]\n')
    _write(tmp_path, "docs/page.md", "# Page\n\n## A section, or two\n")
    _write(tmp_path, "docs/decisions/0001-first.md", "See [it](../page.md#a-section-or-two).\n")
    _write(
        tmp_path,
        "selflow/m.py",
        '"""As docs/page.md#a-section-or-two; decision 0001, ``selflow.m.RULE``, '
        '``selflow.group``."""\nRULE = 1\n',
    )

    assert broken_references(tmp_path) == []


def _write(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")

"""Every promise of the pages has a planted fault that can turn a test red."""

import re
import tomllib

import pytest

from tests.mutants.runner import FAULTS, load_faults
from tests.unit.house.rules import HERE

SECTIONS = {
    "README.md": ("What it promises",),
    "docs/architecture.md": ("What never happens",),
    "docs/security.md": ("Cannot", "Web pages in the owner's browser", "Clusters that the owner"),
    "docs/http.md": ("Access",),
    "docs/console.md": ("What never happens",),
    "docs/shell.md": ("Never", "Suggestions never"),
}
"""The promising sections of each page; each of their items is a promise."""
PROMISES = tomllib.loads((HERE / "tests/mutants/promises.toml").read_text(encoding="utf-8"))[
    "promise"
]


def one_line(text: str) -> str:
    return " ".join(text.split())


def items(page: str, heading: str) -> list[str]:
    """The list items of a section, each on one line."""
    text = (HERE / page).read_text(encoding="utf-8")
    (section,) = re.findall(rf"(?ms)^##+ {re.escape(heading)}.*?$(.*?)(?=^#|\Z)", text)
    found = re.findall(r"(?ms)^(?:\*|\d+\.) (.*?)(?=^(?:\*|\d+\.) |^\S|^$|\Z)", section)
    return [one_line(item) for item in found]


@pytest.mark.parametrize(
    ("page", "heading"),
    [(page, heading) for page, headings in SECTIONS.items() for heading in headings],
)
def test_every_item_of_a_promising_section_has_planted_faults(page: str, heading: str) -> None:
    promised = [each["says"] for each in PROMISES if each["page"] == page]
    found = items(page, heading)

    assert found
    assert [item for item in found if not any(says in item for says in promised)] == []


def test_every_named_promise_stands_on_its_page() -> None:
    pages = {each["page"]: one_line((HERE / each["page"]).read_text("utf-8")) for each in PROMISES}

    assert [each["says"] for each in PROMISES if pages[each["page"]].count(each["says"]) != 1] == []


def test_every_named_fault_is_planted() -> None:
    planted = {fault.promise for fault in load_faults(FAULTS)}

    assert all(each["faults"] for each in PROMISES)
    assert {name for each in PROMISES for name in each["faults"]} - planted == set()

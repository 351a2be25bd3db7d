"""The sizes of the house, and proof that each limit can be broken."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.house import rules

RULES = [
    rules.long_modules,
    rules.long_functions,
    rules.long_shells,
    rules.wide_classes,
    rules.unfinished,
    rules.unused,
]
LONG = "\n".join(f"    x{number} = {number}" for number in range(61))
METHODS = "\n".join(f"    def m{number}(self): return 1" for number in range(11))
FAULTS: list[tuple[Callable[[Path], list[str]], str, str]] = [
    (rules.long_modules, "selflow/m.py", "x = 1\n" * 401),
    (rules.long_functions, "serve/m.py", f"def f():\n{LONG}\n"),
    (rules.long_shells, "actors/m.py", "class BufferShell:\n" + "    x = 1\n" * 120),
    (rules.wide_classes, "tune/m.py", f"class Wide:\n{METHODS}\n"),
    (rules.unused, "selflow/m.py", "def only_tests_call_me():\n    return 1\n"),
    (
        rules.unused,
        "tune/m.py",
        "class _A:\n    @property\n    def p95(self):\n        return _A",
    ),
    (rules.unfinished, "selflow/m.py", "# TO" + "DO later\n"),
    (rules.unfinished, "selflow/m.py", "def f():\n    raise NotImplemented" + "Error\n"),
    (rules.unfinished, "selflow/m.py", 'def f():\n    """Says it does."""\n    ...\n'),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_house_keeps_its_sizes(rule: Callable[[Path], list[str]]) -> None:
    assert rule(rules.HERE) == []


def test_nine_of_ten_functions_are_short() -> None:
    assert rules.p90_function_lines(rules.HERE) <= rules.P90_FUNCTION_LINES


@pytest.mark.parametrize(
    ("rule", "name", "text"), FAULTS, ids=lambda value: getattr(value, "__name__", "")
)
def test_each_size_rule_sees_its_fault(
    rule: Callable[[Path], list[str]], name: str, text: str, tmp_path: Path
) -> None:
    (tmp_path / name).parent.mkdir()
    (tmp_path / name).write_text(text)

    assert len(rule(tmp_path)) == 1


def test_protocols_and_properties_are_let_through(tmp_path: Path) -> None:
    (tmp_path / "selflow").mkdir()
    properties = "\n".join(
        f"    @property\n    def p{number}(self): return 1" for number in range(11)
    )
    protocol = 'class Clock(Protocol):\n    def now(self):\n        """The time."""\n        ...\n'
    (tmp_path / "selflow/m.py").write_text(f"{protocol}class Root:\n{properties}\n")

    sizes = [rule for rule in RULES if rule is not rules.unused]
    assert [offence for rule in sizes for offence in rule(tmp_path)] == []

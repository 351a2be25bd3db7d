"""The list of faults is in step with the tree, and the runner tells a fault that is seen from one
that is not.
"""

from pathlib import Path

import pytest

from tests.mutants.runner import FAULTS, Fault, Verdict, judge, judge_all, load_faults
from tests.unit.house.rules import HERE

LISTED = load_faults(FAULTS)
MODULE = "def limit():\n    return 5\n"
TEST = (
    "import rule\ndef test_limit():\n    assert rule.limit() == 5\ndef test_more():\n    "
    "assert rule.limit() > 2\n"
)

WORLD = """
import pytest, rule
@pytest.fixture
def world():
    assert rule.limit() == 5
def test_world(world):
    assert rule.limit() == 5
"""


@pytest.mark.parametrize("fault", LISTED, ids=lambda fault: fault.promise)
def test_every_fault_still_applies_and_names_tests_that_exist(fault: Fault) -> None:
    assert (HERE / fault.file).read_text().count(fault.old) == 1
    assert fault.old != fault.new
    assert fault.tests
    for test in fault.tests:
        path, _, name = test.partition("[")[0].partition("::")

        assert f"def {name.partition('::')[2] or name}(" in (HERE / path).read_text()


def test_every_promise_is_named_once() -> None:
    assert len({fault.promise for fault in LISTED}) == len(LISTED)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree of one rule and two tests."""
    (tmp_path / "rule.py").write_text(MODULE)
    (tmp_path / "test_rule.py").write_text(TEST)
    return tmp_path


@pytest.mark.slow
def test_a_fault_is_red_only_if_every_named_test_sees_it(tree: Path) -> None:
    both = ("test_rule.py::test_limit", "test_rule.py::test_more")
    faults = [
        Fault("seen", "rule.py", "return 5", "return 1", both),
        Fault("half seen", "rule.py", "return 5", "return 4", both),
    ]
    verdicts = {fault.promise: verdict for fault, verdict, _ in judge_all(faults, [tree])}

    assert verdicts["seen"] == Verdict(is_red=True, reason="AssertionError in call")
    assert verdicts["half seen"] == Verdict(
        is_red=False, reason="not seen by test_rule.py::test_more"
    )
    assert (tree / "rule.py").read_text() == MODULE


@pytest.mark.slow
def test_a_test_that_fails_for_another_reason_proves_nothing(tree: Path) -> None:
    limit = ("test_rule.py::test_limit",)
    world = ("test_world.py::test_world",)
    (tree / "test_world.py").write_text(WORLD)
    cases = {
        "another error": Fault("a", "rule.py", "return 5", "return 5 + None", limit),
        "set-up": Fault("b", "rule.py", "return 5", "return 6", world),
        "named error": Fault("c", "rule.py", "return 5", "return 5 + None", limit, "TypeError"),
    }
    verdicts = {name: judge(tree, fault) for name, fault in cases.items()}

    assert verdicts["named error"] == Verdict(is_red=True, reason="TypeError in call")
    assert not verdicts["another error"].is_red
    assert "(TypeError in call, expected AssertionError" in verdicts["another error"].reason
    assert not verdicts["set-up"].is_red
    assert "(AssertionError in setup, expected" in verdicts["set-up"].reason


@pytest.mark.slow
def test_a_fault_that_does_not_apply_or_does_not_run_is_no_proof(tree: Path) -> None:
    test = ("test_rule.py::test_limit",)
    gone = judge(tree, Fault("gone", "rule.py", "return 6", "", test))
    broken = judge(tree, Fault("broken", "rule.py", "return 5", "return (", test))

    assert gone.reason == "the snippet stands 0 times in rule.py, not once"
    assert broken.reason.startswith("the tests could not run, exit status")
    assert not gone.is_red
    assert not broken.is_red

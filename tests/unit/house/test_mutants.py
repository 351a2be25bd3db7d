"""The list of faults is in step with the tree, and the runner tells a fault that is seen from one
that is not.
"""

from pathlib import Path

import pytest

from tests.mutants.runner import FAULTS, RED, Fault, judge, judge_all, load_faults
from tests.unit.house.rules import HERE

LISTED = load_faults(FAULTS)
MODULE = "def limit():\n    return 5\n"
TEST = (
    "import rule\ndef test_limit():\n    assert rule.limit() == 5\ndef test_more():\n    "
    "assert rule.limit() > 2\n"
)


@pytest.mark.parametrize("fault", LISTED, ids=lambda fault: fault.promise)
def test_every_fault_still_applies_and_names_tests_that_exist(fault: Fault) -> None:
    assert (HERE / fault.file).read_text().count(fault.old) == 1
    assert fault.old != fault.new
    assert fault.tests
    for test in fault.tests:
        path, _, name = test.partition("::")

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

    assert verdicts == {"seen": RED, "half seen": "not seen by test_rule.py::test_more"}
    assert (tree / "rule.py").read_text() == MODULE


@pytest.mark.slow
def test_a_fault_that_does_not_apply_or_does_not_run_is_no_proof(tree: Path) -> None:
    gone = judge(tree, Fault("gone", "rule.py", "return 6", "", ("test_rule.py::test_limit",)))
    broken = judge(
        tree, Fault("broken", "rule.py", "return 5", "return (", ("test_rule.py::test_limit",))
    )

    assert gone == "the snippet stands 0 times in rule.py, not once"
    assert broken.startswith("the tests could not run, exit status")

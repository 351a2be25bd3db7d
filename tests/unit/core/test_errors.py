"""Every error survives the way between processes and says who reads it."""

import inspect
import pickle
import re

import pytest

from selflow.core import errors
from selflow.core.errors import ApiError, Rejected, SelFlowError, StoreError, public_text

CLASSES = [
    value
    for value in vars(errors).values()
    if isinstance(value, type)
    and issubclass(value, SelFlowError)
    and not value.__name__.startswith("_")
]
RAISED = [one for one in CLASSES if one is not SelFlowError]
SAMPLES = {str: "some words", int: 503}


def sample(error: type[SelFlowError]) -> SelFlowError:
    """An instance with every argument given."""
    parameters = list(inspect.signature(error).parameters.values())
    return error(*(SAMPLES[parameter.annotation] for parameter in parameters))


def test_the_suite_found_them_all() -> None:
    assert {one.__name__ for one in CLASSES} >= {
        "ConfigError",
        "StoreError",
        "WireError",
        "ApiError",
        "NotRunningError",
        "TrainingDivergedError",
    }


@pytest.mark.parametrize("error", RAISED, ids=lambda one: one.__name__)
def test_every_error_comes_back_from_pickle_as_it_was(error: type[SelFlowError]) -> None:
    first = sample(error)
    again = pickle.loads(pickle.dumps(first))

    assert type(again) is error
    assert (str(again), again.args, again.hint) == (str(first), first.args, first.hint)
    assert (again.code, again.status, again.exit_code) == (
        first.code,
        first.status,
        first.exit_code,
    )


@pytest.mark.parametrize("error", CLASSES, ids=lambda one: one.__name__)
def test_every_error_says_who_sees_it(error: type[SelFlowError]) -> None:
    assert re.search(r"Seen by: [^.]+\.$", (error.__doc__ or "").strip())


@pytest.mark.parametrize("error", RAISED, ids=lambda one: one.__name__)
def test_every_error_is_one_level_below_the_root_and_says_what_it_was_given(
    error: type[SelFlowError],
) -> None:
    public = [one for one in error.__mro__[1:] if one in CLASSES]

    assert public == [SelFlowError]
    assert "some words" in str(sample(error))


@pytest.mark.parametrize(
    ("status", "exit_code"), [(401, 4), (403, 4), (503, 3), (400, 1), (500, 1)]
)
def test_an_answer_of_the_api_becomes_an_exit_code(status: int, exit_code: int) -> None:
    assert ApiError(status, "code", "detail").exit_code == exit_code


def test_a_rejection_is_two_words() -> None:
    assert pickle.loads(pickle.dumps(Rejected(3, "bad_ts"))) == Rejected(3, "bad_ts")


def test_a_foreign_error_is_shown_without_its_text() -> None:
    assert public_text(StoreError("the log is away")) == "the log is away"
    assert public_text(ValueError("words of the owner")) == "ValueError"
    assert public_text(OSError(28, "No space left on device", "/home/me")) == (
        "OSError: No space left on device"
    )
    assert len(public_text(StoreError("x" * 9_999))) == 500

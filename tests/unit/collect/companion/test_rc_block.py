"""The block in the owner's start-up file: removable to the byte."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selflow.collect.companion.rc_block import has_block, with_block, without_block

BEFORE = [
    None,
    b"",
    b"\n",
    b"alias l=ls\n",
    b"alias l=ls",
    b"\xff\xfe\r\n",
    b"# <<< selflow shell <<<\n",
]


@pytest.mark.parametrize("before", BEFORE)
def test_what_was_there_before_comes_back_to_the_byte(before: bytes | None) -> None:
    after = with_block(before, "source x", 2)

    assert has_block(after)
    assert b"\nsource x\n" in after
    assert without_block(after) == (before, 2 if before is None else 0)


@given(st.binary(max_size=200))
def test_any_file_comes_back_to_the_byte(before: bytes) -> None:
    assert without_block(with_block(before, "source x", 0))[0] == before


@pytest.mark.parametrize("before", BEFORE)
def test_a_second_block_takes_the_place_of_the_first(before: bytes | None) -> None:
    once = with_block(before, "source old", 1)

    assert with_block(with_block(once, "source new", 0), "source old", 0) == once


@pytest.mark.parametrize("before", BEFORE)
def test_what_the_owner_added_later_stays(before: bytes | None) -> None:
    after = with_block(before, "source x", 1) + b"alias m=make\n"
    content, folders = without_block(after)

    assert content == ((before or b"") + b"\n" * (before == b"alias l=ls") + b"alias m=make\n")
    assert folders == 0


def test_a_file_without_a_block_is_left_alone() -> None:
    assert without_block(b"alias l=ls") == (b"alias l=ls", 0)
    assert without_block(None) == (None, 0)

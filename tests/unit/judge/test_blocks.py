"""Blocks are whole sessions where that leaves enough of them."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from selflow.judge.blocks import block_starts, sessions


def _starts(lengths: list[int]) -> list[int]:
    return [int(start) for start in block_starts(np.repeat(np.arange(len(lengths)), lengths))]


def test_a_pause_longer_than_the_gap_begins_a_session() -> None:
    ts_us = np.array([0, 10, 3_610, 7_211]) * 1_000_000

    assert sessions(ts_us).tolist() == [0, 0, 0, 1]
    assert sessions(ts_us, gap_s=60).tolist() == [0, 0, 1, 2]


def test_short_sessions_are_joined() -> None:
    assert _starts([9, 9, 9, 25, 3, 30]) == [0, 27, 52]


def test_the_rest_goes_to_the_block_before_it() -> None:
    assert _starts([30, 30, 5]) == [0, 30]
    assert _starts([19]) == []
    assert _starts([]) == []


def test_a_long_session_is_cut_only_if_few_blocks_would_be_left() -> None:
    assert _starts([100]) == [0, 20, 40, 60, 80]
    assert _starts([60] * 50) == [60 * i for i in range(50)]


@given(st.lists(st.integers(1, 400), max_size=60))
def test_every_step_is_in_one_block_of_at_least_twenty(lengths: list[int]) -> None:
    starts = [*_starts(lengths), sum(lengths)]

    assert starts[0] == 0 or sum(lengths) < 20
    assert all(later - earlier >= 20 for earlier, later in pairwise(starts))

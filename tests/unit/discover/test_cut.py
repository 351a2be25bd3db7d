"""Which cut is chosen, of those that families propose."""

import numpy as np

from selflow.discover.cut import Votes, choose

M, DRAWS = 24, 20
TWO = np.arange(M, dtype=np.int32) * 2 // M
FOUR = np.arange(M, dtype=np.int32) * 4 // M


def votes(shifted: int) -> Votes:
    """Two families that find two halves every time, and quarters, but in so many of the draws other
    ones.
    """
    turned = (np.roll(FOUR, 3) + 2 * (np.roll(TWO, 3) != TWO)) % 4
    labels = np.array(
        [[TWO, turned if draw % 10 < shifted else FOUR] for draw in range(DRAWS)], np.int32
    )
    families = ["hdbscan"] * (DRAWS // 2) + ["density"] * (DRAWS // 2)
    return Votes(families, (2, 4), labels, np.ones((DRAWS, M)), np.full(M, 1 / M))


def test_the_finest_cut_wins_if_it_is_found_again_as_surely() -> None:
    assert len(choose(votes(0), 2).agreement) == 4
    assert len(choose(votes(1), 2).agreement) == 4


def test_a_finer_cut_that_is_found_again_less_surely_gives_way() -> None:
    chosen = choose(votes(3), 2)

    assert len(chosen.agreement) == 2

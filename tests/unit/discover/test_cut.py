"""Which cut is chosen, of those that families propose."""

from dataclasses import replace

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


def test_valleys_deeper_than_chance_decide_where_draws_do_not() -> None:
    rng = np.random.default_rng(2)
    unsure = votes(0)
    unsure = replace(unsure, labels=rng.permuted(unsure.labels, axis=2))

    assert len(choose(replace(unsure, deep=FOUR), 2).agreement) == 4
    assert (choose(replace(unsure, deep=FOUR), 2).groups == FOUR).all()
    assert not (choose(unsure, 2).groups == FOUR).all()


def test_valleys_at_a_number_that_no_draw_tried_decide_nothing() -> None:
    three = np.arange(M, dtype=np.int32) * 3 // M
    unsure = replace(votes(9), deep=three)

    assert (choose(unsure, 2).groups == choose(votes(9), 2).groups).all()


def test_valleys_deeper_than_chance_refine_what_draws_find_nearly_as_surely() -> None:
    def linked(shifted: int) -> Votes:
        """As above; ``spectral`` finds the quarters in every draw."""
        two, sure = votes(3), votes(shifted)
        third = slice(0, DRAWS // 2)
        return replace(
            two,
            family=[*two.family, *["spectral"] * (DRAWS // 2)],
            labels=np.concatenate([two.labels, sure.labels[third]]),
            unseen=np.ones((3 * DRAWS // 2, M)),
        )

    assert len(choose(linked(0), 2).agreement) == 2
    assert len(choose(replace(linked(0), deep=FOUR), 2).agreement) == 4
    assert len(choose(replace(linked(9), deep=FOUR), 2).agreement) == 2

"""When the keeper rebuilds a session."""

from actors.keeper import STALE_CHECKS, RebuildPolicy


def test_a_living_session_with_fresh_word_is_left_alone() -> None:
    assert not RebuildPolicy().wants_rebuild(is_alive=True, is_fresh=True, now_s=0.0)


def test_a_dead_session_is_rebuilt_at_once() -> None:
    assert RebuildPolicy().wants_rebuild(is_alive=False, is_fresh=True, now_s=0.0)


def test_rebuilds_that_follow_each_other_wait_longer_and_longer() -> None:
    patience = RebuildPolicy()
    rebuilt_at_s = [
        t
        for t in range(16)
        if patience.wants_rebuild(is_alive=False, is_fresh=False, now_s=float(t))
    ]

    assert rebuilt_at_s == [0, 1, 3, 7, 15]


def test_a_silent_supervisor_alone_is_given_time() -> None:
    patience = RebuildPolicy()
    asked = [
        patience.wants_rebuild(is_alive=True, is_fresh=False, now_s=float(t))
        for t in range(STALE_CHECKS)
    ]

    assert asked == [False] * (STALE_CHECKS - 1) + [True]


def test_fresh_word_resets_the_patience() -> None:
    patience = RebuildPolicy()
    for t in range(STALE_CHECKS - 1):
        patience.wants_rebuild(is_alive=True, is_fresh=False, now_s=float(t))
    patience.wants_rebuild(is_alive=True, is_fresh=True, now_s=100.0)

    assert not patience.wants_rebuild(is_alive=True, is_fresh=False, now_s=101.0)

"""The experts that SelFlow ships, one factory each; every one keeps the laws of an expert."""

from selflow.predict.counts import FOLDER, HOUR, ORDER0, ORDER1, ORDER2, SKIP, CountExperts
from selflow.predict.experts import Expert
from selflow.predict.linear import LinearRanker
from selflow.predict.recency import RecencyExpert

OWN = (ORDER0, ORDER1, ORDER2, SKIP, FOLDER, HOUR)
SHARED = (ORDER0, ORDER1, ORDER2)


def order0(seed: int) -> Expert:
    """What comes most often."""
    del seed
    return CountExperts((ORDER0,))


def order1(seed: int) -> Expert:
    """What follows the last step."""
    del seed
    return CountExperts((ORDER0, ORDER1))


def order2(seed: int) -> Expert:
    """What follows the last two steps."""
    del seed
    return CountExperts((ORDER0, ORDER1, ORDER2))


def skip(seed: int) -> Expert:
    """What follows the step before the last, one step later."""
    del seed
    return CountExperts((ORDER0, SKIP))


def folder(seed: int) -> Expert:
    """What follows a step in this folder."""
    del seed
    return CountExperts((ORDER0, FOLDER))


def hour(seed: int) -> Expert:
    """What comes at this time of day."""
    del seed
    return CountExperts((ORDER0, HOUR))


def recency(seed: int) -> Expert:
    """What was used last."""
    del seed
    return RecencyExpert()


def ranker_plain(seed: int) -> Expert:
    """What a few plain features rank first."""
    del seed
    return LinearRanker()

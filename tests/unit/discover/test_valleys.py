"""Which valleys of the density chance does not make."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from selflow.discover.families import Sample
from selflow.discover.valleys import beyond_chance, deep_valleys
from tests.unit.discover.worlds import strokes


def sample(rows: np.ndarray) -> Sample:
    """Each row a micro-cluster of its own."""
    return Sample(rows, np.ones(len(rows)), rows, np.arange(len(rows)))


@pytest.mark.parametrize(
    ("depth", "expected"),
    [
        ([1.6, 0.9, 0.4, 0.38, 0.36, 0.32, 0.3, 0.26], 2),
        ([0.9, 0.7, 0.6, 0.55, 0.45, 0.4, 0.35], 0),
        ([0.4, 0.05, 0.04, 0.03], 0),
        ([1.2], 1),
        ([], 0),
    ],
    ids=["two of eight", "none stands out", "shallow", "alone", "none"],
)
def test_valleys_that_stand_out_are_beyond_chance(depth: list[float], expected: int) -> None:
    assert beyond_chance(np.array(depth)) == expected


def test_gaps_in_a_stroke_are_chance_and_gaps_between_strokes_are_not() -> None:
    three, truth = strokes(3)
    found = deep_valleys(sample(three))

    assert found is not None
    assert adjusted_rand_score(truth, found) >= 0.95
    for seed in range(5):
        assert deep_valleys(sample(strokes(1, seed)[0])) is None


def test_hardly_a_cloud_has_a_deep_valley() -> None:
    clouds = [np.random.default_rng(seed).standard_normal((200, 2)) for seed in range(30)]
    found = [deep_valleys(sample(cloud)) is not None for cloud in clouds]

    assert sum(found) <= 1

"""MicroClusters-clusters, co-association and the cut."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from selflow.discover.consensus import (
    adjusted_rand,
    by_mass,
    co_association,
    consensus_cuts,
    contingency,
    micro_clusters,
)


def slowly(labels: np.ndarray) -> np.ndarray:
    p, m = labels.shape
    share = np.zeros((m, m))
    for i in range(m):
        for j in range(m):
            seen = [b for b in range(p) if labels[b, i] >= 0 and labels[b, j] >= 0]
            if seen:
                share[i, j] = sum(labels[b, i] == labels[b, j] for b in seen) / len(seen)
    return share


def test_co_association_equals_the_slow_loop() -> None:
    labels = np.random.default_rng(4).integers(-1, 4, (7, 23)).astype(np.int32)

    assert np.allclose(co_association(labels), slowly(labels))


def test_noise_casts_no_vote() -> None:
    together = co_association(np.array([[0, 0, 1], [-1, 0, 0], [-1, -1, -1]], np.int32))

    assert together[0, 1] == 1
    assert together[1, 2] == 0.5
    assert together[0, 2] == 0


def groups_of(truth: np.ndarray, noise: float, seed: int) -> np.ndarray:
    """What 40 partitions say that are right but for a share of points thrown anywhere."""
    rng = np.random.default_rng(seed)
    labels = np.tile(truth, (40, 1))
    wrong = rng.random(labels.shape) < noise
    labels[wrong] = rng.integers(truth.max() + 1, size=wrong.sum())
    return co_association(labels.astype(np.int32))


@pytest.mark.parametrize("k", [4, 6, 12, 24])
def test_the_consensus_of_many_wrong_partitions_is_right(k: int) -> None:
    truth = np.arange(5 * k) % k
    found = consensus_cuts(groups_of(truth, 0.1, k), [k])[0]

    assert adjusted_rand_score(truth, found) == 1


def test_a_light_cluster_is_noise_and_the_others_are_numbered_by_their_mass() -> None:
    groups = np.array([0, 1, 2, 3, 1, 2], np.int32)
    mass = np.array([0.009, 0.2, 0.1, 0.3, 0.2, 0.191])

    assert by_mass(groups, mass, 0.01).tolist() == [-1, 0, 2, 1, 0, 2]


@pytest.mark.parametrize("seed", range(5))
def test_agreement_by_mass_is_that_of_single_windows(seed: int) -> None:
    rng = np.random.default_rng(seed)
    ours, theirs = rng.integers(0, 4, (2, 12)).astype(np.int32)
    times = rng.integers(1, 6, 12)
    one_by_one = adjusted_rand_score(np.repeat(ours, times), np.repeat(theirs, times))

    assert adjusted_rand(contingency(ours, theirs, times.astype(float))) == pytest.approx(
        one_by_one
    )


def test_one_cluster_of_everything_agrees_with_nothing() -> None:
    one, mass = np.zeros(9, np.int32), np.ones(9)

    assert adjusted_rand(contingency(one, one, mass)) == 0


@pytest.mark.slow
@pytest.mark.parametrize("count", [300, 12_000])
def test_windows_far_from_all_others_are_left_out_before_any_family(count: int) -> None:
    rng = np.random.default_rng(1)
    x = np.vstack([rng.standard_normal((count, 4)), 60 + 60 * rng.standard_normal((6, 4))])
    micro = micro_clusters(x, 1)

    assert (micro.owner[count:] == -1).all()
    assert (micro.owner[:count] >= 0).mean() > 0.95
    assert micro.owner[:count].max() == len(micro.centroids) - 1

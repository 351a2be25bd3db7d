"""MicroClusters-clusters, co-association and the cut."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from selflow.discover.consensus import co_association, consensus, micro_clusters


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
def test_the_cut_finds_how_many_groups_there_are(k: int) -> None:
    truth = np.arange(5 * k) % k
    found = consensus(groups_of(truth, 0.1, k), np.full(5 * k, 0.2 / k))

    assert adjusted_rand_score(truth, found) == 1


def test_two_groups_are_no_consensus() -> None:
    truth = np.arange(40) % 2

    assert (consensus(groups_of(truth, 0, 1), np.full(40, 1 / 40)) == -1).all()


def test_a_cluster_under_one_percent_is_noise() -> None:
    truth = np.arange(50) % 5
    mass = np.where(truth == 2, 0.0009, 0.0248)
    found = consensus(groups_of(truth, 0.05, 1), mass)

    assert (found[truth == 2] == -1).all()
    assert set(found[truth != 2].tolist()) == {0, 1, 2, 3}


def test_clusters_are_numbered_by_their_mass() -> None:
    truth = np.arange(50) % 5
    mass = (1.0 + truth) / 150
    found = consensus(groups_of(truth, 0.05, 1), mass)

    assert found[:5].tolist() == [4, 3, 2, 1, 0]


def test_windows_far_from_all_others_are_left_out_before_any_family() -> None:
    rng = np.random.default_rng(1)
    x = np.vstack([rng.standard_normal((300, 16)), 60 + 60 * rng.standard_normal((6, 16))])
    micro = micro_clusters(x, 1)

    assert not micro.is_near[300:].any()
    assert micro.is_near[:300].mean() > 0.95
    assert micro.owner[:300].max() == len(micro.centroids) - 1

"""The laws of a family, for each of the five."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from selflow.discover.families import FAMILIES, Family
from tests.unit.discover.worlds import blobs

each_family = pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES.keys())


def test_there_are_five_families() -> None:
    assert list(FAMILIES) == ["hdbscan", "spectral", "gmm", "density", "ward"]


@each_family
def test_a_family_labels_every_micro_cluster(family: Family) -> None:
    sample, _ = blobs()
    found = family(sample, 7, 1)

    assert found.shape == (len(sample.points),)
    assert found.dtype == np.int32
    assert found.min() >= -1
    assert found.max() < len(sample.points)


@each_family
def test_a_family_finds_separated_groups(family: Family) -> None:
    sample, truth = blobs()

    assert adjusted_rand_score(truth, family(sample, 4, 1)) >= 0.95


@each_family
def test_same_seed_same_answer(family: Family) -> None:
    sample, _ = blobs(seed=6)

    assert np.array_equal(family(sample, 6, 3), family(sample, 6, 3))


@each_family
def test_a_family_leaves_its_input_alone(family: Family) -> None:
    sample, _ = blobs()
    before = [array.copy() for array in (sample.points, sample.mass, sample.rows, sample.owner)]
    family(sample, 4, 1)

    for array, copy in zip(
        (sample.points, sample.mass, sample.rows, sample.owner), before, strict=True
    ):
        assert np.array_equal(array, copy)


def test_hdbscan_calls_what_belongs_nowhere_noise() -> None:
    sample, _ = blobs()
    rng = np.random.default_rng(2)
    far = 200 * rng.standard_normal((len(sample.rows) // 8, 16))
    rows = np.vstack([sample.rows[sample.owner >= 10], far[:80]])
    owner = np.concatenate([sample.owner[sample.owner >= 10], np.arange(80) // 8])
    found = FAMILIES["hdbscan"](type(sample)(sample.points, sample.mass, rows, owner), 4, 1)

    assert (found[:10] == -1).all()
    assert (found[10:] >= 0).all()

"""The laws of a family, for each of the five."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from selflow.discover.families import BY_VALLEYS, FAMILIES, Family, Sample
from tests.unit.discover.worlds import blobs

each_family = pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES.keys())


def test_there_are_five_families() -> None:
    assert list(FAMILIES) == ["hdbscan", "spectral", "gmm", "density", "ward"]


@each_family
def test_a_family_labels_every_micro_cluster(family: Family) -> None:
    sample, _ = blobs()
    found = family(sample, (2, 7), 1)

    assert found.shape == (2, len(sample.points))
    assert found.dtype == np.int32
    assert found.min() >= -1
    assert found.max() < len(sample.points)


@each_family
def test_a_family_finds_separated_groups(family: Family) -> None:
    sample, truth = blobs()

    assert adjusted_rand_score(truth, family(sample, (4,), 1)[0]) >= 0.95


@each_family
def test_same_seed_same_answer(family: Family) -> None:
    sample, _ = blobs(seed=6)

    assert np.array_equal(family(sample, (3, 6), 3), family(sample, (3, 6), 3))


@each_family
def test_a_family_leaves_its_input_alone(family: Family) -> None:
    sample, _ = blobs()
    before = [array.copy() for array in (sample.points, sample.mass, sample.rows, sample.owner)]
    family(sample, (4,), 1)

    for array, copy in zip(
        (sample.points, sample.mass, sample.rows, sample.owner), before, strict=True
    ):
        assert np.array_equal(array, copy)


def two_rings() -> tuple[Sample, np.ndarray]:
    """A ring inside of a ring: no centre and no normal distribution parts them."""
    rng, turn = np.random.default_rng(2), np.linspace(0, 2 * np.pi, 60, endpoint=False)
    ring = np.column_stack([np.cos(turn), np.sin(turn)])
    points = np.vstack([ring, 3 * ring])
    owner = np.repeat(np.arange(120), 5)
    rows = points[owner] + 0.05 * rng.standard_normal((600, 2))
    return Sample(points, np.full(120, 5.0), rows, owner), np.arange(120) // 60


@pytest.mark.parametrize("name", ["hdbscan", "density", "spectral"])
def test_empty_space_parts_two_groups_of_any_shape(name: str) -> None:
    sample, truth = two_rings()

    assert adjusted_rand_score(truth, FAMILIES[name](sample, (2,), 1)[0]) == 1


@pytest.mark.parametrize("name", sorted(BY_VALLEYS))
def test_a_few_outsiders_are_no_group(name: str) -> None:
    sample, truth = blobs()
    rng = np.random.default_rng(2)
    rows = np.vstack([sample.rows, 200 * rng.standard_normal((4, 16))])
    owner = np.concatenate([sample.owner, [0, 0, 0, 0]])
    found = FAMILIES[name](Sample(sample.points, sample.mass, rows, owner), (4,), 1)[0]

    assert adjusted_rand_score(truth, found) >= 0.95

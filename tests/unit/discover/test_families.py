"""The laws of a family, for each of the five."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from selflow.discover.families import BY_VALLEYS, FAMILIES, Family, Sample
from selflow.discover.persistence import Labels
from selflow.testing import CLUSTERER_LAWS, check_clusterer
from selflow.testing.clusterers import separated


def test_there_are_five_families_and_seven_laws() -> None:
    assert list(FAMILIES) == ["hdbscan", "spectral", "gmm", "density", "ward"]
    assert len(CLUSTERER_LAWS) == 7


@pytest.mark.parametrize("law", CLUSTERER_LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES.keys())
def test_every_family_keeps_every_law(family: Family, law: Callable[[Family], None]) -> None:
    law(family)


def test_a_family_that_breaks_a_law_is_told_which() -> None:
    def one_cluster(sample: Sample, ks: Sequence[int], _seed: int) -> Labels:
        return np.zeros((len(ks), len(sample.points)), np.int32)

    with pytest.raises(AssertionError, match="groups far apart are kept apart"):
        check_clusterer(one_cluster)


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
    sample, truth = separated()
    rng = np.random.default_rng(2)
    rows = np.vstack([sample.rows, 200 * rng.standard_normal((4, 16))])
    owner = np.concatenate([sample.owner, [0, 0, 0, 0]])
    found = FAMILIES[name](Sample(sample.points, sample.mass, rows, owner), (4,), 1)[0]

    assert adjusted_rand_score(truth, found) >= 0.95

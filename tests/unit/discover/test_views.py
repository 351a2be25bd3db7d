"""What an owner sees of a clustering: the map, its sample, and how far the families agree."""

import json
from typing import Any

import numpy as np
import pytest

from selflow.discover.cut import Votes
from selflow.discover.views import MAX_POINTS, POINT, Views, map_files, sample, views_of

RNG = np.random.default_rng(7)
GROUPS = np.repeat([0, 1, 2, -1], [40, 30, 20, 10]).astype(np.int32)
HOME = np.repeat(np.arange(100), 3)


def noisy(groups: Any, share: float, seed: int) -> Any:
    rng = np.random.default_rng(seed)
    swapped = rng.random(len(groups)) < share
    return np.where(swapped, rng.integers(0, 3, len(groups)), groups).astype(np.int32)


@pytest.fixture(scope="module")
def views() -> Views:
    """One family that finds the truth under other numbers, one that guesses, one that failed."""
    truth = np.where(GROUPS < 0, 2, GROUPS)
    fits = {
        "ward": [(truth + 1) % 3] * 3,
        "gmm": [noisy(truth, 1.0, seed) for seed in range(3)],
        "density": [np.full(100, -1)] * 3,
    }
    labels = np.array([row for rows in fits.values() for row in rows], np.int32)[:, None, :]
    family = [name for name in fits for _ in range(3)]
    votes = Votes(family, (3,), labels, np.ones((9, 100)), np.full(100, 0.01))
    return views_of(votes, 0, GROUPS, HOME)


def test_a_family_that_agrees_has_the_numbers_of_the_consensus(views: Views) -> None:
    ward = views.groups[views.names.index("ward")]

    assert (ward[GROUPS >= 0] == GROUPS[GROUPS >= 0]).all()
    assert (views.groups[views.names.index("density")] == -1).all()


def test_agreement_is_beyond_chance_and_symmetric(views: Views) -> None:
    names = [*views.names, "consensus"]
    agreement = {name: views.ami[-1, at] for at, name in enumerate(names)}

    assert agreement["ward"] == pytest.approx(1.0)
    assert abs(agreement["gmm"]) < 0.2
    assert agreement["density"] == 0
    assert (views.ami == views.ami.T).all()


def test_windows_of_one_cluster_are_kept_together_more_often(views: Views) -> None:
    within, between = np.diag(views.together), views.together[0, 1]

    assert (within > 0.6).all()
    assert between < 0.4


def files_of(views: Views, x: Any, labels: Any) -> dict[str, bytes]:
    names = {0: "writing", 1: "tests", 2: "shell", -1: "everything"}
    return map_files(x, labels, views, names, names)


def test_a_point_is_ten_bytes_with_its_place_and_cluster(views: Views) -> None:
    x, labels = RNG.standard_normal((300, 16)), GROUPS[HOME]
    files = files_of(views, x, labels)
    points = np.frombuffer(files["map-consensus.bin"], POINT)

    assert len(files["map-ward.bin"]) == 300 * 10
    assert np.allclose(points["x"], x[:, 0], atol=1e-6)
    assert (points["label"] == labels).all()
    document = json.loads(files["map.json"])
    assert (document["points"], document["windows"]) == (300, 300)
    assert {"name": "consensus", "k": 3} in document["views"]
    assert document["together"]["names"] == ["writing", "tests", "shell"]


def test_the_same_windows_give_the_same_map(views: Views) -> None:
    x, labels = RNG.standard_normal((300, 16)), GROUPS[HOME]

    assert files_of(views, x, labels) == files_of(views, x.copy(), labels.copy())


def test_a_sample_keeps_the_shares_of_all_clusters() -> None:
    labels = np.repeat([-1, 0, 1], [30_000, 60_000, 10]).astype(np.int32)
    chosen = sample(labels, MAX_POINTS)
    counts = {label: int((labels[chosen] == label).sum()) for label in (-1, 0, 1)}

    assert len(chosen) <= MAX_POINTS
    assert (np.diff(chosen) > 0).all()
    assert counts[0] == pytest.approx(2 * counts[-1], rel=0.01)
    assert counts[1] >= 1
    assert len(sample(labels[:500], MAX_POINTS)) == 500

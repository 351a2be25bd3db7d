"""Clusters of a file alone."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from selflow.core.steps import Step
from selflow.discover.table import LEAST_ROWS, discover_events, discover_numbers
from tests.unit.discover.worlds import planted

pytestmark = pytest.mark.slow


def rings(seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """A ring in a ring, in two columns of very different units."""
    rng = np.random.default_rng(seed)
    turn, truth = rng.uniform(0, 2 * np.pi, 600), np.arange(600) % 2
    radius = np.where(truth == 0, 1.0, 3.0) + 0.1 * rng.standard_normal(600)
    return np.column_stack([radius * np.cos(turn), 1000 * radius * np.sin(turn)]), truth


def test_rows_of_any_shape_and_unit_are_parted() -> None:
    values, truth = rings()
    found = discover_numbers(values, 1)

    assert adjusted_rand_score(truth, found.labels) >= 0.9
    assert found.document["k"] == 2
    assert set(found.document) == {
        "n",
        "k",
        "s_star",
        "c_star",
        "coverage",
        "clusters",
        "families",
    }
    assert {tuple(each) for each in found.document["clusters"]} == {("id", "size", "j")}
    assert all(set(each) == {"k", "ami", "ari"} for each in found.document["families"].values())


def test_a_table_that_never_varies_is_in_no_cluster() -> None:
    assert discover_numbers(np.ones((40, 2)), 1).note == "no column varies"


@pytest.mark.parametrize("rows", [0, LEAST_ROWS - 1])
def test_few_rows_are_in_no_cluster(rows: int) -> None:
    found = discover_numbers(np.random.default_rng(1).standard_normal((rows, 3)), 1)

    assert found.document["k"] == 0
    assert found.labels == [-1] * rows
    assert f"{rows} of {LEAST_ROWS}" in found.note


def test_one_cloud_is_agreed_on_by_nobody() -> None:
    found = discover_numbers(np.random.default_rng(1).standard_normal((300, 4)), 1)

    assert found.document["s_star"] <= 0.1
    assert max(each["j"] for each in found.document["clusters"]) < 0.75


def test_events_take_the_cluster_of_their_windows_whatever_their_order() -> None:
    steps, truth = planted(days=12)
    order = np.random.default_rng(4).permutation(len(steps))
    shuffled: list[Step] = [steps[row] for row in order]
    found = discover_events(shuffled, 1)

    assert adjusted_rand_score([truth[row] for row in order], found.labels) >= 0.9
    assert np.array(found.labels)[np.argsort(order)].tolist() == discover_events(steps, 1).labels

"""What agreement is, and what it is not fooled by."""

from collections.abc import Sequence

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from selflow.discover.families import FAMILIES, Sample
from selflow.discover.persistence import Labels
from selflow.discover.stability import Effort, Measured, measured
from tests.unit.discover.worlds import grouped, strokes

DAYS = np.repeat(np.arange(20), 12)
GROUP = np.arange(240) % 5


def agreement_of(found: Measured, members: np.ndarray) -> float:
    """J of the cluster that most of these windows are in."""
    labels = found.labels[members]
    return float(found.agreement[np.bincount(labels[labels >= 0]).argmax()])


def test_a_cluster_of_every_day_is_agreed_on() -> None:
    found = measured(grouped(DAYS, GROUP), DAYS, Effort(3), 1, FAMILIES)

    assert len(found.agreement) == 5
    assert found.agreement.min() >= 0.9


def test_a_cluster_of_one_day_alone_is_not_agreed_on() -> None:
    once = np.where(DAYS == 7, 5, GROUP)
    found = measured(grouped(DAYS, once), DAYS, Effort(3), 1, FAMILIES)

    assert agreement_of(found, once == 5) <= 0.5
    assert min(agreement_of(found, once == group) for group in range(5)) >= 0.75


@pytest.mark.parametrize(("share", "expected"), [(0.1, [1.0] * 5), (0.6, [])])
def test_a_family_that_calls_much_noise_finds_nothing(share: float, expected: list[float]) -> None:
    def shy(sample: Sample, ks: Sequence[int], seed: int) -> Labels:
        found = FAMILIES["ward"](sample, ks, seed)
        found[:, np.random.default_rng(seed).random(len(sample.points)) < share] = -1
        return found

    found = measured(grouped(DAYS, GROUP), DAYS, Effort(8), 1, {"shy": shy})

    assert found.agreement == pytest.approx(np.array(expected), abs=0.1)


def test_the_order_of_blocks_changes_no_agreement() -> None:
    blocks = grouped(DAYS, GROUP)
    one = measured(
        blocks, DAYS, Effort(2), 1, {name: FAMILIES[name] for name in ("ward", "density")}
    )
    other = measured(
        dict(reversed(blocks.items())),
        DAYS,
        Effort(2),
        1,
        {name: FAMILIES[name] for name in ("ward", "density")},
    )

    assert np.array_equal(one.labels, other.labels)
    assert np.array_equal(one.agreement, other.agreement)
    assert one.families == other.families


def test_a_family_that_finds_the_consensus_is_reported_so() -> None:
    found = measured(grouped(DAYS, GROUP), DAYS, Effort(2), 1, FAMILIES)

    assert found.families["ward"] == pytest.approx(
        {"k": 5, "ami": 1, "ari": 1, "error": ""}, abs=0.05
    )
    assert found.s == pytest.approx(found.coverage * found.agreement.mean(), abs=0.02)


@pytest.mark.parametrize(("rows_per_day", "is_found"), [(1, True), (2, False)])
def test_valleys_of_all_rows_count_where_each_row_stands_alone(
    rows_per_day: int, *, is_found: bool
) -> None:
    def guess(sample: Sample, ks: Sequence[int], seed: int) -> Labels:
        rng = np.random.default_rng(seed)
        return np.array([rng.integers(k, size=len(sample.points)) for k in ks], np.int32)

    rows, truth = strokes(3, 4)
    day = np.arange(len(rows)) // rows_per_day
    found = measured({"columns": rows}, day, Effort(2, (2, 3, 4), 2), 1, {"guess": guess})

    assert (adjusted_rand_score(truth, found.labels) >= 0.95) == is_found

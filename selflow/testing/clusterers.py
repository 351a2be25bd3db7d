"""The laws of a clustering family: whoever writes one can check it.

from selflow.testing import check_clusterer

check_clusterer(my_family)
"""

from collections.abc import Callable

import numpy as np

from selflow.discover.families import Family, Sample
from selflow.discover.persistence import Labels
from selflow.testing.claims import holds

Law = Callable[[Family], None]

GROUPS, MICRO_CLUSTERS, ROWS_EACH, WIDTH = 4, 20, 8, 16
KS = (2, 4, 7)
AT_FOUR = KS.index(GROUPS)


def separated(seed: int = 5) -> tuple[Sample, Labels]:
    """Four groups far from each other in 16 dimensions, and the group of each micro-cluster."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(GROUPS, dtype=np.int32), MICRO_CLUSTERS)
    points = 12 * np.eye(GROUPS, WIDTH)[group] + rng.standard_normal((len(group), WIDTH))
    owner = np.repeat(np.arange(len(group)), ROWS_EACH)
    rows = points[owner] + 0.5 * rng.standard_normal((len(owner), WIDTH))
    return Sample(points, np.full(len(group), float(ROWS_EACH)), rows, owner), group


def check_clusterer(family: Family) -> None:
    """Every law of a clustering family.

    Args:
        family: Called several times; it has no state.

    Raises:
        AssertionError: Names the law that does not hold.
    """
    for law in CLUSTERER_LAWS:
        law(family)


def every_micro_cluster_has_a_label(family: Family) -> None:
    sample, _ = separated()
    labels = family(sample, KS, 1)
    holds(labels.shape == (len(KS), len(sample.points)), "there is one row of labels per number")
    holds(labels.dtype == np.int32, "labels are 32-bit numbers")
    holds(bool(labels.min() >= -1), "-1 is noise, and nothing is below it")
    holds(
        all(len(np.unique(row[row >= 0])) <= k for row, k in zip(labels, KS, strict=True)),
        "there are at most as many clusters as are asked for",
    )


def separated_groups_are_found(family: Family) -> None:
    sample, group = separated()
    holds(_is_same(family(sample, KS, 1)[AT_FOUR], group), "groups far apart are kept apart")


def the_same_seed_gives_the_same_labels(family: Family) -> None:
    sample, _ = separated(6)
    one, other = (family(sample, KS, 3) for _ in range(2))
    holds(np.array_equal(one, other), "nothing but the arguments decides")


def its_input_stays_as_it_is(family: Family) -> None:
    sample, _ = separated()
    arrays = (sample.points, sample.mass, sample.rows, sample.owner)
    before = [array.tobytes() for array in arrays]
    family(sample, KS, 1)
    holds([array.tobytes() for array in arrays] == before, "its input stays as it is")


def the_order_of_the_points_means_nothing(family: Family) -> None:
    sample, group = separated()
    order = np.random.default_rng(8).permutation(len(group))
    index = np.argsort(order)
    turned = Sample(sample.points[order], sample.mass[order], sample.rows, index[sample.owner])
    holds(
        _is_same(family(turned, KS, 1)[AT_FOUR], group[order]), "groups do not depend on the order"
    )


def the_unit_and_the_origin_mean_nothing(family: Family) -> None:
    sample, group = separated()
    for unit in (1e-3, 1e3):
        other = Sample(unit * sample.points + 5, sample.mass, unit * sample.rows + 5, sample.owner)
        holds(
            _is_same(family(other, KS, 1)[AT_FOUR], group), "groups do not depend on unit or origin"
        )


def two_lone_pairs_are_clustered(family: Family) -> None:
    points = np.array([[0.0, 0.0], [0.1, 0.0], [9.0, 0.0], [9.1, 0.0]])
    owner = np.repeat(np.arange(4), 3)
    wobble = 0.01 * np.random.default_rng(2).standard_normal((12, 2))
    sample = Sample(points, np.full(4, 3.0), points[owner] + wobble, owner)
    labels = family(sample, (2,), 1)
    holds(labels.shape == (1, 4), "four micro-clusters are enough to ask for two")


def _is_same(labels: Labels, group: Labels) -> bool:
    """Whether the partitions are one and the same, whatever their numbers."""
    pairs = {(int(one), int(other)) for one, other in zip(labels, group, strict=True)}
    return len(pairs) == len(np.unique(group)) == len(np.unique(labels))


CLUSTERER_LAWS: tuple[Law, ...] = (
    every_micro_cluster_has_a_label,
    separated_groups_are_found,
    the_same_seed_gives_the_same_labels,
    its_input_stays_as_it_is,
    the_order_of_the_points_means_nothing,
    the_unit_and_the_origin_mean_nothing,
    two_lone_pairs_are_clustered,
)

"""The router loses less than the textbook's epsilon-greedy; ``bench/routing.py`` measures it on 100
seeds.
"""

import pytest

from selflow.core.settings import RouterSettings
from tests.unit.route.worlds import Scene, mean_regret, plain_epsilon_greedy_regret, regret

pytestmark = pytest.mark.slow

SEEDS = 3


@pytest.mark.parametrize(("scene", "most"), [("stationary", 0.5), ("swap", 0.6)])
def test_thompson_loses_at_most_this_part_of_what_epsilon_greedy_loses(
    scene: Scene, most: float
) -> None:
    ours = mean_regret(lambda seed: regret(RouterSettings(), scene, seed), SEEDS)
    plain = mean_regret(lambda seed: plain_epsilon_greedy_regret(scene, seed), SEEDS)

    assert ours <= most * plain


def test_forgetting_helps_when_the_world_changes() -> None:
    forgetful = mean_regret(lambda seed: regret(RouterSettings(), "swap", seed), 1)
    faithful = mean_regret(lambda seed: regret(RouterSettings(discount=1.0), "swap", seed), 1)

    assert forgetful < faithful

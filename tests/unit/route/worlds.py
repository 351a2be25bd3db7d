"""Arms of which the truth is known, and words on decisions as the catalog keeps them."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from selflow.core.events import Json
from selflow.core.settings import RouterSettings
from selflow.route.bandit import Arm, Beliefs, policy_from

ARMS = ("a", "b", "c", "d", "e")
ROUNDS = 2_000
Floats = NDArray[np.float64]
Scene = Literal["stationary", "swap", "improve"]


def chances(scene: Scene, seed: int) -> Floats:
    """(rounds, arms) chances of success: the best 0.75, the others 0.2 to 0.6.

    Half way ``swap`` exchanges the best with another, and ``improve`` raises another to 0.95.
    """
    rng = np.random.default_rng([seed, 0])
    p = np.concatenate([[0.75], rng.uniform(0.2, 0.6, len(ARMS) - 1)])
    later, other = p.copy(), int(rng.integers(1, len(ARMS)))
    if scene == "swap":
        later[[0, other]] = p[[other, 0]]
    elif scene == "improve":
        later[other] = 0.95
    place = rng.permutation(len(ARMS))
    return np.concatenate(
        [np.tile(p[place], (ROUNDS // 2, 1)), np.tile(later[place], (ROUNDS // 2, 1))]
    )


def regret(
    settings: RouterSettings,
    scene: Scene,
    seed: int,
    *,
    missing_fraction: float = 0.0,
    delay_rounds: int = 0,
) -> float:
    """What a policy loses against who always asks the best arm; feedback may be late or
    never come.
    """
    p, rng = chances(scene, seed), np.random.default_rng([seed, 1])
    policy, arms = policy_from(settings), {name: Arm() for name in ARMS}
    beliefs, waiting, lost = Beliefs(0, {"predict": arms}), deque[tuple[str, float]](), 0.0
    for t in range(ROUNDS):
        arm = policy.choose(beliefs, "predict", ARMS, rng).arm
        chance = p[t, ARMS.index(arm)]
        lost += p[t].max() - chance
        waiting.append((arm, float(rng.random() < chance)))
        if len(waiting) > delay_rounds:
            heard, reward = waiting.popleft()
            if rng.random() >= missing_fraction:
                arms[heard].learn(str(t), reward, 0.0, settings.discount)
    return float(lost)


def plain_epsilon_greedy_regret(scene: Scene, seed: int, epsilon: float = 0.1) -> float:
    """The textbook's policy: plain means of all that was ever heard, no bounds, no forgetting."""
    p, rng = chances(scene, seed), np.random.default_rng([seed, 1])
    wins, pulls, lost = np.ones(len(ARMS)), np.full(len(ARMS), 2.0), 0.0
    for t in range(ROUNDS):
        explores = rng.random() < epsilon
        arm = int(rng.integers(len(ARMS))) if explores else int(np.argmax(wins / pulls))
        lost += p[t].max() - p[t, arm]
        wins[arm] += rng.random() < p[t, arm]
        pulls[arm] += 1
    return float(lost)


def mean_regret(play: Callable[[int], float], seeds: int) -> float:
    """The mean over seeds 0, 1, ..."""
    return float(np.mean([play(seed) for seed in range(seeds)]))


@dataclass(frozen=True, slots=True)
class Said:
    """A word on a routed decision, as the catalog hands it out."""

    number: int
    metric: str = "thumb"
    value: Json = True
    arm: str = "a"
    version: str = ""
    surface: str = "predict"
    decision_id: str = ""
    tags: Mapping[str, Json] = field(default_factory=dict)
    predictions: Sequence[Json] = ()
    is_forced: bool = False
    latency_s: float = 0.0
    tokens: int = 0

    @property
    def routing(self) -> Mapping[str, Any]:
        """What the decision keeps of how it was routed."""
        return {
            "arm": self.arm,
            "version": self.version,
            "surface": self.surface,
            "forced": self.is_forced,
            "latency_s": self.latency_s,
            "tokens": self.tokens,
        }


def said(number: int, **more: Any) -> Said:
    """A thumb up on a decision of its own, unless something else is said."""
    return Said(number, **{"decision_id": f"dec_{number}", **more})

"""Who answers a routed request: what is believed of each arm, and the policies that choose
by it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from selflow.core.errors import UsageError
from selflow.core.settings import RouterSettings

Floats = NDArray[np.float64]
KEPT_WORDS, DRAWS = 100, 200
KEPT_VERSIONS, INHERITED = 8, 0.5
"""Versions of an agent whose parts are known, and what a version inherits of all others."""


@dataclass(slots=True)
class Arm:
    """What was heard of one arm, later words counting more; its chance of success is Beta(1 + wins,
    1 + losses).

    ``latency_s`` is a mean, later words counting more; ``recent`` holds key, reward and latency of
    the last 100 words. ``versions`` holds wins and losses of each version of the arm's agent, as
    parts of the whole.
    """

    wins: float = 0.0
    losses: float = 0.0
    pulls: int = 0
    latency_s: float = 0.0
    recent: list[list[Any]] = field(default_factory=list)
    versions: dict[str, list[float]] = field(default_factory=dict)

    def evidence(self, version: str | None) -> tuple[float, float]:
        """Wins and losses of one version: its own, and half of what was heard of all others; None
        is all of the arm.
        """
        if version is None:
            return self.wins, self.losses
        wins, losses = self.versions.get(version, (0.0, 0.0))
        return (
            wins + INHERITED * (self.wins - wins),
            losses + INHERITED * (self.losses - losses),
        )

    def hear(
        self, key: str, reward: float, latency_s: float, discount: float, version: str = ""
    ) -> None:
        """A word on a version with a reward in [0, 1]; one of a remembered key replaces the earlier
        word where that stands.

        Taken back is what the earlier reward weighs by now. More than 100 words later it is a word
        of its own.
        """
        for age, word in enumerate(reversed(self.recent)):
            if word[0] == key:
                change, word[1] = (reward - word[1]) * discount**age, reward
                self.wins, self.losses = self.wins + change, self.losses - change
                if version in self.versions:
                    wins, losses = self.versions[version]
                    self.versions[version] = [wins + change, losses - change]
                return
        self.wins, self.losses = (
            self.wins * discount + reward,
            self.losses * discount + 1.0 - reward,
        )
        faded = {
            n: [wins * discount, losses * discount] for n, (wins, losses) in self.versions.items()
        }
        wins, losses = faded.pop(version, (0.0, 0.0))
        # The version heard last stands last; the parts of those before the last few are dropped
        latest = dict([*faded.items()][1 - KEPT_VERSIONS :])
        self.versions = {**latest, version: [wins + reward, losses + 1.0 - reward]}
        self.pulls += 1
        self.latency_s += (latency_s - self.latency_s) / (self.wins + self.losses)
        self.recent = [*self.recent, [key, reward, latency_s]][-KEPT_WORDS:]


@dataclass(slots=True)
class Beliefs:
    """Arms by surface (``predict``, ``text``): success on one says nothing of the other."""

    feedback_number: int = 0
    surfaces: dict[str, dict[str, Arm]] = field(default_factory=dict)

    @classmethod
    def load_state(cls, document: Mapping[str, Any]) -> Self:
        """What ``state`` gave; an empty document is the belief before any feedback."""
        kept = document.get("surfaces", {}).items()
        surfaces = {
            surface: {name: Arm(**arm) for name, arm in arms.items()} for surface, arms in kept
        }
        return cls(document.get("feedback_number", 0), surfaces)

    def state(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    def summary(self) -> list[dict[str, Any]]:
        """What is believed of each arm, for people: surface, arm, pulls, the mean chance of success
        with its 95% credible interval, and the mean latency in seconds.

        The router stores it beside the beliefs, so that who shows it needs no SciPy.
        """
        rows = []
        for surface, arms in sorted(self.surfaces.items()):
            for name, arm in sorted(arms.items()):
                low, high = self.interval(surface, name)
                rows.append(
                    {
                        "surface": surface,
                        "arm": name,
                        "pulls": arm.pulls,
                        "success": (1.0 + arm.wins) / (2.0 + arm.wins + arm.losses),
                        "low": low,
                        "high": high,
                        "latency_s": arm.latency_s,
                    }
                )
        return rows

    def posterior(
        self, surface: str, arms: Sequence[str] | Mapping[str, str]
    ) -> tuple[Floats, Floats]:
        """Beta parameters, each (k,), of these arms, or of these versions of them; 1 and 1 for an
        arm of which nothing was heard.
        """
        versions = arms if isinstance(arms, Mapping) else dict.fromkeys(arms)
        heard = self.surfaces.get(surface, {})
        known = [heard.get(name, Arm()).evidence(version) for name, version in versions.items()]
        a, b = 1.0 + np.array(known).reshape(-1, 2).T
        return a, b

    def interval(self, surface: str, arm: str) -> tuple[float, float]:
        """Bounds of its chance of success, 95% credible."""
        low, high = _credible(*self.posterior(surface, [arm]))
        return float(low[0]), float(high[0])


@dataclass(frozen=True, slots=True)
class Choice:
    """Who answers, the chance that it was drawn with, and whether another is believed to be
    better.
    """

    arm: str
    propensity: float
    explored: bool
    policy: str


@dataclass(frozen=True, slots=True)
class Policy:
    """The owner's policy, with a floor for every eligible arm."""

    settings: RouterSettings

    def probabilities(self, a: Floats, b: Floats, rng: np.random.Generator) -> Floats:
        """(k,) chances by Beta parameters; 0 if an arm's 95% interval lies below another's: it is
        not eligible.
        """
        low, high = _credible(a, b)
        eligible = np.flatnonzero(high >= low.max())
        k, p = len(eligible), np.zeros(len(a))
        if self.settings.policy == "thompson":
            winners = np.argmax(rng.beta(a[eligible], b[eligible], (DRAWS, k)), axis=1)
            shares = np.bincount(winners, minlength=k) / DRAWS
        else:
            shares = np.full(k, self.settings.epsilon / k)
            shares[np.argmax((a / (a + b))[eligible])] += 1.0 - self.settings.epsilon
        floor = min(self.settings.floor, 1.0 / k)
        p[eligible] = floor + (1.0 - floor * k) * shares
        return p

    def choose(
        self,
        beliefs: Beliefs,
        surface: str,
        arms: Sequence[str] | Mapping[str, str],
        rng: np.random.Generator,
    ) -> Choice:
        """Draw one of the arms (each with its version, where a mapping is given) by
        ``probabilities``. Raises UsageError if there is none. Cost: 0.2 ms for five.
        """
        if not arms:
            raise UsageError(
                "there is no arm to choose from", "name at least one agent, or the base"
            )
        a, b = beliefs.posterior(surface, arms)
        p = self.probabilities(a, b, rng)
        drawn = int(rng.choice(len(arms), p=p))
        return Choice(
            [*arms][drawn],
            float(p[drawn]),
            drawn != int(np.argmax(a / (a + b))),
            self.settings.policy,
        )


policy_from = Policy


def _credible(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """The 95% intervals of Beta(a, b), each bound (k,). SciPy is loaded when the first is asked
    for.
    """
    # scipy.stats gives the same values but takes a second and 73 MB to load
    from scipy.special import betaincinv

    return betaincinv(a, b, 0.025), betaincinv(a, b, 0.975)

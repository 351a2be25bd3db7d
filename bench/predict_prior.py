"""Make the shipped prior: ranker weights learned on simulated owners only. Run: python bench/predict_prior.py

No line of anybody's data goes in: a seeded simulator makes up file owners (features of a few files that are worked on
together, hub files, tests beside their modules, sessions and nights, births and deaths of files) and shell owners (shared
and personal habits). The settings of each owner are drawn wide, so that the weights fit no kind of owner exactly.
The same call gives the same bytes.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from selflow.predict.predictor import Predictor
from selflow.predict.prior import PRIOR_FILE, Prior, encode_prior
from selflow.predict.steps import Step

SEED = 20_260
FILE_OWNERS = 6
SHELL_GROUPS = 2
STEPS = 2_500
FIRST_US = 1_600_000_000_000_000
STEMS = "app core view model util auth store query table index cache route form user page task mail plan rule node".split()
FOLDERS = ["src", "src/api", "lib", "pkg/core", "pkg/web", "app", "app/models", "engine"]
HUBS = ["README.md", "CHANGES.md", "setup.cfg", "Makefile", ".github/workflows/test.yml", "docs/index.md", "VERSION"]


@dataclass
class FileOwner:
    """One made-up developer; every number is drawn once per owner."""

    rng: np.random.Generator
    stickiness: float
    wander: float
    hub_rate: float
    test_rate: float
    birth_rate: float
    companion_rate: float
    session_steps: float


def draw_file_owner(rng: np.random.Generator) -> FileOwner:
    """An owner whose habits lie anywhere in a wide range."""
    return FileOwner(
        rng=rng,
        stickiness=rng.uniform(0.15, 0.6),
        wander=rng.uniform(0.05, 0.35),
        hub_rate=rng.uniform(0.05, 0.35),
        test_rate=rng.uniform(0.05, 0.6),
        birth_rate=rng.uniform(0.02, 0.12),
        companion_rate=rng.uniform(0.1, 0.5),
        session_steps=rng.uniform(2, 10),
    )


def new_module(owner: FileOwner, folder: str, number: int) -> str:
    stem = str(owner.rng.choice(STEMS))
    return f"{folder}/{stem}_{number}.py" if owner.rng.random() < 0.7 else f"{folder}/{stem}.py"


def test_of(path: str) -> str:
    return f"tests/test_{path.rpartition('/')[2]}"


def file_steps(owner: FileOwner, steps: int) -> list[Step]:
    """Commits: a feature (a few files of one folder) at a time, with tests, hubs, and returns to older features."""
    rng = owner.rng
    hub_weights = rng.dirichlet(np.full(len(HUBS), 0.5))
    features: list[list[str]] = []
    made: list[Step] = []
    feature: list[str] = []
    focus, number, ts_us, left = "", 0, FIRST_US, 0
    for _ in range(steps):
        if left <= 0 or not feature:
            left = int(rng.geometric(1 / owner.session_steps))
            ts_us += int(rng.lognormal(10.5, 1.5) * 1e6)
            if not features or rng.random() < owner.wander:
                folder = str(rng.choice(FOLDERS))
                feature = [new_module(owner, folder, number + i) for i in range(int(rng.integers(1, 5)))]
                number += len(feature)
                if features and rng.random() < 0.5:
                    feature.append(str(rng.choice(features[-1])))
                features.append(feature)
            else:
                back = min(len(features), int(rng.geometric(0.3)))
                feature = features.pop(-back)
                features.append(feature)
            focus = str(rng.choice(feature))
        left -= 1
        ts_us += int(rng.lognormal(6.5, 1.6) * 1e6)
        if rng.random() > owner.stickiness:
            focus = str(rng.choice(feature))
        if rng.random() < owner.birth_rate:
            focus = new_module(owner, focus.rpartition("/")[0] or "src", number)
            number += 1
            feature.append(focus)
        made.append(Step(ts_us, _commit(owner, feature, focus, hub_weights)))
    return made


def _commit(owner: FileOwner, feature: list[str], focus: str, hub_weights: np.ndarray) -> tuple[str, ...]:
    rng = owner.rng
    labels: list[str] = []
    if rng.random() < owner.hub_rate:
        labels.append(str(rng.choice(HUBS, p=hub_weights)))
    if not labels or rng.random() < 0.6:
        labels.append(focus)
        labels += [path for path in feature if path != focus and rng.random() < owner.companion_rate / len(feature)]
        if rng.random() < owner.test_rate:
            labels.append(test_of(focus))
    return tuple(dict.fromkeys(sorted(labels)))


def shell_steps(rng: np.random.Generator, users: int, steps: int) -> list[Step]:
    """Commands: one chain of habits shared by all, bent by each user's own, with typing errors that are new."""
    words = [f"cmd{i}" for i in range(60)]
    popular = rng.dirichlet(np.full(len(words), 0.15))
    shared = np.array([rng.dirichlet(popular * 8 + 1e-3) for _ in words])
    shared = 0.8 * shared + 0.2 * np.eye(len(words))
    made: list[Step] = []
    for user in range(users):
        own = rng.dirichlet(popular * 6 + 1e-3)
        bend, slip, stay = rng.uniform(0.1, 0.5), rng.uniform(0.01, 0.08), rng.uniform(0.0, 0.4)
        state, ts_us = int(rng.choice(len(words), p=popular)), FIRST_US + int(rng.integers(0, steps)) * 60_000_000
        for _ in range(steps // users):
            ts_us += int(rng.lognormal(3.0, 1.3) * 1e6)
            if rng.random() > stay:
                state = int(rng.choice(len(words), p=(1 - bend) * shared[state] + bend * own))
            label = words[state] if rng.random() > slip else f"{words[state]}{rng.integers(0, 10_000)}"
            made.append(Step(ts_us, (label,), f"user{user}"))
    return sorted(made, key=lambda step: step.ts_us)


def learn_prior() -> Prior:
    """Each owner starts from what the ones before taught the rankers; counts start empty every time."""
    seeds = np.random.SeedSequence(SEED).spawn(FILE_OWNERS + SHELL_GROUPS)
    prior: Prior | None = None
    for i, seed in enumerate(seeds):
        rng = np.random.default_rng(seed)
        is_shell = i % 4 == 3
        steps = shell_steps(rng, 20, STEPS) if is_shell else file_steps(draw_file_owner(rng), STEPS)
        predictor = Predictor(is_shared=is_shell, prior=prior)
        hits = [predictor.learn(step).hit_at_1 for step in steps]
        prior = predictor.as_prior()
        print(f"owner {i}: {len(steps):,} steps, hit@1 {sum(hits) / len(hits):.3f}", file=sys.stderr)
    if prior is None:
        raise SystemExit("no owner was simulated")
    return prior


def main() -> None:
    """Write the prior beside the code that loads it."""
    folder = Path(__file__).parent.parent / "selflow" / "predict"
    data = encode_prior(learn_prior())
    (folder / PRIOR_FILE).write_bytes(data)
    print(json.dumps({"file": PRIOR_FILE, "bytes": len(data)}))


if __name__ == "__main__":
    main()

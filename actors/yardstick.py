"""The demo's comparison: the simple rules on the same steps, and the served answers against the same state."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from actors.sample import Commit, Sample
from selflow.core.clock import SystemClock
from selflow.core.paths import Root
from selflow.core.settings import Settings

Figures = dict[str, Mapping[str, Any]]


@dataclass(slots=True)
class Served:
    """What the HTTP answers were worth, in order."""

    hits: list[tuple[bool, bool]] = field(default_factory=list)

    def add(self, *, hit_at_1: bool, hit_at_5: bool) -> None:
        """One more answer."""
        self.hits.append((hit_at_1, hit_at_5))


def compare(
    root: Root, settings: Settings, given: Sample, learned: Mapping[str, Any], served: Served
) -> tuple[dict[str, Figures], bool]:
    """Figures of the pool beside those of the simple rules, for the replayed and for the asked commits.

    The asked commits' log-loss is that of the learned champion, taken through the same contexts and outcomes here: an
    answer over HTTP lists 50 labels at most and cannot tell the probability of others.

    Returns:
        The figures, and whether the served answers hit exactly where the champion at hand hits.

    Cost: about 0.5 ms per commit.
    """
    from selflow.core.steps import Step, event_label
    from selflow.predict.baselines import NAMES, Baselines
    from selflow.predict.grades import Tally
    from selflow.store.artifacts import ArtifactStore
    from selflow.store.catalog import Catalog
    from serve.checkpoints import Checkpoints

    def step(commit: Commit) -> Step:
        return Step(commit[0].ts_us, tuple(dict.fromkeys(event_label(e.kind, e.subject) for e in commit)))

    baselines = Baselines()
    replayed, asked = ({name: Tally() for name in NAMES} for _ in range(2))
    for commits, tallies in ((given.seen, replayed), (given.held_out, asked)):
        for commit in commits:
            for name, grade in baselines.test_then_train(step(commit)).items():
                tallies[name].add(grade)
    catalog = Catalog.open(root.catalog)
    state, _ = Checkpoints(catalog, ArtifactStore(root.artifacts), settings.predict, SystemClock()).open()
    catalog.close()
    pool, hits = Tally(), []
    for place, commit in enumerate(given.held_out):
        context = state.steps_of(given.context(place))
        grade = state.predictor.learn_outcome(context, Step(context[-1].ts_us, step(commit).labels))
        pool.add(grade)
        hits.append((grade.hit_at_1, grade.hit_at_5))
    figures: dict[str, Figures] = {
        "replayed": {"pool": learned, **{name: tally.figures() for name, tally in replayed.items()}},
        "asked": {"pool": pool.figures(), **{name: tally.figures() for name, tally in asked.items()}},
    }
    return figures, hits == served.hits

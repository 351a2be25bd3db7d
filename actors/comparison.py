"""The demo's comparison: the simple rules on the same commits as the pool and the served
answers.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from actors.sample import Commit, Sample

Figures = dict[str, dict[str, Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class Hit:
    """What one HTTP answer was worth, by what it said."""

    hit_at_1: bool
    hit_at_5: bool
    log_loss_bits: float
    is_routed: bool


@dataclass(slots=True)
class Served:
    """What the HTTP answers were worth, in order."""

    hits: list[Hit] = field(default_factory=list)

    def figures(self, *, is_routed: bool) -> Mapping[str, Any]:
        """Those of the pool, or those that the router gave."""
        chosen = [hit for hit in self.hits if hit.is_routed == is_routed]
        n = max(1, len(chosen))
        return {
            "steps": len(chosen),
            "hit@1": sum(hit.hit_at_1 for hit in chosen) / n,
            "hit@5": sum(hit.hit_at_5 for hit in chosen) / n,
            "log_loss_bits": sum(hit.log_loss_bits for hit in chosen) / n,
        }


def compare(given: Sample, learned: Mapping[str, Any], served: Served) -> Figures:
    """Figures of the pool beside those of the simple rules, on the replayed, the judged and the
    asked commits.

    Args:
        given: The sample.
        learned: ``DemoRun.learned``: the pool's figures, the stages and the verdicts of the cycle.
        served: The answers over HTTP; their log-loss is that of the 50 labels that an answer lists.

    Cost: about 0.5 ms per commit.
    """
    from selflow.core.steps import Step, event_label
    from selflow.predict.baselines import NAMES, Baselines
    from selflow.predict.grades import Tally

    def step(commit: Commit) -> Step:
        return Step(
            commit[0].ts_us, tuple(dict.fromkeys(event_label(e.kind, e.subject) for e in commit))
        )

    baselines = Baselines()
    replayed, judged, asked = ({name: Tally() for name in NAMES} for _ in range(3))
    first, last = learned["stages"]["represent"]["gate"]
    for place, commit in enumerate([*given.seen, *given.held_out]):
        for name, grade in baselines.test_then_train(step(commit)).items():
            (replayed if place < len(given.seen) else asked)[name].add(grade)
            if first <= place < last:
                judged[name].add(grade)
    pools: dict[str, Mapping[str, Any]] = {}
    for verdict in learned["verdicts"]:
        numbers, agent = verdict["numbers"], verdict["version_id"].partition("@")[0]
        if "with" in numbers:
            pools |= {"pool": numbers["without"], f"with {agent}": numbers["with"]}
    rules = [
        {name: tally.figures() for name, tally in tallies.items()}
        for tallies in (replayed, judged, asked)
    ]
    return {
        "replayed": {"pool": learned["pool"], **rules[0]},
        "judged": {**pools, **rules[1]},
        "asked": {
            "pool": served.figures(is_routed=False),
            "routed": served.figures(is_routed=True),
            **rules[2],
        },
    }

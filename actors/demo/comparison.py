"""The demo's comparison: the pool, the served answers and the simple rules on the same commits, by
one definition.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from actors.demo.sample import Commit, Sample
from selflow.core.steps import Step, event_label
from selflow.predict.baselines import Baselines
from selflow.predict.grades import Grade, Tally
from selflow.predict.predictor import Predictor
from selflow.predict.prior import shipped

Figures = dict[str, dict[str, Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class Answered:
    """How good the HTTP answer about one commit was: whether its guesses name one of the files."""

    hit_at_1: bool
    hit_at_5: bool
    is_routed: bool


def compare(sample: Sample, learned: Mapping[str, Any], answers: Sequence[Answered]) -> Figures:
    """Figures of the pool beside those of the simple rules: on the replayed and on the judged
    commits, on those that the pool was asked for, and on those that went through the router.

    The HTTP answers have no log-loss, nor have the rules beside them: an answer lists at most 50
    labels, so the probability of another one is not known, and bits by a second definition compare
    nothing.

    Args:
        sample: The sample.
        learned: ``DemoRun.learned``: the stages and the verdicts of the cycle.
        answers: How good the HTTP answers were, one per held-out commit, in their order.

    Cost: about 3 ms per commit.
    """
    tallies: dict[str, dict[str, Tally]] = {
        part: {} for part in ("replayed", "judged", "asked", "routed")
    }
    first, last = learned["stages"]["represent"]["gate"]
    n_seen = len(sample.seen)
    for index, grades in enumerate(_replay(sample)):
        if index >= n_seen:
            parts = ["routed" if answers[index - n_seen].is_routed else "asked"]
        else:
            parts = ["replayed", *(["judged"] if first <= index < last else [])]
        for part in parts:
            for who, grade in grades.items():
                tallies[part].setdefault(who, Tally()).add(grade)
    figures: Figures = {
        part: {who: tally.figures() for who, tally in of.items()} for part, of in tallies.items()
    }
    return {
        "replayed": figures["replayed"],
        "judged": _with_agents(figures["judged"], learned),
        "asked": _beside(_hits(answers, is_routed=False), "pool", figures["asked"]),
        "routed": _beside(_hits(answers, is_routed=True), "routed", figures["routed"]),
    }


def _replay(sample: Sample) -> Iterator[dict[str, Grade]]:
    """The grades of the simple rules, commit by commit; while commits are replayed the pool's too,
    first.
    """
    rules, pool = Baselines(), Predictor(prior=shipped())
    for commit in sample.seen:
        step = _step(commit)
        yield {"pool": pool.learn(step), **rules.test_then_train(step)}
    for commit in sample.held_out:
        yield rules.test_then_train(_step(commit))


def _step(commit: Commit) -> Step:
    labels = (event_label(event.kind, event.subject) for event in commit)
    return Step(commit[0].ts_us, tuple(dict.fromkeys(labels)))


def _with_agents(
    judged: Mapping[str, Mapping[str, Any]], learned: Mapping[str, Any]
) -> dict[str, Mapping[str, Any]]:
    """The table of the judged commits with the pools that the gate graded before the rules: of
    counts alone, with the base, and with each judged agent too. What an agent adds is the
    difference of the last two.
    """
    pools: dict[str, Mapping[str, Any]] = {"pool": judged["pool"]}
    for verdict in learned["verdicts"]:
        numbers, agent = verdict["numbers"], verdict["version_id"].partition("@")[0]
        if "pool" in numbers:
            pools |= {
                "pool": numbers["pool"],
                "pool + base": numbers["without"],
                f"pool + {agent}": numbers["with"],
            }
    return {**pools, **{who: row for who, row in judged.items() if who != "pool"}}


def _hits(answers: Sequence[Answered], *, is_routed: bool) -> Mapping[str, Any]:
    chosen = [answer for answer in answers if answer.is_routed == is_routed]
    n = max(1, len(chosen))
    return {
        "steps": len(chosen),
        "hit@1": sum(answer.hit_at_1 for answer in chosen) / n,
        "hit@5": sum(answer.hit_at_5 for answer in chosen) / n,
    }


def _beside(
    served: Mapping[str, Any], name: str, rules: Mapping[str, Mapping[str, Any]]
) -> dict[str, Mapping[str, Any]]:
    """The served answers first, then the rules, each with the figures that both have."""
    shared = {rule: {key: figures[key] for key in served} for rule, figures in rules.items()}
    return {name: served, **shared}

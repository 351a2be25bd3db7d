"""The demo compares like with like: the same commits, and figures of one definition."""

from typing import Any

import pytest

from actors.demo.comparison import Answered, Figures, compare
from actors.demo.report import SAMPLE_NOTE, report_lines
from actors.demo.sample import Sample, load
from actors.demo.stations import DemoRun
from selflow.core.steps import Step, event_label
from selflow.predict.evaluate import evaluate_steps
from selflow.predict.prior import shipped

GATE = (100, 140)
N_JUDGED = GATE[1] - GATE[0]
LEARNED: dict[str, Any] = {
    "stages": {"represent": {"gate": GATE}},
    "verdicts": [
        {
            "version_id": "everything@0123",
            "decision": "rejected",
            "reasons": [],
            "numbers": {
                name: {"steps": N_JUDGED, "hit@1": 0.1, "hit@5": 0.2, "log_loss_bits": bits}
                for name, bits in (("pool", 3.0), ("without", 2.5), ("with", 2.4))
            },
        }
    ],
    "trials": [],
}


@pytest.fixture(scope="module")
def sample() -> Sample:
    return load(500)


@pytest.fixture(scope="module")
def figures(sample: Sample) -> Figures:
    answers = [
        Answered(index % 5 == 0, index % 5 < 2, is_routed=bool(index % 2)) for index in range(50)
    ]
    return compare(sample, LEARNED, answers)


@pytest.mark.slow
def test_each_table_grades_everybody_on_the_same_commits(sample: Sample, figures: Figures) -> None:
    steps = {part: {row["steps"] for row in table.values()} for part, table in figures.items()}

    assert steps == {
        "replayed": {len(sample.seen)},
        "judged": {N_JUDGED},
        "asked": {25},
        "routed": {25},
    }


def test_served_answers_and_rules_beside_them_show_no_bits(figures: Figures) -> None:
    columns = {tuple(row) for part in ("asked", "routed") for row in figures[part].values()}

    assert columns == {("steps", "hit@1", "hit@5")}
    assert figures["asked"]["pool"] == {"steps": 25, "hit@1": 0.2, "hit@5": 0.4}


def test_an_agent_stands_beside_the_base_it_is_built_on(figures: Figures) -> None:
    bits = {who: row["log_loss_bits"] for who, row in list(figures["judged"].items())[:3]}

    assert bits == {"pool": 3.0, "pool + base": 2.5, "pool + everything": 2.4}


@pytest.mark.slow
def test_replayed_figures_are_those_of_an_evaluation(sample: Sample, figures: Figures) -> None:
    steps = [
        Step(
            commit[0].ts_us,
            tuple(dict.fromkeys(event_label(event.kind, event.subject) for event in commit)),
        )
        for commit in sample.seen
    ]
    judged = evaluate_steps(steps, mode="all", has_users=False, prior=shipped())

    assert figures["replayed"] == {who: judged[who] for who in figures["replayed"]}


def test_the_report_calls_its_sample_development_data(figures: Figures) -> None:
    lines = report_lines(DemoRun(note=lambda _: None), figures)

    assert SAMPLE_NOTE in lines
    assert "development data" in SAMPLE_NOTE

"""Which patterns get a candidate, what an agent learns from, and the columns in which steps
travel.
"""

import numpy as np
import pytest

from actors.messages import Snapshot, waiting_candidate
from selflow.core.settings import LearningSettings
from selflow.core.steps import Step
from selflow.discover.candidates import MAX_ABSENCES, choose_patterns, why_retire
from selflow.lm.data import select_targets
from selflow.predict.steps import StepTable
from selflow.store.records import AgentVersion, Stage

PATTERNS = [{"name": name, "reason": ""} for name in "abcdef"]
TRAIN, TUNE = (0, 100), (100, 160)
STEPS = [Step(60_000_000 * i, (f"k\x1f{i % 7}", f"k\x1f{i % 3}")) for i in range(200)]


def names(serving: set[str], learning: LearningSettings) -> str:
    return "".join(each["name"] for each in choose_patterns(PATTERNS, serving, learning))


def test_steps_travel_as_columns_and_come_back() -> None:
    assert StepTable.of(STEPS).steps() == STEPS


@pytest.mark.setting("learning.new_agents")
def test_a_cycle_grows_only_so_many_new_agents() -> None:
    assert names(set(), LearningSettings(new_agents=2)) == "ab"
    assert names(set(), LearningSettings(new_agents=3)) == "abc"


@pytest.mark.setting("learning.keep_agents")
def test_agents_that_serve_come_first_and_leave_room_for_fewer_new_ones() -> None:
    assert names({"d", "e"}, LearningSettings(keep_agents=3)) == "dea"
    assert names({"d", "e"}, LearningSettings(keep_agents=2)) == "de"


def test_only_an_agent_that_serves_is_grown_again_on_a_cluster_that_may_have_none() -> None:
    unsure = [{**pattern, "reason": "weak"} for pattern in PATTERNS]
    chosen = choose_patterns([*unsure, {"name": "g", "reason": ""}], {"b"}, LearningSettings())

    assert [pattern["name"] for pattern in chosen] == ["b", "g"]


def test_an_agent_retires_after_three_absences_or_once_its_pattern_is_a_part() -> None:
    assert why_retire("a", MAX_ABSENCES - 1, {"b"}) == ""
    assert why_retire("a", MAX_ABSENCES, {"b"}) == "its pattern was not found in 3 cycles"
    assert why_retire("a", 0, {"a"}) == "its pattern was merged into another"


@pytest.mark.setting("learning.seed")
def test_an_agent_learns_its_own_steps_and_some_anchors_drawn_by_the_seed() -> None:
    own = [i % 2 == 0 for i in range(160)]

    train, tune = select_targets(own, TRAIN, TUNE, LearningSettings(seed=1).seed)
    other, _ = select_targets(own, TRAIN, TUNE, LearningSettings(seed=2).seed)

    anchors = [i for i in train if not own[i]]
    assert [i for i in train if own[i]] == list(range(0, 100, 2))
    assert len(anchors) == round(50 * 0.15 / 0.85)
    assert anchors != [i for i in other if not own[i]]
    assert tune == list(range(100, 160)), (
        "30 steps are too few to tune on: all of the part are taken"
    )


def test_nothing_is_learned_from_the_embargo_or_the_gate() -> None:
    train, tune = select_targets([True] * 160, TRAIN, TUNE, 7)

    assert max(train) < 100
    assert min(tune) >= 100
    assert max(tune) < 160
    assert np.all(np.diff(train) > 0)


def journalled(name: str, **result: object) -> Stage:
    return Stage("cyc_1", name, 1, 2, "m" * 64, result)  # type: ignore[arg-type]


def test_a_version_that_waits_is_a_candidate_by_what_its_own_cycle_journalled() -> None:
    version = AgentVersion(
        "a@1", "a", "1", "s" * 64, "b" * 64, "pat_1", "cyc_1", "no_verdict", "vrd_1", 5
    )
    found = journalled(
        "discover", patterns=[{"name": "b", "number": 1}, {"name": "a", "number": 4}]
    )
    snapshot = Snapshot(StepTable.of(STEPS), 200, 1, TRAIN, TUNE, (170, 200))
    split = journalled("represent", **snapshot.document())

    again = waiting_candidate(version, found, split)

    assert again is not None
    assert (again.agent, again.number, again.model_sha256) == ("a", 4, "m" * 64)
    assert (again.adapter_sha256, again.base_sha256) == ("s" * 64, "b" * 64)
    assert again.gate_from_us == STEPS[170].ts_us
    assert waiting_candidate(version, journalled("discover", patterns=[]), split) is None
    assert waiting_candidate(version, found, None) is None

"""What the router chooses between."""

from selflow.route.arms import left_out, prediction_arms, text_arms

AGENTS = {"coder": "1a2b", "writer": "3c4d"}


def test_predictions_are_the_pool_with_and_without_each_agent() -> None:
    arms = prediction_arms(AGENTS)

    assert arms == {"pool": "", "without:coder": "1a2b", "without:writer": "3c4d"}
    assert [left_out(arm) for arm in arms] == [None, "coder", "writer"]


def test_the_base_is_an_arm_of_texts_only() -> None:
    assert text_arms("5e6f", AGENTS) == {"base": "5e6f", **AGENTS}
    assert "base" not in prediction_arms(AGENTS)

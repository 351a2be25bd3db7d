"""Test-then-train over lines."""

import gc

import pytest

from selflow.core.errors import UsageError
from selflow.text import evaluate
from selflow.text.adapter_rows import in_random_order
from selflow.text.evaluate import NAMES, Models, Row, evaluate_lines
from selflow.text.shared_text import SharedText
from tests.unit.text.models import tiny_model

SHARED = SharedText([b"git push", b"ls -la"])
LINES = [b"git push origin", b"make test", b"ls"] * 10


def rows(lines: list[bytes], user: str = "") -> list[Row]:
    return [(moment, line, b"", user) for moment, line in enumerate(lines)]


@pytest.mark.slow
def test_every_expert_has_every_figure() -> None:
    experts = evaluate_lines(rows(LINES), shared=SHARED)["experts"]

    assert tuple(experts) == NAMES == ("fish", "frecency", "history", "ppm", "mix")
    assert all(own["lines"] == 30 for own in experts.values())
    assert [experts[name]["bits_per_line"] for name in ("fish", "frecency")] == [None, None]
    assert experts["mix"]["hit@1"] > 0.5
    assert experts["mix"]["bits_per_line"] < experts["ppm"]["bits_per_line"]


def test_enter_is_a_key_and_accepting_costs_one() -> None:
    fish = evaluate_lines(rows([b"abcde", b"abcde"]), shared=SHARED)["experts"]["fish"]

    assert fish["keys_saved"] == pytest.approx(3 / 12)
    assert fish["precision_shown"] == 1.0
    assert (fish["hit@1"], fish["hit@5"]) == (0.5, 0.5)


def test_fish_shows_the_newest_line_from_the_first_key() -> None:
    fish = evaluate_lines(rows([b"make old", b"make new", b"make old"]), shared=SHARED)

    assert fish["experts"]["fish"]["keys_saved"] == pytest.approx(1 / 27)
    assert fish["experts"]["fish"]["precision_shown"] == pytest.approx(1 / 3)


def test_moments_decide_the_order() -> None:
    there = rows(LINES)

    assert evaluate_lines(there[::-1], shared=SHARED) == evaluate_lines(there, shared=SHARED)


@pytest.mark.slow
def test_each_user_has_a_past_of_their_own() -> None:
    ann, bob = rows(LINES, "ann"), rows(LINES, "bob")
    alone = evaluate_lines(ann, shared=SHARED)["experts"]["mix"]
    both = evaluate_lines(ann + bob, shared=SHARED)["experts"]["mix"]

    assert both["lines"] == 60
    assert both["bits_per_line"] == pytest.approx(alone["bits_per_line"])


def test_a_line_is_graded_before_it_is_learned() -> None:
    once = evaluate_lines(rows([b"unseen words"]), shared=SHARED)["experts"]

    assert all(own["hit@5"] == own["keys_saved"] == 0 for own in once.values())


def test_progress_reaches_the_end() -> None:
    seen: list[tuple[int, int]] = []
    evaluate_lines(rows(LINES), shared=SHARED, progress=lambda *done: seen.append(done))

    assert seen == [(30, 30)]


def test_a_stream_without_lines_is_refused() -> None:
    with pytest.raises(UsageError, match="no lines"):
        evaluate_lines([])


@pytest.mark.slow
def test_models_are_judged_beside_the_rules_which_they_leave_alone() -> None:
    models = Models(tiny_model(), adapts=True, controls={"control": in_random_order})
    there = [*rows(LINES[:9], "ann"), *rows(LINES[:9], "bob")]
    alone = evaluate_lines(there, shared=SHARED)["experts"]
    beside = evaluate_lines(there, shared=SHARED, models=models)["experts"]

    assert list(beside) == [*NAMES, "mix_base", "mix_agents", "control"]
    assert {name: beside[name] for name in NAMES} == alone
    assert beside["mix_agents"]["bits_per_line"] != beside["mix_base"]["bits_per_line"]
    assert beside["control"]["precision_shown"] is None


def test_an_interrupted_evaluation_leaves_garbage_collection_as_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(evaluate, "_PROGRESS_LINES", 2)
    was_enabled: list[bool] = []

    def interrupt(done: int, _: int) -> None:
        was_enabled.append(gc.isenabled())
        if done == 4:
            raise KeyboardInterrupt

    rows = [(second, b"ls -la", b"", "") for second in range(9)]
    with pytest.raises(KeyboardInterrupt):
        evaluate_lines(rows, shared=SharedText([b"ls"]), progress=interrupt)

    assert was_enabled == [False, False]
    assert gc.isenabled()


@pytest.mark.slow
@pytest.mark.parametrize(("lines_of_bob", "reports"), [(4, 2), (6, 6)])
def test_several_processes_give_the_same_figures(
    monkeypatch: pytest.MonkeyPatch, lines_of_bob: int, reports: int
) -> None:
    """Each takes a user; or, where one has more lines than the other, some of the experts."""
    monkeypatch.setattr(evaluate, "MANY_LINES", 2)
    models = Models(tiny_model())
    there = [*rows(LINES[:4], "ann"), *rows(LINES[:lines_of_bob], "bob")]
    seen: list[tuple[int, int]] = []
    alone = evaluate_lines(there, shared=SHARED, models=models)["experts"]
    together = evaluate_lines(
        there,
        shared=SHARED,
        models=models,
        processes=2,
        progress=lambda *done: seen.append(done),
    )["experts"]

    assert list(together.items()) == list(alone.items())
    assert seen[-1] == (len(there), len(there))
    assert len(seen) == reports

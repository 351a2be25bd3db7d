"""Names of programs that ship: they may say what NEW is called, and change nothing else."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from bench.make_prior import PAGES_NOTE, count_programs, programs_file
from selflow.core.errors import ShapeError
from selflow.core.steps import Step, event_label
from selflow.predict.evaluate import evaluate_rows
from selflow.predict.grades import Grade
from selflow.predict.predictor import Prediction, Predictor
from selflow.predict.prior import shipped
from selflow.predict.shared_counts import (
    EXPERT,
    SHARED_FILE,
    SHELL_KIND,
    decode_counts,
    encode_counts,
    shipped_counts,
)
from selflow.testing.streams import at, work

ROOT = Path(__file__).parents[3]
FILE = ROOT / "selflow" / "predict" / SHARED_FILE
PAGES = Path(os.environ.get("BENCH_DATA", ".")) / "tldr_examples.csv.gz"
WEIGHTS = replace(shipped(), programs={})
PRIOR = replace(
    shipped(), programs={"git": 9, "ls": 6, "make": 3, "tar": 1, "vim": 1, "cp": 1, "mv": 1}
)
DAY = [
    "vim",
    "make",
    "vim",
    "make",
    "ls",
    "mine",
    "git",
    "make",
    "vim",
    "git",
    "ls",
    "cp",
    "vim",
    "make",
    "git",
]


def commands(names: list[str]) -> list[Step]:
    return [Step(at(i), (event_label(SHELL_KIND, name),)) for i, name in enumerate(names)]


def told(predictor: Predictor, steps: list[Step], top_k: int = 5) -> list[tuple[Prediction, Grade]]:
    return [(predictor.predict(None, step.ts_us, top_k), predictor.learn(step)) for step in steps]


def shipped_part(answer: Prediction) -> dict[str, float]:
    """What the list offered: program and probability."""
    return {
        g.label.partition("\x1f")[2]: g.p for g in answer.guesses if g.experts == ((EXPERT, 1.0),)
    }


def test_before_anything_came_only_the_list_has_names() -> None:
    answer = Predictor(prior=PRIOR).predict(None, at(0), 3)

    assert list(shipped_part(answer)) == ["git", "ls", "make"]
    assert sum(guess.p for guess in answer.guesses) + answer.new_p == pytest.approx(1.0)
    assert Predictor(prior=WEIGHTS).predict(None, at(0), 3).guesses == ()


def test_after_a_command_what_never_came_may_be_named_and_what_came_is_not_offered() -> None:
    for i, (answer, _) in enumerate(told(Predictor(prior=PRIOR), commands(DAY), top_k=20)):
        offered = shipped_part(answer)

        assert set(offered) == set([name for name in PRIOR.programs if name not in DAY[:i]][:5])
        assert sum(guess.p for guess in answer.guesses) + answer.other_p == pytest.approx(1.0)
        assert 0.0 <= answer.new_p <= answer.other_p


def test_a_command_that_never_came_is_a_hit_if_the_list_named_it() -> None:
    graded = [grade for _, grade in told(Predictor(prior=PRIOR), commands(["vim", "git", "mine"]))]

    assert [grade.hit_at_5 for grade in graded] == [True, True, False]
    assert not any(
        grade.hit_at_5
        for _, grade in told(Predictor(prior=WEIGHTS), commands(["vim", "git", "mine"]))
    )


def test_the_list_changes_no_probability_of_anything_known() -> None:
    for with_list, plain in zip(
        told(Predictor(prior=PRIOR), commands(DAY * 3), 50),
        told(Predictor(prior=WEIGHTS), commands(DAY * 3), 50),
        strict=True,
    ):
        own = [g for g in with_list[0].guesses if g.experts != ((EXPERT, 1.0),)]

        assert own == list(plain[0].guesses)
        assert with_list[1].log_loss_bits == plain[1].log_loss_bits


def test_after_a_file_the_list_says_nothing() -> None:
    streams = [told(Predictor(prior=prior), work(5, 30)) for prior in (PRIOR, WEIGHTS)]

    assert streams[0][1:] == streams[1][1:]


def test_an_owner_whose_commands_are_not_on_the_list_soon_hears_little_of_it() -> None:
    odd, usual = (Predictor(prior=PRIOR) for _ in range(2))
    answers = told(odd, commands([f"odd{i}" for i in range(30)]))
    told(usual, commands(["tar", "vim", "cp"]))

    assert (
        sum(shipped_part(answers[1][0]).values())
        > 10 * sum(shipped_part(odd.predict(None, at(30), 50)).values())
        > 0.0
    )
    assert sum(shipped_part(usual.predict(None, at(3), 50)).values()) > 0.3


def test_a_saved_list_goes_on_bit_for_bit() -> None:
    one = Predictor(prior=PRIOR)
    told(one, commands(DAY[:6]))
    other = Predictor.load(one.save())

    assert other.save() == one.save()
    assert told(other, commands(DAY)[6:]) == told(one, commands(DAY)[6:])
    assert other.save() == one.save()


def test_the_list_knows_no_future() -> None:
    states = []
    for later in (DAY[6:], DAY[:5:-1]):
        predictor = Predictor(prior=PRIOR)
        said = told(predictor, commands(DAY[:6]))
        states.append((said, predictor.save()))
        told(predictor, commands(later))

    assert states[0] == states[1]


@pytest.mark.setting("predict.use_prior")
def test_without_a_prior_no_state_holds_a_name_that_did_not_come() -> None:
    heir, plain = Predictor(prior=Predictor(prior=PRIOR).as_prior()), Predictor()

    assert b"make" in Predictor(prior=PRIOR).save()
    assert all(b"make" not in predictor.save() for predictor in (heir, plain))
    assert plain.predict(None, at(0), 5).guesses == ()


def test_programs_are_evaluated_in_the_form_the_product_learns_them() -> None:
    lines = [(at(i), f"sudo {name} -v", None, "") for i, name in enumerate(DAY)]
    labels = [(at(i), event_label(SHELL_KIND, name), None, "") for i, name in enumerate(DAY)]

    assert evaluate_rows(lines, program=True) == evaluate_rows(labels)


def test_a_program_counts_once_for_each_family_of_pages_that_runs_it() -> None:
    examples = [
        ("git-add", "git add {{file; rm}}"),
        ("git-log", "git log | less"),
        ("hub", "cd x && git push"),
    ]
    examples += [("less", "less {{file}}"), ("rm", "tldr rm"), ("if", "if true; then less; fi")]

    assert count_programs(examples) == {"less": 2}
    assert count_programs([*examples, ("git", "git {{command}}")]) == {"git": 2, "less": 2}


def test_the_file_is_small_and_says_whose_work_it_is() -> None:
    note, counts = decode_counts(FILE.read_bytes())

    assert note == PAGES_NOTE
    assert all(
        part in (ROOT / "NOTICE").read_text(encoding="utf-8")
        for part in (SHARED_FILE, "tldr-pages", "CC BY 4.0")
    )
    assert FILE.stat().st_size < 300_000
    assert encode_counts(counts, note) == FILE.read_bytes()
    assert counts == shipped().programs == shipped_counts()
    with pytest.raises(ShapeError, match="not a saved state"):
        decode_counts(b"abc")


@pytest.mark.skipif(
    not PAGES.is_file(), reason="BENCH_DATA names no folder with tldr_examples.csv.gz"
)
def test_the_same_pages_give_the_same_file() -> None:
    assert programs_file(PAGES) == FILE.read_bytes()

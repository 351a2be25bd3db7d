"""Every text expert keeps every law; what each of them is good at."""

import numpy as np
import pytest

from selflow.testing.texts import (
    TEXT_LAWS,
    MakeText,
    TextLaw,
    a_line_that_comes_again_gets_cheaper,
    bits_of,
    text_lines,
    the_end_of_a_line_is_learned,
)
from selflow.text import ppm
from selflow.text.byte_expert import ByteExpert
from selflow.text.byte_model import shipped_base
from selflow.text.history import MAX_LINES, History, LineCounts
from selflow.text.lines import END, line_bits
from selflow.text.mixer import Mixer
from selflow.text.ppm import ByteCounts, Ppm
from selflow.text.shared_text import SharedText
from tests.unit.text.models import tiny_model

SHARED = SharedText([b"git push origin main", b"git pull", b"tar -xf archive.tar", b"ls -la"])
EXPERTS: dict[str, MakeText] = {
    "ppm_own": Ppm,
    "ppm": lambda: Ppm(SHARED),
    "history": lambda: History(Ppm(SHARED)),
    "mix": lambda: Mixer(SHARED),
    "base": lambda: ByteExpert(tiny_model()),
    "mix_base": lambda: Mixer(SHARED, [ByteExpert(tiny_model())]),
}
NEEDS_WEIGHTS_THAT_LEARN = (the_end_of_a_line_is_learned, a_line_that_comes_again_gets_cheaper)
"""The base alone reads what came, and its weights stand still."""


def test_the_laws_are_run_on_every_expert() -> None:
    assert len(TEXT_LAWS) == 8
    assert {type(make()) for make in EXPERTS.values()} == {Ppm, History, Mixer, ByteExpert}


@pytest.mark.slow
@pytest.mark.parametrize("law", TEXT_LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("name", EXPERTS)
def test_every_text_expert_keeps_every_law(name: str, law: TextLaw) -> None:
    if name == "base" and law in NEEDS_WEIGHTS_THAT_LEARN:
        return
    law(EXPERTS[name])


def test_shared_text_helps_before_anything_came() -> None:
    own, primed = (line_bits(expert.start(), b"git push") for expert in (Ppm(), Ppm(SHARED)))

    assert primed < own / 2


def test_the_mix_beats_each_of_its_experts() -> None:
    stream = text_lines(9, 150)
    rules = ("ppm_own", "ppm", "history", "mix")
    bits = {name: sum(bits_of(EXPERTS[name](), stream)) for name in rules}

    assert min(bits, key=lambda name: bits[name]) == "mix"


def test_the_shipped_model_knows_commands_and_sums_to_one() -> None:
    base = ByteExpert(shipped_base())
    likely = base.read(b"git status")

    assert np.allclose(np.exp(likely).sum(axis=1), 1.0, atol=1e-9)
    assert line_bits(base.start(), b"git status") < line_bits(base.start(), b"sutats tig") / 2
    assert likely.shape == (11, 257)


def test_old_lines_weigh_less_than_recent_ones() -> None:
    counts = ByteCounts()
    for line in [b"a"] * 3 + [b"b"] * 3000 + [b"c"] * 3:
        counts.learn(line)
    first = counts.counts(b"\n")

    assert first is not None
    assert first[ord("a")] < 0.1
    assert first[ord("c")] > 2.9


def test_the_oldest_contexts_leave_first() -> None:
    counts = ByteCounts(max_contexts=40)
    for line in (b"first line", b"second line", b"third entry"):
        counts.learn(line)

    assert len(counts.state()[1]) == 40
    assert counts.counts(b"third"[:5]) is not None
    assert counts.counts(b"first"[:5]) is None


def test_excluded_symbols_leave_their_mass_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ppm, "OWN_WEIGHT", 1.0)
    monkeypatch.setattr(ppm, "ESCAPE", 0.5)
    expert = Ppm()
    expert.learn(b"")
    start = expert.start()

    assert start.p[END] == pytest.approx(0.5)
    assert start.p[0] == pytest.approx(0.5 / 256)


def test_history_knows_what_followed_the_last_line() -> None:
    history = History(Ppm(SHARED))
    for line in [b"cd src", b"make", b"cd docs", b"ls"] * 8:
        history.learn(line)
    history.learn(b"cd src")

    assert line_bits(history.start(), b"make") < line_bits(history.start(), b"ls")


def test_history_knows_the_folder() -> None:
    history = History(Ppm(SHARED))
    for _ in range(10):
        history.learn(b"make", b"/src")
        history.learn(b"ls", b"/docs")

    assert line_bits(history.start(b"/src"), b"make") < line_bits(history.start(b"/docs"), b"make")


def test_a_rule_holds_a_bounded_number_of_lines() -> None:
    counts = LineCounts(60.0)
    for number in range(MAX_LINES + 10):
        counts.learn(b"", b"%d" % number)

    assert len(counts.newest()) == MAX_LINES
    assert counts.newest()[-1] == b"10"

"""The completion that is shown, and when none is."""

from typing import Any

import msgpack
import numpy as np
import pytest

from selflow.text import completions as ways
from selflow.text import mixer as mixing
from selflow.text.byte_expert import ByteExpert
from selflow.text.completions import MAX_TYPED_BYTES, completions, whole_characters
from selflow.text.lines import MAX_LINE_BYTES, Floats, line_bits
from selflow.text.mixer import Mixer
from selflow.text.precision_bound import PrecisionBound
from selflow.text.shared_text import SharedText
from selflow.text.suggest import (
    Shown,
    Suggester,
    Suggestion,
    completer,
    first_guesses,
    follow,
)
from tests.unit.text.models import tiny_model

SHARED = SharedText([b"git push origin main", b"git pull", b"ls -la"])


@pytest.fixture
def suggester() -> Suggester:
    suggester = Suggester(Mixer(SHARED))
    for line in [b"git push origin main", b"ls", b"make test"] * 12:
        suggester.learn(line)
    return suggester


def test_a_line_of_the_past_is_completed(suggester: Suggester) -> None:
    suggestion = suggester.suggest(b"git ")

    assert suggestion is not None
    assert suggestion.text == b"git push origin main"
    assert 0.5 < suggestion.p <= 1.0
    assert suggestion.keys_saved == pytest.approx(suggestion.p * (len(b"push origin main") - 1))


@pytest.mark.parametrize(
    "prefix", [b"qq", b"\x00\xff", b"make tes", b"g" * (MAX_TYPED_BYTES + 1), bytes(1_000_000)]
)
def test_nothing_is_shown_where_nothing_is_likely_or_saved(
    suggester: Suggester, prefix: bytes
) -> None:
    assert suggester.suggest(prefix) is None


def test_a_search_that_ends_early_finds_the_same_completion(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words = [b"git", b"push", b"pull", b"make", b"test", "größer".encode(), b"origin", b"main"]
    draw = np.random.default_rng(7)
    expert = Mixer(SHARED)
    lines = [b" ".join(words[index] for index in draw.integers(8, size=4)) for _ in range(60)]
    for line in lines[:40]:
        expert.learn(line)

    def completed() -> tuple[list[Suggestion | None], int]:
        steps = 0

        def counted(*args: Any) -> Floats:
            nonlocal steps
            steps += 1
            return mix(*args)

        monkeypatch.setattr(mixing, "_mix", counted)
        apart = Mixer(SHARED)
        apart.load_state(expert.state())
        found = []
        for line in lines[40:]:
            complete = completer(apart.start(), 0.02, line)
            found += [complete(line[:typed]) for typed in range(1, len(line))]
        return found, steps

    mix = mixing._mix
    early, steps_early = completed()
    monkeypatch.setattr(ways._WorthBound, "is_out_of_reach", lambda *_: False)
    late, steps_late = completed()

    assert early == late
    assert steps_early < steps_late


def test_the_first_completion_is_the_likeliest_of_all() -> None:
    expert = Mixer(SHARED)
    for line in [b"ab", b"ac", b"ac", b"abcd"] * 9:
        expert.learn(line)
    found = completions(expert.start(), count=3, floor=0.001, max_steps=200)
    known = {line: 2.0 ** -line_bits(expert.start(), line) for line in (b"ab", b"ac", b"abcd")}

    assert found == [
        (line, pytest.approx(p)) for line, p in sorted(known.items(), key=lambda pair: -pair[1])
    ]


def test_the_threshold_rises_until_the_past_was_precise() -> None:
    bound = PrecisionBound(0.8)
    for _ in range(200):
        bound.learn([(0.85, False), (0.95, True)])

    assert bound.threshold == 0.95


def test_the_threshold_falls_where_the_past_was_precise() -> None:
    bound = PrecisionBound(0.8)
    bound.learn([(0.3, True)] * 100)

    assert bound.threshold == 0.3


def test_few_right_completions_are_no_evidence() -> None:
    bound = PrecisionBound(0.8)
    bound.learn([(0.9, False)] * 24 + [(0.95, True)])

    assert bound.threshold == 1.0


def test_a_suggester_abstains_after_it_was_wrong() -> None:
    suggester = Suggester(Mixer(SHARED), min_precision=0.8)
    letters = np.random.default_rng(1).integers(97, 123, (70, 12))
    for row in letters[:60]:
        suggester.learn(bytes(row.tolist()))
    shown = [suggester.learn(bytes(row.tolist())).displays for row in letters[60:]]

    assert sum(shown) == 0


def test_a_suggester_continues_from_its_state(suggester: Suggester) -> None:
    copy = Suggester(Mixer(SHARED))
    copy.load_state(msgpack.unpackb(msgpack.packb(suggester.state()), strict_map_key=False))
    later = [b"git pull", b"make test", b"git push origin main"]

    assert copy.suggest(b"ma") == suggester.suggest(b"ma")
    assert [copy.learn(line) for line in later] == [suggester.learn(line) for line in later]
    assert copy.state() == msgpack.unpackb(msgpack.packb(suggester.state()))


def test_a_line_too_long_is_left_out(suggester: Suggester) -> None:
    before = msgpack.packb(suggester.state())

    assert suggester.learn(b"x" * (MAX_LINE_BYTES + 1)) == Shown(0, 0)
    assert msgpack.packb(suggester.state()) == before


def test_accepting_costs_one_key_and_saves_the_rest() -> None:
    guesses = {b"m": b"make", b"ma": b"make install"}  # accepted at m, "ma" is never asked

    def complete(prefix: bytes) -> Suggestion | None:
        line = guesses.get(prefix)
        return None if line is None else Suggestion(line, 1.0, 1.0)

    assert follow(b"make install", complete) == Shown(displays=1, keys_saved=2, accepted=1)
    assert follow(b"mount", complete) == Shown(displays=1, keys_saved=0)
    assert not follow(b"m", complete).was_right


def test_one_completion_behind_another_is_accepted() -> None:
    guesses = {b"m": b"make ", b"make ": b"make install"}

    def complete(prefix: bytes) -> Suggestion | None:
        text = guesses.get(prefix)
        return None if text is None else Suggestion(text, 1.0, 1.0)

    shown = follow(b"make install -j2", complete)

    assert shown == Shown(displays=2, keys_saved=3 + 6, accepted=2)


def test_a_part_of_a_line_is_shown_where_only_that_is_likely() -> None:
    suggester = Suggester(Mixer(SHARED))
    for number in range(40):
        suggester.learn(b"ssh admin@host%d" % (number * 7919 % 1000))
    suggestion = suggester.suggest(b"s")
    shown = suggester.learn(b"ssh admin@host7777")

    assert suggestion is not None
    assert suggestion.text == b"ssh admin@host"
    assert suggestion.p > 0.5
    assert shown.keys_saved >= len(b"sh admin@host") - 1


def test_before_the_first_key_only_whole_lines_are_shown() -> None:
    suggester = Suggester(Mixer(SHARED))
    for number in range(40):
        suggester.learn(b"ssh admin@host%d" % (number * 7919 % 1000))
    suggestion = suggester.suggest(b"")

    assert suggestion is None or suggestion.text.startswith(b"ssh admin@host")
    assert suggestion is None or suggestion.text != b"ssh admin@host"


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        (b"caf\xc3\xa9", b"caf\xc3\xa9"),
        (b"caf\xc3", b"caf"),
        (b"\xe2\x82\xac", b"\xe2\x82\xac"),
        (b"x\xe2\x82", b"x"),
        (b"\xf0\x9f\x98", b""),
        (b"ls", b"ls"),
        (b"", b""),
        (b"\x80\x80", b"\x80\x80"),
    ],
)
def test_no_completion_ends_within_a_character(text: bytes, whole: bytes) -> None:
    assert whole_characters(text) == whole


@pytest.mark.slow
def test_what_is_shown_ends_behind_a_whole_character() -> None:
    suggester = Suggester(Mixer(SHARED))
    for word in ("für", "früh", "fünf", "frönen", "fäden") * 12:
        suggester.learn(f"git commit -m '{word}'".encode())
    ends = [suggester.suggest(b"git commit -m "[:typed]) for typed in range(1, 15)]

    assert any(ends)
    for suggestion in filter(None, ends):
        suggestion.text.decode()


def test_a_completion_that_was_accepted_is_gone_on_from() -> None:
    line = b"git push origin main --tags"
    suggester, asked = Suggester(Mixer(SHARED, [ByteExpert(tiny_model())])), Mixer(SHARED)
    for _ in range(9):
        suggester.learn(b"git push origin main")
        asked.learn(b"git push origin main")
    complete = completer(asked.start(), 0.02, line)
    first, behind = complete(b"g"), complete(b"git push origin main -")

    assert first is not None
    assert first.text == b"git push origin main"
    assert behind is None or behind.text.startswith(b"git push origin main -")
    assert suggester.learn(line).accepted >= 1


def test_a_long_line_of_the_past_is_completed_from_its_first_key() -> None:
    suggester = Suggester(Mixer(SHARED))
    line = b"docker run --rm -it -v /srv/data:/data registry/image:latest bash"
    for _ in range(8):
        suggester.learn(line)
    suggestion = suggester.suggest(b"d")

    assert suggestion is not None
    assert suggestion.text == line


def test_a_completion_is_shown_only_where_it_is_worth_its_price(
    suggester: Suggester, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert suggester.suggest(b"git ") is not None

    monkeypatch.setattr(ways, "PRICE_KEYS", 1e6)
    assert suggester.suggest(b"git ") is None


def test_before_the_first_key_lines_of_the_past_are_offered() -> None:
    mixer = Mixer(SHARED)
    lines = [b"git fetch --all", b"make -j2 check", b"ls -la /srv", b"vim notes.txt", b"cd /srv"]
    for line in lines:
        mixer.learn(line)

    assert set(first_guesses(mixer.start(), 5, 0.02)) == set(lines)


def test_a_search_is_short_where_nothing_was_precise() -> None:
    bound = PrecisionBound(0.8)
    before = bound.floor
    bound.learn([(0.9, False)] * 50)

    assert (bound.threshold, bound.floor) == (1.0, 0.25)
    assert before < 0.25


@pytest.mark.slow
def test_rules_look_for_completions_and_the_model_judges_them() -> None:
    rules, judged = Mixer(SHARED), Mixer(SHARED, [ByteExpert(tiny_model())])
    for mixer in (rules, judged):
        for line in [b"git push origin main", b"ls"] * 8:
            mixer.learn(line)
    (line, p), *_ = completions(judged.start(), count=3, floor=0.001)

    assert line in dict(completions(rules.start(), count=3, floor=0.001))
    assert p == pytest.approx(2.0 ** -line_bits(judged.start(), line), rel=1e-4)

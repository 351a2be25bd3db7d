"""The completion that is shown, and when none is."""

import msgpack
import pytest

from selflow.text import suggest
from selflow.text.byte_expert import ByteExpert
from selflow.text.lines import MAX_LINE_BYTES, line_bits
from selflow.text.mixer import Mixer
from selflow.text.shared_text import SharedText
from selflow.text.suggest import (
    MAX_TYPED_BYTES,
    PrecisionBound,
    Shown,
    Suggester,
    Suggestion,
    completions,
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
    assert suggestion.line == b"git push origin main"
    assert 0.5 < suggestion.p <= 1.0
    assert suggestion.keys_saved == pytest.approx(suggestion.p * (len(b"push origin main") - 1))


@pytest.mark.parametrize(
    "prefix", [b"qq", b"\x00\xff", b"make tes", b"g" * (MAX_TYPED_BYTES + 1), bytes(1_000_000)]
)
def test_nothing_is_shown_where_nothing_is_likely_or_saved(
    suggester: Suggester, prefix: bytes
) -> None:
    assert suggester.suggest(prefix) is None


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
    for number in range(60):
        suggester.learn(b"ssh host%d" % (number * 7919 % 1000))
    shown = [suggester.learn(b"ssh host%d" % (1000 + n)).displays for n in range(10)]

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
    guesses = {b"m": b"make", b"ma": b"make install"}

    def complete(prefix: bytes) -> Suggestion | None:
        line = guesses.get(prefix)
        return None if line is None else Suggestion(line, 1.0, 1.0)

    assert follow(b"make install", complete) == Shown(displays=2, keys_saved=9)
    assert follow(b"mount", complete) == Shown(displays=1, keys_saved=0)
    assert not follow(b"m", complete).was_right


def test_a_long_line_of_the_past_is_completed_from_its_first_key() -> None:
    suggester = Suggester(Mixer(SHARED))
    line = b"docker run --rm -it -v /srv/data:/data registry/image:latest bash"
    for _ in range(8):
        suggester.learn(line)
    suggestion = suggester.suggest(b"d")

    assert suggestion is not None
    assert suggestion.line == line


def test_a_completion_is_shown_only_where_it_is_worth_its_price(
    suggester: Suggester, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert suggester.suggest(b"git ") is not None

    monkeypatch.setattr(suggest, "PRICE_KEYS", 1e6)
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


def test_rules_look_for_completions_and_the_model_judges_them() -> None:
    rules, judged = Mixer(SHARED), Mixer(SHARED, [ByteExpert(tiny_model())])
    for mixer in (rules, judged):
        for line in [b"git push origin main", b"ls"] * 8:
            mixer.learn(line)
    (line, p), *_ = completions(judged.start(), count=3, floor=0.001)

    assert line in dict(completions(rules.start(), count=3, floor=0.001))
    assert p == pytest.approx(2.0 ** -line_bits(judged.start(), line), rel=1e-4)

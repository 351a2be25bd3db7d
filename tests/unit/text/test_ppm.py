"""PPM and the judging of completions take short cuts; the obvious slow ways say the same."""

import numpy as np
import pytest

from selflow.testing.texts import text_lines
from selflow.text.byte_expert import ByteExpert
from selflow.text.completions import completions
from selflow.text.lines import END, LEAST_LIKELY, SYMBOLS, Floats, line_bits
from selflow.text.mixer import Mixer
from selflow.text.ppm import ESCAPE, OWN_WEIGHT, ByteCounts, Ppm
from selflow.text.shared_text import ORDER, START, SharedText
from selflow.text.suggest import best_completion, completer
from tests.unit.text.models import tiny_model

SHARED = SharedText([b"git push origin main", b"git pull", b"tar -xf archive.tar", b"ls -la"])


def blended(tail: bytes, own: ByteCounts, shared: SharedText | None) -> Floats:
    """PPM as it is defined, context by context over all symbols."""
    p, is_open, escape = np.zeros(SYMBOLS), np.ones(SYMBOLS), 1.0
    for order in range(len(tail), -1, -1):
        counts, context = np.zeros(SYMBOLS), tail[len(tail) - order :]
        for symbol, count in ((shared and shared.counts(context)) or {}).items():
            counts[symbol] = count
        for symbol, count in (own.counts(context) or {}).items():
            counts[symbol] += OWN_WEIGHT * count
        counts *= is_open
        if counts.sum() > 0.0:
            retained = np.maximum(counts - ESCAPE, counts * (1.0 - ESCAPE)) * escape / counts.sum()
            p, escape = p + retained, escape - retained.sum()
            is_open[counts > 0.0] = 0.0
    left = is_open.sum()
    p += is_open * (escape / left if left else 0.0)
    return np.asarray(p / p.sum())


@pytest.mark.slow
@pytest.mark.parametrize("shared", [None, SHARED], ids=["own", "primed"])
def test_short_cuts_of_ppm_change_no_probability(shared: SharedText | None) -> None:
    own, expert = ByteCounts(max_contexts=400), Ppm(shared)
    limited = Ppm(shared, own)
    alone = ByteCounts()
    words = [line for line, _ in text_lines(3, 40)]
    for line in [*words, bytes(range(256)), b"git push", b"git push origin"]:
        for index in range(len(line) + 1):
            tail = (START + line[:index])[-ORDER:]
            for counts, ppm in ((own, limited), (alone, expert)):
                expected = blended(tail, counts, shared)
                said = ppm.distribution(tail)
                likely = [(p, s) for s, p in enumerate(expected.tolist()) if p >= LEAST_LIKELY]
                for found, sought in zip(said.likely, sorted(likely)[::-1], strict=True):
                    assert found[0] == pytest.approx(sought[0], rel=1e-9)
                    assert expected[found[1]] == pytest.approx(found[0], rel=1e-9)
                assert np.allclose(said.p, expected, rtol=1e-9, atol=0.0)
        for learned in (own, alone):
            learned.learn(line)
        for ppm in (limited, expert):
            ppm.learn(line)


def test_completions_read_together_are_as_likely_as_each_alone() -> None:
    mixer = Mixer(SHARED, [ByteExpert(tiny_model())])
    for line in [b"git push origin main", b"git push origin next", b"git pull", b"make"] * 4:
        mixer.learn(line)
    found = completions(mixer.start().step(ord("g")), count=3, floor=0.02)

    assert len(found) == 3
    mixer_again = Mixer(SHARED, [ByteExpert(tiny_model())])
    for line in [b"git push origin main", b"git push origin next", b"git pull", b"make"] * 4:
        mixer_again.learn(line)
    for rest, p in found:
        at = mixer_again.start()
        first = float(at.p[ord("g")])
        assert 2.0 ** -line_bits(at, b"g" + rest) / first == pytest.approx(p, rel=1e-5)


def test_completions_read_for_several_keys_are_those_of_each_key_alone() -> None:
    together, alone = (Mixer(SHARED, [ByteExpert(tiny_model())]) for _ in range(2))
    for line in [b"git push origin main", b"git push origin next", b"git pull", b"make"] * 4:
        for mixer in (together, alone):
            mixer.learn(line)
    line = b"git push origin twig"
    complete, cursor = completer(together.start(), 0.02, line), alone.start()
    for typed in range(1, len(line)):
        cursor = cursor.step(line[typed - 1])
        expected = best_completion(cursor, line[:typed], 0.02)
        found = complete(line[:typed])

        assert (found and found.text) == (expected and expected.text)
        assert (found and found.p) == (expected and pytest.approx(expected.p, rel=1e-5))


def test_the_end_of_a_line_is_a_completion_too() -> None:
    expert = Ppm()
    for _ in range(20):
        expert.learn(b"ls")
    at = expert.start().step(ord("l")).step(ord("s"))
    found = dict(completions(at, count=1, floor=0.02))

    assert found == {b"": pytest.approx(float(at.p[END]))}

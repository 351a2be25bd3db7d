"""The laws of a text expert: whoever writes one can check it.

from selflow.testing import check_text_expert

check_text_expert(lambda: MyTextExpert())
"""

from collections.abc import Callable, Sequence

import msgpack
import numpy as np

from selflow.testing.claims import holds
from selflow.text.lines import END, MAX_LINE_BYTES, SYMBOLS, Cursor, TextExpert, line_bits

MakeText = Callable[[], TextExpert]
TextLaw = Callable[[MakeText], None]
TextStream = Sequence[tuple[bytes, bytes]]
"""(line, context)"""

_WORDS = (b"git status", b"git commit -m x", b"ls -la", b"cd src", b"make", b"\x00\xff\n\x1b[0m")


def text_lines(seed: int, n: int) -> list[tuple[bytes, bytes]]:
    """Lines as a person types them, some with binary bytes, each in a folder."""
    rng = np.random.default_rng(seed)
    lines = [(_WORDS[rng.integers(len(_WORDS))], int(rng.integers(10))) for _ in range(n)]
    return [
        (command + (b" %d" % tail if tail < 3 else b""), b"/a" if tail % 2 else b"/b")
        for command, tail in lines
    ]


def bits_of(expert: TextExpert, stream: TextStream) -> list[float]:
    """Each line's bits before it is learned."""
    bits = []
    for line, context in stream:
        bits.append(line_bits(expert.start(context), line))
        expert.learn(line, context)
    return bits


def _path(cursor: Cursor, line: bytes) -> list[Cursor]:
    cursors = [cursor]
    for byte in line:
        cursors.append(cursors[-1].step(byte))
    return cursors


def _taught(make: MakeText, stream: TextStream) -> TextExpert:
    expert = make()
    bits_of(expert, stream)
    return expert


def check_text_expert(make: MakeText) -> None:
    """Every law of a text expert, each on new ones.

    Args:
        make: An expert that has learned nothing; called several times.

    Raises:
        AssertionError: Names the law that does not hold.
    """
    for law in TEXT_LAWS:
        law(make)


def all_lines_that_end_sum_to_one(make: MakeText) -> None:
    for expert in (make(), _taught(make, text_lines(1, 40))):
        for cursor in _path(expert.start(b"/a"), b"git st\x00"):
            holds(cursor.p.shape == (SYMBOLS,), "there is one probability for each byte and END")
            holds(bool(np.all(cursor.p > 0.0)), "nothing is impossible")
            holds(abs(cursor.p.sum() - 1.0) < 1e-9, "bytes and END sum to 1 anywhere in a line")
        start = expert.start()
        masses = [start.p[byte] * start.step(byte).p.sum() for byte in range(END)]
        holds(abs(sum(masses) + start.p[END] - 1.0) < 1e-9, "all lines together have probability 1")


def the_end_of_a_line_is_learned(make: MakeText) -> None:
    expert = _taught(make, [(b"make", b"")] * 20)
    before, end = _path(expert.start(), b"make")[-2:]
    holds(end.p.argmax() == END and end.p[END] > 0.5, "a line ends where it always ended")
    holds(before.p[END] < 0.1, "it does not end before")


def a_line_that_comes_again_gets_cheaper(make: MakeText) -> None:
    bits = bits_of(make(), [(b"terraform plan", b"/x")] * 5)
    holds(bits[4] < bits[1] < bits[0], "what was learned is expected")


def asking_for_text_changes_nothing(make: MakeText) -> None:
    expert = _taught(make, text_lines(2, 20))
    before = msgpack.packb(expert.state())
    one = [cursor.p.copy() for cursor in _path(expert.start(b"/a"), b"git push")]
    _path(expert.start(b"/b"), b"never\xfe")
    two = [cursor.p for cursor in _path(expert.start(b"/a"), b"git push")]
    holds(all(np.array_equal(a, b) for a, b in zip(one, two, strict=True)), "asked twice, the same")
    holds(msgpack.packb(expert.state()) == before, "asking leaves the state as it is")


def the_same_lines_give_the_same_bits(make: MakeText) -> None:
    one, other = (bits_of(make(), text_lines(3, 30)) for _ in range(2))
    holds(one == other, "nothing but the lines decides")


def later_lines_change_no_earlier_bits(make: MakeText) -> None:
    stream, other = text_lines(4, 30), text_lines(5, 30)
    one, two = bits_of(make(), stream), bits_of(make(), [*stream[:15], *other[15:]])
    holds(one[:15] == two[:15], "nothing later is known")


def a_saved_text_expert_goes_on_alike(make: MakeText) -> None:
    stream = text_lines(6, 40)
    expert, copy = _taught(make, stream[:25]), _taught(make, text_lines(7, 3))
    copy.load_state(msgpack.unpackb(msgpack.packb(expert.state()), strict_map_key=False))
    holds(bits_of(expert, stream[25:]) == bits_of(copy, stream[25:]), "a copy goes on bit for bit")
    holds(msgpack.packb(expert.state()) == msgpack.packb(copy.state()), "and ends in one state")


def a_line_too_long_teaches_nothing(make: MakeText) -> None:
    expert = _taught(make, text_lines(8, 10))
    before = msgpack.packb(expert.state())
    expert.learn(b"x" * (MAX_LINE_BYTES + 1))
    expert.learn(bytes(1_000_000))
    holds(msgpack.packb(expert.state()) == before, "a line too long to be typed is left out")


TEXT_LAWS: tuple[TextLaw, ...] = (
    all_lines_that_end_sum_to_one,
    the_end_of_a_line_is_learned,
    a_line_that_comes_again_gets_cheaper,
    asking_for_text_changes_nothing,
    the_same_lines_give_the_same_bits,
    later_lines_change_no_earlier_bits,
    a_saved_text_expert_goes_on_alike,
    a_line_too_long_teaches_nothing,
)

"""The lines that ship, and how they are counted."""

import pytest

from bench.make_text_prior import lines_of, plain
from selflow.core.errors import ShapeError
from selflow.text.lines import END
from selflow.text.shared_text import DAMPING, SharedText, decode_lines, encode_lines, shipped


def test_each_context_counts_what_followed_it() -> None:
    shared = SharedText([b"aab", b"aa", b"b"])
    nothing, start = shared.counts(b"\n")
    unseen, *_ = reversed(shared.counts(b"zz"))

    assert nothing is not None
    assert start is not None
    assert {END: 3, ord("a"): 4, ord("b"): 2} == {
        symbol: round(nothing[symbol] ** (1 / DAMPING)) for symbol in nothing.nonzero()[0].tolist()
    }
    assert start[ord("a")] == pytest.approx(2**DAMPING)
    assert unseen is None


def test_no_lines_count_nothing() -> None:
    assert SharedText([]).counts(b"ab") == [None, None, None]


def test_the_file_gives_back_its_lines_and_note() -> None:
    assert decode_lines(encode_lines([b"ls", b"a\xff"], "whose")) == ("whose", [b"ls", b"a\xff"])


@pytest.mark.parametrize("data", [b"", b"\x80", encode_lines([b"x"], "")[:-3]])
def test_other_bytes_are_refused_with_a_next_step(data: bytes) -> None:
    with pytest.raises(ShapeError, match="are not shared lines"):
        decode_lines(data)


def test_placeholders_become_words_that_people_type() -> None:
    command = "tar {{[-c|--create]}} {{gz|xz}} {{path/to/target.tar}} {{path/to/folder/}}"

    assert plain(command) == "tar -c gz target.tar folder"
    assert lines_of(["tldr git", "ls {{path/to/file}}", "ls {{file}}"]) == [b"ls file"]


def test_what_ships_names_its_source_and_knows_common_commands() -> None:
    after_git = shipped().counts(b"git ")[-1]

    assert after_git is not None
    assert after_git[ord("c")] > after_git[ord("j")]

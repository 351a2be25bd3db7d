"""The lines that ship, and how they are counted."""

import pytest

from bench.make_text_prior import lines_of, plain
from selflow.core.errors import ShapeError
from selflow.text.lines import END
from selflow.text.shared_text import DAMPING, SharedText, decode_lines, encode_lines, shipped


def counted(shared: SharedText, context: bytes) -> dict[int, int]:
    """How often each symbol followed a context that came."""
    found = shared.counts(context)
    assert found is not None
    return {symbol: round(count ** (1 / DAMPING)) for symbol, count in found.items()}


def test_each_context_counts_what_followed_it() -> None:
    shared = SharedText([b"aab", b"aa", b"b"])
    nothing, start = counted(shared, b""), counted(shared, b"\n")

    assert nothing == {END: 3, ord("a"): 4, ord("b"): 2}
    assert start == {ord("a"): 2, ord("b"): 1}
    assert shared.counts(b"zz") is None


def test_no_lines_count_nothing() -> None:
    assert SharedText([]).counts(b"") is None


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
    after_git = counted(shipped(), b"git ")

    assert after_git[ord("c")] > after_git.get(ord("j"), 0)

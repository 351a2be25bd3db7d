"""Steps as tokens and windows: nothing is lost that should be there, and nothing of later steps
gets in.
"""

from pathlib import Path

import numpy as np
import pytest

from selflow.core.errors import ArtifactError
from selflow.core.steps import Step, event_label
from selflow.lm.encoding import MAX_MEMBERS, MAX_SUBWORDS, WINDOW, blocks_of, fill, windows
from selflow.lm.label_tokens import GAPS, MAX_LABELS, LabelVocabulary
from selflow.lm.loaded import LoadedBase, load_base
from tests.lm.worlds import START_US, at, small_base, work

KNOWN = tuple(event_label("file.modify", f"src/part{i}.py") for i in range(12))


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> LoadedBase:
    return load_base(small_base(tmp_path_factory.mktemp("lines") / "base", KNOWN))


def test_a_step_reads_as_gap_hour_and_its_labels(loaded: LoadedBase) -> None:
    steps = [Step(START_US, KNOWN[:1]), Step(START_US + 90_000_000, (KNOWN[2], KNOWN[1]))]
    text = loaded.tokenizer.decode(loaded.encoder.encode(steps).ids.tolist())

    first = "<g15><h22><file.modify: src/part0.py>"
    assert text == f"{first}<g6><h22><file.modify: src/part2.py><file.modify: src/part1.py>"


def test_a_label_without_a_token_is_spelled_and_comes_back(loaded: LoadedBase) -> None:
    ids = loaded.encoder.label(event_label("file.create", "notes/</text>.md"))

    assert (ids[0], ids[-1]) == (loaded.vocabulary.text_id, loaded.vocabulary.end_text_id)
    assert loaded.vocabulary.end_text_id not in ids[:-1]
    assert len(ids) <= MAX_SUBWORDS + 2
    assert loaded.tokenizer.decode(list(loaded.encoder.label("go on"))[1:-1]) == "go on"


@pytest.mark.parametrize(
    ("gap_s", "bin_"), [(0, 0), (1, 1), (2, 1), (3, 2), (90, 6), (10**9, GAPS - 1), (-5, 0)]
)
def test_a_gap_has_the_bin_of_its_binary_logarithm(
    loaded: LoadedBase, gap_s: int, bin_: int
) -> None:
    assert (
        loaded.encoder.head(START_US + gap_s * 1_000_000, START_US)[0]
        == loaded.vocabulary.gap_ids[bin_]
    )


def test_only_the_first_members_of_a_large_step_are_written_whatever_their_order(
    loaded: LoadedBase,
) -> None:
    steps = [Step(START_US, tuple(f"label {i}" for i in range(40)) + KNOWN)]
    plain, mixed = (
        loaded.encoder.encode(steps),
        loaded.encoder.encode(steps, np.random.default_rng(1)),
    )

    assert plain.ids.tolist().count(loaded.vocabulary.text_id) == MAX_MEMBERS
    assert sorted(plain.ids) == sorted(mixed.ids)
    assert plain.ids.tolist() != mixed.ids.tolist()
    assert len(loaded.encoder.members(steps[0])) == MAX_MEMBERS


def test_tokens_of_earlier_steps_know_nothing_of_later_ones(loaded: LoadedBase) -> None:
    steps = work(1, 60)
    cut = loaded.encoder.encode(steps[:30])
    whole = loaded.encoder.encode(steps)

    assert whole.ids[: len(cut.ids)].tolist() == cut.ids.tolist()
    assert whole.starts[:31].tolist() == cut.starts.tolist()


@pytest.mark.parametrize("targets", [range(200), range(0, 200, 7), [3, 4, 180], [199]])
def test_each_target_is_in_one_window_with_its_context(
    loaded: LoadedBase, targets: list[int]
) -> None:
    encoded = loaded.encoder.encode(work(2, 200, rare=0.2))
    cut = windows(encoded.starts, targets, 128)
    ids, rows, columns = fill(encoded, cut, len(cut))

    assert [target for window in cut for target in window.targets] == list(targets)
    for target, row, column in zip(targets, rows, columns, strict=True):
        start = int(encoded.starts[target])
        known = min(start, 128)
        assert (
            ids[row, column - 1 - known : column + 1].tolist()
            == encoded.ids[start - known : start + 2].tolist()
        )
        assert column < WINDOW


@pytest.mark.parametrize("tokens", [0, 5, 256, 700])
def test_blocks_hold_every_token_of_the_row(tokens: int) -> None:
    blocks = blocks_of(np.arange(tokens), np.random.default_rng(3))

    assert blocks.shape[1] == WINDOW
    assert set(blocks.ravel().tolist()) == set(range(tokens))


def test_labels_that_look_alike_have_tokens_of_their_own(tmp_path: Path) -> None:
    labels = (
        "text",
        event_label("a: b", "c"),
        event_label("a", "b: c"),
        *(f"label {i}" for i in range(MAX_LABELS - 3)),
    )
    vocabulary = load_base(small_base(tmp_path / "base", labels)).vocabulary
    tokens = [
        *vocabulary.label_ids,
        *vocabulary.gap_ids,
        *vocabulary.hour_ids,
        vocabulary.text_id,
        vocabulary.end_text_id,
        vocabulary.eos_id,
    ]

    assert len(set(tokens)) == len(tokens)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"schema": "selflow.lm.label_tokens/0"}'])
def test_a_folder_that_is_no_base_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "label_tokens.json").write_text(content)

    with pytest.raises(ArtifactError, match="is not a base"):
        LabelVocabulary.load(tmp_path)


def test_a_moment_has_its_hour(loaded: LoadedBase) -> None:
    hours = [loaded.encoder.head(at(60 * i), None)[1] for i in range(24)]

    assert sorted(hours) == sorted(loaded.vocabulary.hour_ids)

"""The byte model in numpy, what it reads, and what happens without it."""

from pathlib import Path

import numpy as np
import pytest

from selflow.core.errors import ArtifactError
from selflow.core.lora import LoraAdapter
from selflow.testing.texts import bits_of, text_lines
from selflow.text.adapted_expert import AdaptedExpert
from selflow.text.adapter_rows import EVERY_LINES, AdapterRows, in_random_order
from selflow.text.adapter_tuner import AdapterTuner
from selflow.text.byte_context import (
    FOLDER,
    MAX_CONTEXT_LINE_BYTES,
    WINDOW_TOKENS,
    ContextWindow,
    counted,
    plain_folder,
    session_segments,
)
from selflow.text.byte_expert import ByteExpert
from selflow.text.byte_model import WEIGHTS_FILE, ByteModel, load_byte_model
from selflow.text.lines import END, line_bits
from selflow.text.mixer import Mixer
from selflow.text.shared_text import SharedText
from tests.unit.text.models import QUERY, WIDTH, random_model, write_model

SHARED = SharedText([b"git push origin main", b"ls -la"])


@pytest.fixture
def model(tmp_path: Path) -> ByteModel:
    return random_model(tmp_path / "base")


def test_a_line_at_once_says_what_byte_after_byte_says(model: ByteModel) -> None:
    expert = ByteExpert(model)
    for line, context in text_lines(1, 12):
        expert.learn(line, context)
    steps, cursor = [], expert.start(b"/src")
    for byte in b"git push\xff":
        steps.append(cursor.log_p)
        cursor = cursor.step(byte)
    at_once = expert.read(b"git push\xff", b"/src")

    assert at_once.shape == (10, 257)
    assert np.allclose(np.stack([*steps, cursor.log_p]), at_once, atol=1e-5)


def test_branches_of_one_line_do_not_see_each_other(model: ByteModel) -> None:
    expert = ByteExpert(model)
    start = expert.start()
    for branch in (b"abcdef", b"abxyz", b"qq"):
        cursor = start
        for byte in branch:
            cursor = cursor.step(byte)
        assert np.allclose(cursor.log_p, expert.read(branch)[-1], atol=1e-5)


def test_a_line_read_ahead_costs_its_cursors_nothing_and_says_the_same(model: ByteModel) -> None:
    expert, other = ByteExpert(model), ByteExpert(model)
    expert.read_ahead(b"make test", b"/a")
    cursor = expert.start(b"/a")
    for byte in b"make test":
        cursor = cursor.step(byte)
        assert cursor.is_read

    assert line_bits(expert.start(b"/a"), b"make test") == pytest.approx(
        line_bits(other.start(b"/a"), b"make test"), abs=1e-4
    )


def test_the_lines_before_and_the_folder_change_what_is_expected(model: ByteModel) -> None:
    one, other = ByteExpert(model), ByteExpert(model)
    one.learn(b"cd src")
    bits = [line_bits(expert.start(folder), b"ls") for expert in (one, other) for folder in (b"/",)]

    assert bits[0] != bits[1]
    assert line_bits(one.start(b"/a"), b"ls") != line_bits(one.start(b"/b"), b"ls")


@pytest.mark.parametrize(
    ("folder", "read"),
    [
        (b"/home/ann/src", b"~/src"),
        (b"/root", b"~"),
        (b"/rooted", b"/rooted"),
        (b"/var/" + b"x" * 90, b"x" * 40),
    ],
)
def test_a_folder_is_read_without_its_owner(folder: bytes, read: bytes) -> None:
    assert plain_folder(folder) == read


def test_a_window_is_bounded_and_restarts_with_the_newest_lines() -> None:
    window, sizes = ContextWindow(), []
    for number in range(200):
        window.learn(b"%d " % number + b"y" * (number * 7919 % 300), b"/f%d" % (number % 3))
        sizes.append(sum(map(len, session_segments(window.entries))))

    assert max(sizes) <= WINDOW_TOKENS
    assert window.entries[-1][1].startswith(b"199")
    assert max(len(line) for _, line in window.entries) <= MAX_CONTEXT_LINE_BYTES


def test_folders_are_read_but_not_learned() -> None:
    (tokens,) = session_segments([(b"~", b"ls")])

    assert tokens == [FOLDER, ord("~"), END, ord("l"), ord("s"), END]
    assert counted(tokens) == [0, 0, 0, 1, 1, 1]


def test_questions_change_no_weight_of_the_mix(model: ByteModel) -> None:
    stream = text_lines(5, 25)
    silent, asked = (Mixer(SHARED, [ByteExpert(model)]) for _ in range(2))
    for line, context in stream:
        for prefix in (b"", line[:1], line[:3], b"zz"):
            cursor = asked.start(context)
            for byte in prefix:
                cursor = cursor.step(byte)
            cursor.p.sum()
        silent.learn(line, context)
        asked.learn(line, context)

    assert silent.state() == asked.state()


def test_an_adapter_is_merged_into_its_base(model: ByteModel) -> None:
    expert, adapted = ByteExpert(model), ByteExpert(model)
    nothing = LoraAdapter(model.sha256, {})
    adapted.use(model.adapted(nothing))
    assert line_bits(adapted.start(), b"ls") == line_bits(expert.start(), b"ls")

    down, up = np.ones((2, WIDTH), np.float32), np.ones((WIDTH, 2), np.float32)
    adapted.use(model.adapted(LoraAdapter(model.sha256, {QUERY: (down, up)})))
    assert line_bits(adapted.start(), b"ls") != line_bits(expert.start(), b"ls")


def test_an_adapter_of_another_base_is_refused(model: ByteModel, tmp_path: Path) -> None:
    other = random_model(tmp_path / "other", seed=1)

    with pytest.raises(ArtifactError, match="belongs to the base") as error:
        model.adapted(LoraAdapter(other.sha256, {}))
    assert "grow the agent again" in error.value.hint


def test_an_adapter_predicts_first_and_learns_every_few_lines(model: ByteModel) -> None:
    expert, base = AdaptedExpert(model, AdapterTuner(model)), ByteExpert(model)
    stream = text_lines(2, 2 * EVERY_LINES)
    adapted, bare = bits_of(expert, stream), bits_of(base, stream)

    assert adapted[:EVERY_LINES] == bare[:EVERY_LINES]
    assert adapted[EVERY_LINES:] != bare[EVERY_LINES:]


def test_an_adapter_that_may_not_learn_stands_still_and_remembers_the_lines(
    model: ByteModel,
) -> None:
    stream = text_lines(2, 2 * EVERY_LINES)
    still = AdaptedExpert(model, AdapterTuner(model), learns=False)
    follower = AdaptedExpert(model, AdapterTuner(model))

    assert bits_of(still, stream) == bits_of(ByteExpert(model), stream)
    bits_of(follower, stream)
    assert still.state()[:2] == follower.state()[:2]


def test_a_line_that_counts_double_moves_an_adapter_otherwise(model: ByteModel) -> None:
    experts = [AdaptedExpert(model, AdapterTuner(model)) for _ in range(2)]
    for number, (line, context) in enumerate(text_lines(2, EVERY_LINES)):
        for expert, weight in zip(experts, (1.0, 2.0 if number == 1 else 1.0), strict=True):
            list(expert.learn_in_pieces(line, context, weight))

    assert experts[0].state()[2] != experts[1].state()[2]


def test_pauses_and_questions_while_an_adapter_learns_change_nothing(model: ByteModel) -> None:
    at_once, in_pieces = (AdaptedExpert(model, AdapterTuner(model)) for _ in range(2))
    pieces = 0
    for line, context in text_lines(5, 3 * EVERY_LINES):
        at_once.learn(line, context)
        for _ in in_pieces.learn_in_pieces(line, context):
            in_pieces.start(context).step(line[0])
            pieces += 1

    assert in_pieces.state() == at_once.state()
    assert pieces > 3 * 2 * model.shape.layers


@pytest.mark.slow
def test_what_comes_later_changes_nothing_that_an_adapter_said(model: ByteModel) -> None:
    stream, other = text_lines(3, 24), text_lines(4, 24)
    one, two = (
        bits_of(AdaptedExpert(model, AdapterTuner(model)), lines)
        for lines in (stream, [*stream[:11], *other[11:]])
    )

    assert one[:11] == two[:11]


def test_an_adapted_expert_continues_from_its_state(model: ByteModel) -> None:
    stream = text_lines(6, 20)
    expert = AdaptedExpert(model, AdapterTuner(model), AdapterRows(2))
    copy = AdaptedExpert(model, AdapterTuner(model))
    bits_of(expert, stream[:10])
    copy.load_state(expert.state())

    assert bits_of(expert, stream[10:]) == bits_of(copy, stream[10:])


def test_the_control_learns_the_same_bytes_in_another_order() -> None:
    line = b"git commit --amend"

    assert sorted(in_random_order(line)) == sorted(line)
    assert in_random_order(line) == in_random_order(line) != line


@pytest.mark.parametrize("damage", ["missing", "cut", "other tensors", "another vocabulary"])
def test_a_model_that_cannot_be_read_is_named(damage: str, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "base")
    weights, config = folder / WEIGHTS_FILE, folder / "config.json"
    if damage == "missing":
        weights.unlink()
    elif damage == "cut":
        weights.write_bytes(weights.read_bytes()[:-100])
    elif damage == "other tensors":
        config.write_text(config.read_text().replace('"hidden_size": 16', '"hidden_size": 32'))
    else:
        config.write_text(config.read_text().replace("258", "50257"))

    with pytest.raises(ArtifactError, match="byte model") as error:
        load_byte_model(folder)
    assert "install SelFlow again" in error.value.hint


def test_what_was_learned_with_the_model_serves_without_it_and_back(model: ByteModel) -> None:
    stream = text_lines(7, 30)
    with_model = Mixer(SHARED, [ByteExpert(model)])
    bits_of(with_model, stream)
    alone, again = Mixer(SHARED), Mixer(SHARED, [ByteExpert(model)])
    alone.load_state(with_model.state())
    again.load_state(alone.state())
    untaught = Mixer(SHARED)

    for mixer in (alone, again):
        assert line_bits(mixer.start(), stream[0][0]) < line_bits(untaught.start(), stream[0][0])
    assert len(alone.state()) == 3

"""A run of the search for an adapter of lines: what it learns, what it says, how it goes on."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from selflow.core.errors import ArtifactError
from selflow.core.lora import LoraAdapter
from selflow.core.settings import GateSettings, LoraSettings
from selflow.judge.parts import judge_parts
from selflow.lm.byte_training import Batch, BytePlan, train_byte_model, write_byte_model
from selflow.text.adapter_file import pack_adapter, unpack_adapter
from selflow.text.adapter_rows import in_random_order
from selflow.text.adapter_tuner import AdapterPlan, AdapterTuner, of_rank
from selflow.text.adapting import LineData
from selflow.text.agent import mix_with
from selflow.text.byte_context import line_tokens
from selflow.text.byte_model import load_byte_model
from selflow.text.examples import OwnLine
from selflow.text.paired import replay
from tests.lm.test_byte_model import SHAPE
from tune.line_run import FROM_BASE, LineRun, exported, start_file

CONFIG = {"rank": 4, "learning_rate": 2e-2, "every_lines": 4, "start": FROM_BASE}
TRAIN, TUNE, GATE = 64, 12, 60
SYLLABLES = ("ka", "lo", "mi", "tu", "re", "sa")


def new_lines(count: int, seed: int = 3) -> list[OwnLine]:
    """Lines of an owner who makes words in a way of his own, each of them new."""
    rng = np.random.default_rng(seed)
    words = ["".join(rng.choice(SYLLABLES, 6)) for _ in range(count)]
    return [
        OwnLine(n, n * 60_000_000, f"say {word}".encode(), b"~") for n, word in enumerate(words, 1)
    ]


LINES = new_lines(TRAIN + TUNE + GATE)


def shuffled_batches() -> Iterator[Batch]:
    """Other lines of the same letters in random order: a base that knows how often each comes."""
    lines = new_lines(400, seed=11)
    for start in range(0, 400, 4):
        rows = [
            [
                token
                for line in lines[(start + 4 * row) % 396 :][:5]
                for token in line_tokens(in_random_order(line.text))
            ][:80]
            for row in range(8)
        ]
        yield np.array(rows), np.ones((8, 80), np.float32)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base")
    model = train_byte_model(SHAPE, BytePlan(steps=90), shuffled_batches(), lambda *_: None)
    write_byte_model(model, folder)
    return folder


def write_data(folder: Path, base: Path, lines: list[OwnLine] = LINES) -> Path:
    model = load_byte_model(base)
    mixer, tune = mix_with(model), lines[TRAIN : TRAIN + TUNE]
    for line in lines[:TRAIN]:
        mixer.learn(line.text, line.context)
    folder.mkdir()
    for name, content in LineData.measure(mixer, model, lines[:TRAIN], tune).files().items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture(scope="module")
def data(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("data") / "lines", base)


def run_of(base: Path, data: Path, **config: Any) -> LineRun:
    return LineRun(base, data, LoraSettings(), {**CONFIG, **config}, 1, "cpu")


def export(run: LineRun, folder: Path) -> LoraAdapter:
    run.export(folder)
    return exported(folder)[0]


def to(run: LineRun, fraction: float) -> float:
    return run.advance(fraction, lambda: False).tune_bits


def test_an_adapter_saves_bits_and_its_shuffled_twin_earns_no_place(
    base: Path, data: Path, tmp_path: Path
) -> None:
    model, gate, bits = load_byte_model(base), LINES[TRAIN + TUNE :], []
    twin = LineRun(base, data, LoraSettings(), CONFIG, 1, "cpu", in_random_order)
    adapter_bits, twin_bits = to(run_of(base, data), 1.0), to(twin, 1.0)
    for adapter in (None, export(twin, tmp_path / "twin")):
        mixer = mix_with(model, adapter)
        for line in LINES[: TRAIN + TUNE]:
            mixer.learn(line.text, line.context)
        bits.append(replay(mixer, gate).bits)
    ts_us = np.array([line.ts_us for line in gate], np.int64)
    parts = judge_parts(ts_us, bits[1], {"adapter": bits[0]}, GateSettings(), 0.05, 1)

    assert adapter_bits < LineData.load(data).bits(model) < twin_bits
    assert not parts["adapter"].is_met


def test_a_run_goes_on_where_it_was_killed(base: Path, data: Path, tmp_path: Path) -> None:
    whole, begun, again = (run_of(base, data) for _ in range(3))
    to(begun, 0.5)
    begun.save(tmp_path / "state")
    again.load(tmp_path / "state")

    assert to(again, 1.0) == to(whole, 1.0)
    assert pack_adapter(export(again, tmp_path / "a")) == pack_adapter(
        export(whole, tmp_path / "b")
    )
    assert exported(tmp_path / "a")[1] == exported(tmp_path / "b")[1]


def test_what_comes_later_changes_no_bit_of_an_adapter(
    base: Path, data: Path, tmp_path: Path
) -> None:
    other = new_lines(TUNE + GATE, seed=9)
    later = [replace(new, seq=old.seq) for new, old in zip(other, LINES[TRAIN:], strict=True)]
    scrambled = write_data(tmp_path / "scrambled", base, [*LINES[:TRAIN], *later])
    one, two = run_of(base, data), run_of(base, scrambled)
    to(one, 1.0)
    to(two, 1.0)

    assert pack_adapter(export(one, tmp_path / "a")) == pack_adapter(export(two, tmp_path / "b"))


def test_a_line_that_counts_double_moves_the_adapter(
    base: Path, data: Path, tmp_path: Path
) -> None:
    heavier = [replace(line, weight=2.0) if line.seq % 5 == 0 else line for line in LINES]
    weighed = write_data(tmp_path / "weighed", base, heavier)
    one, two = run_of(base, data), run_of(base, weighed)

    assert to(one, 0.25) != to(two, 0.25)


def test_an_adapter_starts_from_another_one(base: Path, data: Path, tmp_path: Path) -> None:
    first = run_of(base, data)
    to(first, 1.0)
    learned = export(first, tmp_path / "first")
    (data / start_file("other")).write_bytes(pack_adapter(learned))
    started = run_of(base, data, start="other", rank=8)
    begun = export(started, tmp_path / "begun")

    for name, (down, up) in learned.factors.items():
        more_down, more_up = begun.factors[name]
        assert len(more_down) == 8
        assert np.allclose(more_up @ more_down, up @ down, atol=1e-6)


def test_a_smaller_rank_keeps_the_most_of_an_adapter() -> None:
    rng = np.random.default_rng(0)
    down, up = rng.normal(size=(8, 20)), rng.normal(size=(12, 8))
    strengths = np.linalg.svd(up @ down, compute_uv=False)
    fewer_down, fewer_up = of_rank(down, up, 4)
    left = np.linalg.norm(up @ down - fewer_up @ fewer_down)

    assert fewer_down.shape == (4, 20)
    assert left == pytest.approx(np.sqrt((strengths[4:] ** 2).sum()))


def test_an_adapter_of_another_base_is_no_start(base: Path) -> None:
    with pytest.raises(ArtifactError, match="belongs to the base ffff"):
        AdapterTuner(load_byte_model(base), AdapterPlan(), LoraAdapter("f" * 64, {}))


@pytest.mark.parametrize("data", [b"", b"no adapter", b"\x02\x00\x00\x00\x00\x00\x00\x00{}"])
def test_other_bytes_are_no_adapter(data: bytes) -> None:
    with pytest.raises(ArtifactError, match="no adapter of the byte model"):
        unpack_adapter(data)

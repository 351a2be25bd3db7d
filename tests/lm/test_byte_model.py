"""The byte model in torch: what is trained is what numpy computes."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from selflow.core.lora import Float32s, LoraAdapter
from selflow.core.ports import TokenRow
from selflow.lm.byte_training import (
    Batch,
    BytePlan,
    ByteShape,
    train_byte_model,
    weighted_loss,
    write_byte_model,
)
from selflow.lm.loaded import MODULES
from selflow.testing.texts import bits_of, text_lines
from selflow.text.adapted_expert import AdaptedExpert
from selflow.text.adapter_gradient import AdapterGradient
from selflow.text.adapter_tuner import AdapterPlan, AdapterTuner
from selflow.text.byte_context import VOCABULARY, counted, session_segments
from selflow.text.byte_expert import ByteExpert
from selflow.text.byte_model import KeyValues, Visible, load_byte_model
from selflow.text.lines import END, SYMBOLS, Floats

SHAPE = ByteShape(VOCABULARY, END, layers=2, width=32, heads=4, kv_heads=2, inner_width=48)
Gradients = dict[str, tuple[Float32s, Float32s]]
TINY = ByteShape(VOCABULARY, END, layers=1, width=16, heads=2, kv_heads=1, inner_width=24)
LINES = [(b"", line) for line, _ in text_lines(1, 40)]


def logits(folder: Path, tokens: list[int]) -> Floats:
    """By numpy, of every position."""
    model, n = load_byte_model(folder), len(tokens)
    cache = KeyValues(model.shape)
    slots = cache.take(n)
    mask = np.where(np.tri(n, dtype=bool), np.float32(0.0), np.float32(-1e9))
    return model.forward(tokens, slots, cache, slots, Visible(slice(0, n), mask))


def batches(rows: int = 4) -> Iterator[Batch]:
    tokens = [token for segment in session_segments(LINES) for token in segment]
    for step in itertools.count():
        row = tokens[step % 7 :][:96]
        yield np.array([row] * rows), np.array([counted(row)] * rows, np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base")
    model = train_byte_model(SHAPE, BytePlan(steps=30), batches(), lambda *_: None)
    write_byte_model(model, folder)
    return folder


def test_numpy_and_torch_say_the_same(folder: Path) -> None:
    from transformers import AutoModelForCausalLM

    tokens = np.random.default_rng(0).integers(0, VOCABULARY, 120).tolist()
    stock = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.no_grad():
        expected = stock(input_ids=torch.tensor([tokens])).logits[0, :, :SYMBOLS].numpy()

    assert np.abs(logits(folder, tokens) - expected).max() < 1e-4


def test_training_learns_the_lines_and_repeats_bit_for_bit() -> None:
    reports = []
    models = [
        train_byte_model(SHAPE, BytePlan(steps=30), batches(), lambda *at: reports.append(at))
        for _ in range(2)
    ]
    one, other = (list(model.parameters()) for model in models)

    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    assert [at[:2] for at in reports] == [(30, 30)] * 2
    assert reports[0][2] < 6.0


def test_an_interrupted_training_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    class StoppedError(Exception):
        pass

    def stop(*_: object) -> None:
        if saved.is_file():
            raise StoppedError

    plan, saved = BytePlan(steps=120), tmp_path / "training.pt"
    whole = train_byte_model(TINY, plan, batches(), lambda *_: None)
    with pytest.raises(StoppedError):
        train_byte_model(TINY, plan, batches(), stop, saved)
    learned = []
    resumed = train_byte_model(TINY, plan, batches(), lambda *at: learned.append(at[0]), saved)

    assert learned == [100, 120]
    pairs = zip(whole.parameters(), resumed.parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)


def _with_peft(folder: Path, adapter: LoraAdapter, tokens: list[int]) -> Floats:
    """The same adapter as PEFT computes it, unmerged."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    config = LoraConfig(task_type="CAUSAL_LM", r=4, lora_alpha=4, target_modules=list(MODULES))
    model = get_peft_model(base, config).eval()
    for name, module in model.named_modules():
        if hasattr(module, "lora_A"):
            down, up = adapter.factors[name.removeprefix("base_model.model.") + ".weight"]
            module.lora_A["default"].weight.data = torch.from_numpy(down)
            module.lora_B["default"].weight.data = torch.from_numpy(up)
    with torch.no_grad():
        return model(input_ids=torch.tensor([tokens])).logits[0, :, :SYMBOLS].numpy()


def test_a_merged_adapter_is_what_peft_computes(folder: Path) -> None:
    base = load_byte_model(folder)
    tuner = AdapterTuner(base, AdapterPlan(rank=4, rate=0.02))
    row = next(batches(1))
    adapter = tuner.learn([(row[0][0].tolist(), row[1][0].tolist())])
    tokens = list(b"git status")
    model = base.adapted(adapter)
    cache = KeyValues(model.shape)
    slots = cache.take(len(tokens))
    mask = np.where(np.tri(len(tokens), dtype=bool), np.float32(0.0), np.float32(-1e9))
    merged = model.forward(tokens, slots, cache, slots, Visible(slice(0, len(tokens)), mask))

    assert np.abs(merged - _with_peft(folder, adapter, tokens)).max() < 1e-4
    assert np.abs(merged - logits(folder, tokens)).max() > 1e-3


def _torch_gradients(folder: Path, adapter: LoraAdapter, rows: list[TokenRow]) -> Gradients:
    """Those of A and B by PEFT and autograd, of the loss that trains the base."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    base = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    config = LoraConfig(task_type="CAUSAL_LM", r=4, lora_alpha=4, target_modules=list(MODULES))
    model = get_peft_model(base, config)
    length = max(len(ids) for ids, _ in rows)
    ids, counts = np.zeros((len(rows), length), np.int64), np.zeros((len(rows), length), np.float32)
    for index, (tokens, weights) in enumerate(rows):
        ids[index, : len(tokens)], counts[index, : len(weights)] = tokens, weights
    wrapped = {
        name.removeprefix("base_model.model.") + ".weight": module
        for name, module in model.named_modules()
        if hasattr(module, "lora_A")
    }
    for name, module in wrapped.items():
        for held, value in zip((module.lora_A, module.lora_B), adapter.factors[name], strict=True):
            held["default"].weight.data = torch.from_numpy(value)
    weighted_loss(model, ids, counts).backward()
    return {
        name: (
            module.lora_A["default"].weight.grad.numpy(),
            module.lora_B["default"].weight.grad.numpy(),
        )
        for name, module in wrapped.items()
    }


def test_gradients_in_numpy_are_those_of_torch(folder: Path) -> None:
    base, rng = load_byte_model(folder), np.random.default_rng(4)
    adapter = AdapterTuner(base, AdapterPlan(rank=4)).adapter()
    factors = {
        name: (down, rng.normal(0.0, 0.1, up.shape).astype(np.float32))
        for name, (down, up) in adapter.factors.items()
    }
    tokens, counts = next(batches(1))
    rows: list[TokenRow] = [
        (tokens[0].tolist(), (2.0 * counts[0]).tolist()),
        (tokens[0][5:40].tolist(), counts[0][5:40].tolist()),
    ]
    found = {name: (0.0 * down, 0.0 * up) for name, (down, up) in factors.items()}
    passes = AdapterGradient(base.shape, base.weights, factors, found)
    total = sum(sum(weights[1:]) for _, weights in rows)
    for ids, weights in rows:
        list(passes.add(ids, np.array(weights, np.float32), total))
    wanted = _torch_gradients(folder, LoraAdapter(base.sha256, factors), rows)

    assert found.keys() == wanted.keys()
    for name, pair in wanted.items():
        for ours, theirs in zip(found[name], pair, strict=True):
            assert np.abs(ours - theirs).max() < 1e-5
            assert np.abs(theirs).max() > 1e-3


def test_an_adapter_learns_its_owner_and_says_nothing_of_later_lines(folder: Path) -> None:
    stream = text_lines(2, 60)
    base = load_byte_model(folder)
    plan = AdapterPlan(rank=4)
    adapted, other = (
        bits_of(AdaptedExpert(base, AdapterTuner(base, plan)), lines)
        for lines in (stream, [*stream[:30], *text_lines(3, 30)])
    )
    bare = bits_of(ByteExpert(base), stream)

    assert sum(adapted[30:]) < sum(bare[30:])
    assert adapted[:30] == other[:30]

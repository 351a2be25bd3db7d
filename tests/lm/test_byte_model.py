"""The byte model in torch: what is trained is what numpy computes."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from selflow.core.lora import LoraAdapter
from selflow.core.plugins import load_one
from selflow.lm.byte_adapter import AdapterPlan, ByteTuner
from selflow.lm.byte_training import (
    Batch,
    BytePlan,
    ByteShape,
    train_byte_model,
    write_byte_model,
)
from selflow.lm.loaded import MODULES
from selflow.testing.texts import bits_of, text_lines
from selflow.text.adapted_expert import AdaptedExpert
from selflow.text.byte_context import VOCABULARY, counted, session_segments
from selflow.text.byte_expert import ByteExpert
from selflow.text.byte_model import KeyValues, Visible, load_byte_model
from selflow.text.lines import END, SYMBOLS, Floats

SHAPE = ByteShape(VOCABULARY, END, layers=2, width=32, heads=4, kv_heads=2, inner_width=48)
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
    tuner = ByteTuner(folder, AdapterPlan(rank=4, rate=0.02))
    row = next(batches(1))
    adapter = tuner.learn([(row[0][0].tolist(), row[1][0].tolist())])
    tokens = list(b"git status")
    model = load_byte_model(folder).adapted(adapter)
    cache = KeyValues(model.shape)
    slots = cache.take(len(tokens))
    mask = np.where(np.tri(len(tokens), dtype=bool), np.float32(0.0), np.float32(-1e9))
    merged = model.forward(tokens, slots, cache, slots, Visible(slice(0, len(tokens)), mask))

    assert np.abs(merged - _with_peft(folder, adapter, tokens)).max() < 1e-4
    assert np.abs(merged - logits(folder, tokens)).max() > 1e-3


def test_an_adapter_learns_its_owner_and_says_nothing_of_later_lines(folder: Path) -> None:
    stream = text_lines(2, 60)
    base = load_byte_model(folder)
    plan = AdapterPlan(rank=4)
    adapted = bits_of(AdaptedExpert(base, ByteTuner(folder, plan)), stream)
    bare = bits_of(ByteExpert(base), stream)
    other = bits_of(
        AdaptedExpert(base, ByteTuner(folder, plan)), [*stream[:30], *text_lines(3, 30)]
    )

    assert sum(adapted[30:]) < sum(bare[30:])
    assert adapted[:30] == other[:30]


def test_an_adapter_in_training_goes_on_from_its_state(folder: Path) -> None:
    stream, base = text_lines(4, 24), load_byte_model(folder)
    expert, copy = (AdaptedExpert(base, ByteTuner(folder)) for _ in range(2))
    bits_of(expert, stream[:12])
    copy.load_state(expert.state())

    assert bits_of(expert, stream[12:]) == bits_of(copy, stream[12:])


def test_eval_text_finds_the_trainer_of_adapters_by_its_entry_point() -> None:
    assert load_one("selflow.growers", "text_agents", "trainer of adapters") is ByteTuner

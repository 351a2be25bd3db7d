"""Our LoRA training beside the Hugging Face Trainer with PEFT: the same base, adapter, windows,
batches, learning rates, threads and number of steps, by turns on one core.

Each base has the shape named and random weights; the stream is the control of ``tests/lm``. Both
train the adapter's weights and nothing else, in 32-bit floats. The Trainer is told to do as little
else as it can: no evaluation, no checkpoint, no progress bar. It computes every position's chances
over the whole vocabulary, as a causal language model of transformers does; ours computes those of
labels where a label comes. Times are processor time of the one thread, medians over ``REPEATS``
runs; loading, and the scoring that follows ours, are left out.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, PrinterCallback, Trainer, TrainingArguments

from selflow.core.settings import LoraSettings
from selflow.judge.splits import split_by_time
from selflow.lm.data import AgentData
from selflow.lm.encoding import WINDOW, fill, windows
from selflow.lm.loaded import MODULES, load_base
from selflow.lm.lora import LoraRun
from selflow.lm.tiny import untrained_base
from tests.lm.worlds import planted_steps

STEPS, REPEATS = 3_000, 3
SHAPES = ((4, 128), (8, 384))
"""Layers and width of each base; the first is the shape of ``selflow-tiny``."""
CONTEXT = 64
BOUND = 1.3
LORA = LoraSettings(epochs=4)


def agent_data() -> AgentData:
    """All of the train part to learn from, little to tune on: scoring is not what is timed."""
    steps = planted_steps(STEPS, seed=9)
    split = split_by_time(steps)
    return AgentData(steps[: split.tune[1]], range(*split.train), range(*split.tune)[:50])


def our_ms(folder: Path, data: AgentData) -> float:
    """Milliseconds of one of our optimiser steps."""
    run = LoraRun(folder, data, LORA, {}, 7, "cpu")
    trained_ms, steps = timed(lambda: run.advance(1.0).steps)
    scored_ms, _ = timed(lambda: run.advance(1.0).steps)
    return (trained_ms - scored_ms) / steps


def their_ms(folder: Path, data: AgentData) -> float:
    """The same for the Trainer."""
    encoder = load_base(folder, "cpu").encoder
    encoded = encoder.encode(data.steps)
    cut = windows(encoded.starts, data.train, CONTEXT)
    ids, rows, columns = fill(encoded, cut, len(cut))
    labels = torch.full((len(cut), WINDOW), -100)
    inside = columns + 1 < WINDOW
    rows, columns = rows[inside], columns[inside] + 1
    labels[rows, columns] = torch.from_numpy(ids)[rows, columns]
    batch = [
        {"input_ids": torch.from_numpy(row), "labels": truth}
        for row, truth in zip(ids, labels, strict=True)
    ]
    base = AutoModelForCausalLM.from_pretrained(folder)
    layers = base.config.num_hidden_layers
    adapter = LoraConfig(
        task_type="CAUSAL_LM",
        r=LORA.rank,
        lora_alpha=LORA.alpha,
        lora_dropout=LORA.dropout,
        target_modules=list(MODULES),
        layers_to_transform=list(range(layers - max(1, layers // 3), layers)),
        layers_pattern="layers",
    )
    arguments = TrainingArguments(
        output_dir=str(folder / "trainer"),
        per_device_train_batch_size=LORA.batch_size,
        num_train_epochs=LORA.epochs,
        learning_rate=LORA.learning_rate,
        warmup_steps=0.05,
        max_grad_norm=1.0,
        weight_decay=0.0,
        optim="adamw_torch_fused",
        use_cpu=True,
        report_to=[],
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
        dataloader_pin_memory=False,
        seed=7,
    )
    trainer = Trainer(model=get_peft_model(base, adapter), args=arguments, train_dataset=batch)
    trainer.remove_callback(PrinterCallback)
    trained_ms, steps = timed(lambda: trainer.train().global_step)
    return trained_ms / steps


def timed(train: Callable[[], int]) -> tuple[float, int]:
    """Milliseconds of processor time, and what the call returns."""
    began_s = time.process_time()
    steps = train()
    return (time.process_time() - began_s) * 1e3, steps


def main() -> int:
    """Print the table; 1 if a bound is missed."""
    torch.set_num_threads(1)
    data, ratios = agent_data(), []
    print("| base | ours, ms a step | Trainer, ms a step | times |\n|---|---|---|---|")
    for layers, width in SHAPES:
        with TemporaryDirectory(prefix="sf-bench-") as name:
            folder = Path(name) / "base"
            labels = sorted({label for step in data.steps for label in step.labels})
            base = untrained_base(labels, 1, layers, width)
            base.write(folder)
            parameters = sum(weight.numel() for weight in base.model.parameters())
            pairs = [(our_ms(folder, data), their_ms(folder, data)) for _ in range(REPEATS)]
        our, their = (median(times) for times in zip(*pairs, strict=True))
        ratios.append(their / our)
        print(
            f"| {layers} layers of {width}, {parameters / 1e6:.1f} M parameters "
            f"| {our:.0f} | {their:.0f} | {their / our:.2f} |"
        )
    print(f"\nThe bound: {BOUND} times for each.")
    return int(min(ratios) < BOUND)


sys.exit(main())

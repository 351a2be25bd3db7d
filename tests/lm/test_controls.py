"""The controls of the gate: what a base knows already is no merit of an adapter, and only what an
adapter has learned itself lets it pass.

The base is made of a stream with one rule; then the owner's habit changes. No count of up to three
steps can express either rule (``planted_steps``). ``bench/controls.py`` does the first for several
streams.
"""

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from selflow.core.settings import LoraSettings
from selflow.core.steps import Step
from selflow.judge.splits import split_by_time
from selflow.lm.data import AgentData
from selflow.lm.loaded import WEIGHTS_FILE
from selflow.lm.lora import LoraRun
from tests.lm.controls import STEPS, Control, base_of_another_rule, pool_before_gate
from tests.lm.worlds import planted_steps, shuffled_targets


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Sequence[Step], bytes]:
    folder = tmp_path_factory.mktemp("controls")
    steps = planted_steps(STEPS, seed=9)
    return base_of_another_rule(folder), steps, pool_before_gate(folder, steps)


@pytest.fixture
def control(made: tuple[Path, Sequence[Step], bytes], tmp_path: Path) -> Control:
    return Control(tmp_path, *made)


def test_an_adapter_that_learned_the_new_rule_passes(control: Control) -> None:
    judged = control.judge(control.adapter(control.steps))

    assert judged.decision == "passed", judged.reasons
    assert judged.numbers["slice_gain_bits"] > 0.5


def test_an_adapter_that_learned_shuffled_targets_is_rejected(control: Control) -> None:
    judged = control.judge(control.adapter(shuffled_targets(control.steps, seed=3)))

    assert judged.decision == "rejected", judged.reasons
    assert judged.numbers["slice_gain_bits"] < 0.05


def test_an_adapter_of_zeros_is_rejected(control: Control) -> None:
    split = split_by_time(control.steps)
    data = AgentData(control.steps[: split.tune[1]], range(64), range(*split.tune))
    run = LoraRun(control.base, data, LoraSettings(epochs=1), {}, 7, "cpu")
    run.advance(1.0)
    adapter = control.folder / "adapter"
    run.export(adapter)
    weights = load_file(adapter / WEIGHTS_FILE)
    save_file({name: torch.zeros_like(w) for name, w in weights.items()}, adapter / WEIGHTS_FILE)
    judged = control.judge(adapter)

    assert judged.decision == "rejected", judged.reasons
    assert abs(judged.numbers["slice_gain_bits"]) < 0.02

"""What a base and its agents say of the next step: chances, from the past alone, the same live and
in retrospect.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from selflow.core.content_hash import folder_sha256
from selflow.core.errors import ArtifactError, UsageError
from selflow.core.scores import HISTORY_STEPS
from selflow.core.settings import LoraSettings
from selflow.core.steps import Step, event_label
from selflow.lm.data import AgentData
from selflow.lm.loaded import LoadedBase, add_adapter, load_base, remove_adapter
from selflow.lm.lora import LoraRun
from selflow.lm.scoring import bits, score_next, score_steps
from selflow.store.artifacts import ArtifactStore
from tests.lm.worlds import at, small_base, work

KNOWN = tuple(event_label("file.modify", f"src/part{i}.py") for i in range(12))
STEPS = work(3, 300)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A base, two agents on it that were trained a little, and an agent on another base."""
    made = {"base": small_base(tmp_path_factory.mktemp("scoring") / "base", KNOWN)}
    made["other base"] = small_base(made["base"].parent / "other", KNOWN, seed=8)
    for name, base, seed in (("a", "base", 1), ("b.2", "base", 2), ("foreign", "other base", 3)):
        data = AgentData(STEPS, range(200), range(200, 210))
        run = LoraRun(made[base], data, LoraSettings(epochs=1), {"learning_rate": 0.02}, seed)
        run.advance(1.0)
        run.export(made["base"].parent / name)
        made[name] = made["base"].parent / name
    return made


@pytest.fixture(scope="module")
def loaded(folders: dict[str, Path]) -> LoadedBase:
    base = load_base(folders["base"])
    for name in ("a", "b.2"):
        add_adapter(base, name, folders[name])
    return base


def test_chances_sum_to_one(loaded: LoadedBase) -> None:
    p, other_p = score_steps(loaded, "a", STEPS, 0, 300)

    assert p.shape == (300, len(KNOWN))
    assert p.dtype == np.float32
    assert np.allclose(p.sum(1) + other_p, 1.0, atol=1e-5)


def test_later_steps_change_no_bit_of_earlier_scores(loaded: LoadedBase) -> None:
    strangers = [
        Step(step.ts_us + 7_000_000, ("what nobody knows", KNOWN[3])) for step in STEPS[151:]
    ]
    p, other_p = score_steps(loaded, "a", STEPS, 100, 300)
    again, other_again = score_steps(
        loaded, "a", [*STEPS[:150], Step(STEPS[150].ts_us, KNOWN[::-1]), *strangers], 100, 300
    )
    short, other_short = score_steps(loaded, "a", STEPS[:151], 100, 151)

    assert np.array_equal(p[:51], again[:51])
    assert np.array_equal(other_p[:51], other_again[:51])
    assert not np.array_equal(p[51:], again[51:])
    assert np.array_equal(p[:51], short)
    assert np.array_equal(other_p[:51], other_short)


@pytest.mark.parametrize("place", [0, 5, 24, 120, 299])
def test_the_judge_hears_what_a_live_answer_hears(loaded: LoadedBase, place: int) -> None:
    history = STEPS[max(0, place - HISTORY_STEPS) : place]
    live = score_next(loaded, ["a", None, "b.2"], history, STEPS[place].ts_us)

    for name, answer in zip(["a", None, "b.2"], live, strict=True):
        p, other_p = score_steps(loaded, name, STEPS, place, place + 1)
        assert answer.labels == KNOWN
        assert np.abs(answer.p - p[0]).max() < 1e-4
        assert abs(answer.other_p - other_p[0]) < 1e-4
    assert np.abs(live[0].p - live[1].p).max() > 1e-3
    assert np.abs(live[0].p - live[2].p).max() > 1e-3


def test_an_answer_needs_no_history_and_forgets_what_is_too_old(loaded: LoadedBase) -> None:
    assert score_next(loaded, [None], [], at(0))[0].p.sum() > 0.0
    assert len(score_next(loaded, ["a"], STEPS * 3, at(10**6))) == 1


def test_no_target_has_no_score(loaded: LoadedBase) -> None:
    p, other_p = score_steps(loaded, None, STEPS, 5, 5)

    assert (p.shape, other_p.shape) == ((0, len(KNOWN)), (0,))


def test_bits_are_the_mean_over_the_members() -> None:
    p, other_p = np.array([[0.5, 0.25]], np.float32), np.array([0.25], np.float32)

    assert bits(p, other_p, [[0, 2]]).tolist() == [1.5]


def test_stock_peft_reads_the_adapter_and_gives_the_same_logits(
    folders: dict[str, Path], loaded: LoadedBase
) -> None:
    ids = torch.from_numpy(loaded.encoder.encode(STEPS[:20]).ids)[None]
    plain = AutoModelForCausalLM.from_pretrained(folders["base"])
    stock = PeftModel.from_pretrained(plain, folders["a"]).eval()
    with torch.inference_mode():
        theirs = stock(ids).logits
        ours = loaded.model(torch.cat([ids, ids]), **loaded.rows(["a", None])).logits

    assert (theirs[0] - ours[0]).abs().max() < 1e-4
    assert (theirs[0] - ours[1]).abs().max() > 1e-2


def test_an_adapter_for_another_base_is_refused_and_both_are_named(
    folders: dict[str, Path], loaded: LoadedBase
) -> None:
    other = folder_sha256(folders["other base"])

    with pytest.raises(
        ArtifactError, match=f"made for base {other[:12]}; this base is {loaded.sha256[:12]}"
    ):
        add_adapter(loaded, "foreign", folders["foreign"])
    assert loaded.adapters == {"a", "b.2"}


def test_after_an_adapter_that_does_not_fit_the_base_is_as_before(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(folders["a"], tmp_path / "broken"))
    weights = folder / "adapter_model.safetensors"
    save_file({name: weight[:1] for name, weight in load_file(weights).items()}, weights)
    loaded = load_base(folders["base"])
    before = score_next(loaded, [None], STEPS[:9], at(0))[0].p

    with pytest.raises(ArtifactError, match="does not fit"):
        add_adapter(loaded, "a", folder)
    assert np.array_equal(before, score_next(loaded, [None], STEPS[:9], at(0))[0].p)
    add_adapter(loaded, "a", folders["a"])
    assert not np.array_equal(before, score_next(loaded, ["a"], STEPS[:9], at(0))[0].p)


@pytest.mark.parametrize(
    "fault", ["no weights", "pickled weights", "other method", "code", "no agent.json", "shapes"]
)
def test_what_is_no_adapter_of_ours_is_refused(
    folders: dict[str, Path], loaded: LoadedBase, tmp_path: Path, fault: str
) -> None:
    folder = Path(shutil.copytree(folders["a"], tmp_path / "broken"))
    weights, config = folder / "adapter_model.safetensors", folder / "adapter_config.json"
    if fault == "no weights":
        weights.unlink()
    elif fault == "pickled weights":
        torch.save(load_file(weights), folder / "adapter_model.bin")
        weights.unlink()
    elif fault == "no agent.json":
        (folder / "agent.json").unlink()
    elif fault == "shapes":
        save_file({name: weight[:1] for name, weight in load_file(weights).items()}, weights)
    else:
        changed = (
            {"peft_type": "IA3"}
            if fault == "other method"
            else {"auto_mapping": {"parent_library": "os"}}
        )
        config.write_text(json.dumps({**json.loads(config.read_text()), **changed}))
    before = score_next(loaded, ["a"], STEPS[:5], at(0))[0].p

    with pytest.raises(ArtifactError):
        add_adapter(loaded, "broken", folder)
    assert loaded.adapters == {"a", "b.2"}
    assert np.array_equal(before, score_next(loaded, ["a"], STEPS[:5], at(0))[0].p)


def test_adapters_come_and_go_without_a_trace(folders: dict[str, Path]) -> None:
    loaded = load_base(folders["base"])
    before = score_next(loaded, [None], STEPS[:9], at(0))[0].p
    for name in ("a", "b.2", "a"):
        add_adapter(loaded, name, folders[name])
    for name in ("b.2", "a", "never there"):
        remove_adapter(loaded, name)

    assert np.array_equal(before, score_next(loaded, [None], STEPS[:9], at(0))[0].p)
    with pytest.raises(UsageError, match="unknown agent on this base: 'a'"):
        score_next(loaded, ["a"], STEPS[:9], at(0))


def test_a_base_has_the_identity_of_its_artifact(
    folders: dict[str, Path], tmp_path: Path, loaded: LoadedBase
) -> None:
    assert ArtifactStore(tmp_path / "artifacts").put(folders["base"]) == loaded.sha256


def test_a_base_without_safetensors_is_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(folders["base"], tmp_path / "base"))
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()

    with pytest.raises(ArtifactError, match="does not load"):
        load_base(folder)


def test_libraries_write_nothing_on_the_owners_terminal(folders: dict[str, Path]) -> None:
    program = (
        "import sys; from pathlib import Path; from selflow.lm.loaded import *; "
        "add_adapter(load_base(Path(sys.argv[1])), 'a', Path(sys.argv[2]))"
    )
    paths = str(folders["base"]), str(folders["a"])
    done = subprocess.run(
        [sys.executable, "-c", program, *paths], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

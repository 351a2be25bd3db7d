"""Making a base: the same steps give the same bits, a kill costs no finished epoch, and foreign
models keep theirs.
"""

from pathlib import Path

import huggingface_hub
import pytest
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    BertConfig,
    BertLMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

from selflow.core.content_hash import folder_sha256
from selflow.core.errors import ArtifactError, ConfigError, UsageError
from selflow.core.settings import LmSettings, LoraSettings
from selflow.core.training_steps import StepReport
from selflow.lm.base import (
    PREFERRED,
    adopt,
    device_of,
    grow_tiny,
    resolve_base,
    unknown_fraction,
)
from selflow.lm.data import AgentData
from selflow.lm.loaded import add_adapter, load_base
from selflow.lm.lora import LoraRun
from selflow.lm.scoring import score_steps
from selflow.lm.tiny import corpus
from selflow.testing import ManualClock
from tests.lm.worlds import single, small_base, work

STEPS = work(5, 60)
TWO = LmSettings(base_epochs=2)


class KilledError(Exception):
    """The process ends here."""


def quiet(report: StepReport) -> None:
    assert report.step <= report.steps


def killed_in_the_last_epoch(report: StepReport) -> None:
    if report.step == report.steps - 1:
        raise KilledError


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two epochs without a stop."""
    out = tmp_path_factory.mktemp("grown") / "base"
    grow_tiny(STEPS, TWO, 7, out, ManualClock(), quiet)
    return out


def test_a_base_is_outgrown_by_what_it_has_no_token_for(tmp_path: Path) -> None:
    folder = small_base(tmp_path / "base", ["a", "b"])
    steps = single(["a", "b"] * 30 + ["c"] * 20 + ["once"])

    assert unknown_fraction(folder, steps[:60]) == 0.0
    assert unknown_fraction(folder, steps) == pytest.approx(20 / 81), (
        "one that came once counts not"
    )


def test_the_same_steps_give_the_same_bits_and_a_kill_costs_no_finished_epoch(
    grown: Path, tmp_path: Path
) -> None:
    with pytest.raises(KilledError):
        grow_tiny(STEPS, TWO, 7, tmp_path, ManualClock(), killed_in_the_last_epoch)
    assert (tmp_path / "partial").is_dir()
    told: list[int] = []
    report = grow_tiny(STEPS, TWO, 7, tmp_path, ManualClock(), lambda one: told.append(one.step))

    assert told[0] > 1
    assert report.epochs == 2
    assert folder_sha256(tmp_path) == folder_sha256(grown)
    assert not (tmp_path / "partial").exists()


def test_an_epoch_of_other_steps_is_not_gone_on_from(tmp_path: Path) -> None:
    one = LmSettings(base_epochs=1)
    with pytest.raises(KilledError):
        grow_tiny(STEPS, TWO, 7, tmp_path, ManualClock(), killed_in_the_last_epoch)
    told: list[int] = []
    grow_tiny(STEPS[:59], one, 7, tmp_path, ManualClock(), lambda one: told.append(one.step))

    assert told[0] == 1


def test_a_base_speaks_words_and_gives_labels_a_chance(grown: Path) -> None:
    loaded = load_base(grown)
    words = set(" ".join(corpus()).replace(".", " ").replace(":", " ").replace(",", " ").split())
    prompt = torch.tensor([loaded.tokenizer.encode("The file")])
    ids = loaded.model.generate(
        prompt, max_new_tokens=12, do_sample=False, attention_mask=torch.ones_like(prompt)
    )
    text = loaded.tokenizer.decode(ids[0], skip_special_tokens=True)

    assert len(words.intersection(text.replace(".", " ").replace(":", " ").split())) >= 2
    p, _ = score_steps(loaded, None, STEPS, 0, 60)
    assert p.sum(1).mean() > 0.3


@pytest.mark.setting("lm.base_epochs")
@pytest.mark.setting("lm.base_budget_s")
@pytest.mark.parametrize(
    ("epochs", "budget_s", "done"), [(1, 600.0, 1), (2, 600.0, 2), (2, 100.0, 1), (2, 0.001, 1)]
)
def test_time_ends_a_base_after_whole_epochs_and_never_before_the_first(
    tmp_path: Path, epochs: int, budget_s: float, done: int
) -> None:
    clock = ManualClock()
    settings = LmSettings(base_epochs=epochs, base_budget_s=budget_s)
    report = grow_tiny(STEPS[:9], settings, 7, tmp_path, clock, lambda _: clock.advance(5.0))

    assert report.epochs == done
    assert report.seconds > 60.0
    assert report.loss_last < report.loss_first
    assert report.document()["labels"] == report.labels


def test_no_step_makes_no_base(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no step"):
        grow_tiny([], TWO, 7, tmp_path, ManualClock(), quiet)


@pytest.mark.setting("lm.device")
def test_a_device_that_is_not_there_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)

    assert device_of("auto") == device_of("cpu") == "cpu"
    with pytest.raises(ConfigError, match=r"invalid lm.device: cuda"):
        grow_tiny(STEPS, LmSettings(device="cuda"), 7, tmp_path, ManualClock(), quiet)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert (device_of("auto"), device_of("cuda"), device_of("cpu")) == ("cuda", "cuda", "cpu")


def foreign(folder: Path, *, tied: bool = True, method: str = "llama") -> Path:
    """A random model of SmolLM2's shape, small, with a tokenizer of its own, as transformers writes
    them.
    """
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer, bpe.decoder = (
        pre_tokenizers.ByteLevel(add_prefix_space=False),
        decoders.ByteLevel(),
    )
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    bpe.train_from_iterator(
        corpus(),
        trainers.BpeTrainer(vocab_size=400, special_tokens=special, initial_alphabet=alphabet),
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe, eos_token="<|im_end|>", pad_token="<|im_end|>"
    )
    tokenizer.chat_template = (
        "{% for message in messages %}<|im_start|>{{ message['content'] }}<|im_end|>{% endfor %}"
    )
    shape = {
        "vocab_size": len(tokenizer),
        "hidden_size": 48,
        "intermediate_size": 96,
        "num_attention_heads": 3,
    }
    torch.manual_seed(11)
    if method == "llama":
        config = LlamaConfig(
            **shape,
            num_hidden_layers=3,
            num_key_value_heads=1,
            tie_word_embeddings=tied,
            eos_token_id=2,
            bos_token_id=1,
        )
        LlamaForCausalLM(config).save_pretrained(folder)
    else:
        BertLMHeadModel(BertConfig(**shape, num_hidden_layers=2, is_decoder=True)).save_pretrained(
            folder
        )
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("tied", [True, False])
def test_a_foreign_model_learns_our_rows_and_nothing_else(tmp_path: Path, *, tied: bool) -> None:
    source, out = foreign(tmp_path / "SmolLM2-tiny", tied=tied), tmp_path / "base"
    settings, many = LmSettings(base=str(source), base_epochs=12), work(5, 400)
    with pytest.raises(KilledError):
        adopt(source, many, settings, 7, out, ManualClock(), killed_in_the_last_epoch)
    report = adopt(source, many, settings, 7, out, ManualClock(), quiet)
    before, after = load_file(source / "model.safetensors"), load_file(out / "model.safetensors")
    loaded = load_base(out)

    assert (report.name, loaded.vocabulary.kind) == ("SmolLM2-tiny", "adopted")
    assert report.loss_last < report.loss_first
    for name, weight in before.items():
        assert torch.equal(weight, after[name][: len(weight)]), name
    rows = after["model.embed_tokens.weight"][list(loaded.vocabulary.label_ids)]
    assert len(rows) == 12
    assert len(torch.unique(rows, dim=0)) == 12
    assert loaded.tokenizer.chat_template is not None
    assert loaded.tokenizer.encode("The file is open.") == loaded.tokenizer.encode(
        "The file is open.", split_special_tokens=True
    )
    run = LoraRun(
        out, AgentData(STEPS, range(50), range(50, 60)), LoraSettings(), {"learning_rate": 0.01}, 7
    )
    began, ended = run.advance(0.0), run.advance(1.0)
    run.export(tmp_path / "adapter")
    add_adapter(loaded, "agent", tmp_path / "adapter")
    p, other_p = score_steps(loaded, "agent", STEPS, 0, 60)
    assert ended.tune_bits < began.tune_bits
    assert p.sum(1) + other_p == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("fault", ["empty", "broken", "family"])
def test_a_model_that_cannot_carry_agents_is_refused_with_the_setting_named(
    tmp_path: Path, fault: str
) -> None:
    source = tmp_path / "model"
    if fault == "family":
        foreign(source, method="bert")
    else:
        source.mkdir()
        (source / "config.json").write_text("{}" if fault == "empty" else "{")

    with pytest.raises(ConfigError, match=r"lm\.base") as caught:
        adopt(source, STEPS, TWO, 7, tmp_path / "out", ManualClock(), quiet)
    assert "tiny" in caught.value.hint


def in_the_cache(cache: Path, name: str) -> Path:
    """A snapshot as the hub's client leaves it."""
    folder = cache / f"models--{name.replace('/', '--')}"
    snapshot = folder / "snapshots" / "a1b2"
    snapshot.mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("a1b2")
    for file in ("config.json", "model.safetensors"):
        (snapshot / file).write_text("{}")
    return snapshot


@pytest.mark.setting("lm.base")
def test_the_base_is_what_the_setting_names(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")

    assert resolve_base("tiny") is resolve_base("auto") is None
    assert resolve_base(str(model)) == model
    small = in_the_cache(tmp_path / "hub", PREFERRED[2])
    assert resolve_base("auto") == small
    instruct = in_the_cache(tmp_path / "hub", PREFERRED[0])
    assert resolve_base("auto") == instruct
    mine = in_the_cache(tmp_path / "hub", "someone/model")
    assert resolve_base("someone/model") == mine


@pytest.mark.setting("lm.base")
@pytest.mark.parametrize("value", ["someone/unknown", "./nowhere", "large", "a/b/c", "", "../.."])
def test_a_base_that_is_not_here_is_refused_and_nothing_is_fetched(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: str
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ConfigError, match=r"invalid lm\.base: ") as caught:
        resolve_base(value)
    assert repr(value) in str(caught.value)
    assert "lm.base" in caught.value.hint


def test_an_unfinished_base_is_no_base(tmp_path: Path) -> None:
    with pytest.raises(KilledError):
        grow_tiny(
            single(["a", "b", "a"]), TWO, 7, tmp_path, ManualClock(), killed_in_the_last_epoch
        )

    with pytest.raises(ArtifactError, match="is not a base"):
        load_base(tmp_path)

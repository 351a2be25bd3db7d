"""The base under all agents: grown here from nothing, or a model from this machine fitted to the
owner's labels.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import huggingface_hub
import numpy as np
import torch

from selflow.core.clock import Clock
from selflow.core.errors import ConfigError, UsageError
from selflow.core.settings import LmSettings
from selflow.core.steps import Step
from selflow.core.training_steps import OnStep
from selflow.lm.encoding import Ids, StepEncoder, blocks_of
from selflow.lm.label_tokens import MAX_LABELS, LabelVocabulary, extend, spelled
from selflow.lm.loaded import MODULES, UNREADABLE, read_model
from selflow.lm.tiny import UntrainedBase, corpus, untrained_base
from selflow.lm.training import BaseReport, TrainingPlan, train_base

PREFERRED = (
    "HuggingFaceTB/SmolLM2-135M-Instruct",
    "HuggingFaceTB/SmolLM2-135M",
    "HuggingFaceTB/SmolLM2-360M",
)
_TEXT_PASSES = 10
"""How often an epoch of the embedded base reads the seed corpus, at most: never more words than
steps.
"""
_MIXED = 8
"""Blocks of steps for one of words among them; the other words come first (decision 0009)."""
_ADOPT_TOKENS = 65_536
"""Newest tokens that an epoch of a foreign base reads: it is slow, and has only rows to learn."""
_MAX_CONTEXT = 2_048
_LEAST_COUNT = 2
OUTGROWN_FRACTION = 0.1
"""A base is replaced, although agents stand on it, if it has no token for so much of what came."""


def device_of(device: Literal["auto", "cpu", "cuda"]) -> str:
    """Where models compute.

    Raises:
        ConfigError: ``cuda`` is asked for and torch finds none.
    """
    has_cuda = torch.cuda.is_available()
    if device == "cuda" and not has_cuda:
        raise ConfigError(
            "invalid lm.device: cuda; torch finds no CUDA device here",
            "set lm.device to auto or cpu",
        )
    return "cuda" if has_cuda and device != "cpu" else "cpu"


def resolve_base(value: str) -> Path | None:
    """The folder that ``lm.base`` stands for; None is the embedded base. Nothing is fetched.

    Raises:
        ConfigError: It is neither a model's folder nor in the local Hugging Face cache.
    """
    if value == "tiny":
        return None
    if value == "auto":
        return next((folder for folder in map(_cached, PREFERRED) if folder is not None), None)
    folder = Path(value).expanduser()
    cached = _cached(value) if value.count("/") == 1 and value[0] not in "./~" else None
    resolved = folder if (folder / "config.json").is_file() else cached
    if resolved is None:
        raise ConfigError(
            f"invalid lm.base: {value!r} is neither a folder with a config.json nor a model "
            "in the local Hugging Face cache",
            "set lm.base to tiny, auto, a model's folder, or an id whose files are "
            "already in the cache",
        )
    return resolved


def grow_tiny(
    steps: Sequence[Step],
    settings: LmSettings,
    seed: int,
    out: Path,
    clock: Clock,
    on_step: OnStep,
) -> BaseReport:
    """Train the embedded base from nothing on the seed corpus and the steps; the same steps give
    the same bits.

    Until ``out`` is a whole base, ``partial`` in it holds the last finished epoch: a call after a
    kill goes on from there. ``on_step`` hears of each optimiser step.

    Raises:
        UsageError: There is no step. TrainingDivergedError: The loss is no number, or explodes.

    Cost: about 4,200 tokens per second on one core.
    """
    draft = untrained_base(_frequent(steps), seed)
    encoder = StepEncoder(draft.vocabulary, draft.tokenizer)
    texts = [draft.tokenizer.encode(text, add_special_tokens=False) for text in corpus()]
    words = np.array(
        [token for text in texts for token in (*text, draft.vocabulary.eos_id)], np.int64
    )

    def blocks(number: int) -> Ids:
        rng = np.random.default_rng([seed, number])
        ids = encoder.encode(steps, rng).ids
        passes = max(1, min(_TEXT_PASSES, len(ids) // len(words)))
        spoken, done = blocks_of(np.tile(words, passes), rng), blocks_of(ids, rng)
        some = len(done) // _MIXED
        return np.concatenate(
            [spoken[some:], rng.permutation(np.concatenate([spoken[:some], done]))]
        )

    plan = TrainingPlan(f"{seed}", blocks, batch=1, rate=3e-3)
    return train_base(draft, plan, settings, device_of(settings.device), out, clock, on_step)


def adopt(
    source: Path,
    steps: Sequence[Step],
    settings: LmSettings,
    seed: int,
    out: Path,
    clock: Clock,
    on_step: OnStep,
) -> BaseReport:
    """Give a local causal LM our tokens: each new row begins as the mean of its sub-words' rows,
    and they alone learn.

    ``source`` is a transformers folder in safetensors form, of a family with Llama's module names.

    Raises:
        ConfigError: It is no such model. UsageError: There is no step. TrainingDivergedError: The
        loss is no number, or explodes.
    """
    draft = _foreign(source, _frequent(steps))
    encoder = StepEncoder(draft.vocabulary, draft.tokenizer)
    _learn_new_rows_only(draft)

    def blocks(number: int) -> Ids:
        rng = np.random.default_rng([seed, number])
        return blocks_of(encoder.encode(steps, rng).ids[-_ADOPT_TOKENS:], rng)

    plan = TrainingPlan(f"{seed} {source}", blocks, batch=4, rate=1e-3)
    return train_base(draft, plan, settings, device_of(settings.device), out, clock, on_step)


def unknown_fraction(folder: Path, steps: Sequence[Step]) -> float:
    """Of all that came in these steps, the part for which a base made of them would have a token
    and the one in ``folder`` has none.
    """
    known = set(LabelVocabulary.load(folder).labels)
    wanted = set(_frequent(steps)) - known
    came = [label for step in steps for label in step.labels]
    return sum(label in wanted for label in came) / len(came)


def _cached(name: str) -> Path | None:
    config = huggingface_hub.try_to_load_from_cache(name, "config.json")
    folder = Path(config).parent if isinstance(config, str) else None
    return folder if folder is not None and any(folder.glob("model*.safetensors")) else None


def _frequent(steps: Sequence[Step]) -> list[str]:
    if not steps:
        raise UsageError("no steps to make a base from", "import or collect some events first")
    counts = Counter(label for step in steps for label in step.labels)
    return [label for label, count in counts.most_common(MAX_LABELS) if count >= _LEAST_COUNT]


def _foreign(source: Path, labels: Sequence[str]) -> UntrainedBase:
    """Load it, see that an adapter and a distribution over labels can be had of it, and add our
    tokens.
    """
    next_step = "set lm.base to tiny, or to a Llama-shaped causal model in safetensors form"
    try:
        model, tokenizer = read_model(source)
        with torch.inference_mode():
            out = model(torch.arange(8)[None], output_hidden_states=True)
            plain = out.hidden_states[-1] @ model.get_output_embeddings().weight.T
            is_plain = torch.allclose(plain, out.logits, atol=1e-3)
    except UNREADABLE as error:
        raise ConfigError(
            f"invalid lm.base: {source} holds no causal language model that loads", next_step
        ) from error
    modules = {name.rpartition(".")[2] for name, _ in model.named_modules()}
    if (
        not is_plain
        or not modules.issuperset(MODULES)
        or tokenizer.eos_token_id is None
        or not tokenizer.is_fast
    ):
        raise ConfigError(
            f"invalid lm.base: the model in {source} is of a family without support for agents",
            next_step,
        )
    is_cached = source.parent.name == "snapshots"
    name = (
        source.parent.parent.name.removeprefix("models--").replace("--", "/")
        if is_cached
        else source.name
    )
    reach = min(_MAX_CONTEXT, getattr(model.config, "max_position_embeddings", _MAX_CONTEXT))
    vocabulary = extend(tokenizer, labels, name, "adopted", reach)
    if len(tokenizer) > len(model.get_input_embeddings().weight):
        model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    return UntrainedBase(model, tokenizer, vocabulary)


def _learn_new_rows_only(draft: UntrainedBase) -> None:
    """Start our tokens' rows from what their texts mean to the model, and freeze everything
    else.
    """
    model, vocabulary = draft.model, draft.vocabulary
    texts = {token: f"after {2**bin_ - 1} seconds" for bin_, token in enumerate(vocabulary.gap_ids)}
    texts |= {token: f"at {hour}:00" for hour, token in enumerate(vocabulary.hour_ids)}
    texts |= {vocabulary.text_id: "text", vocabulary.end_text_id: "end"}
    texts |= {
        token: spelled(label)
        for token, label in zip(vocabulary.label_ids, vocabulary.labels, strict=True)
    }
    ours = torch.zeros(len(model.get_input_embeddings().weight), 1)
    ours[list(texts)] = 1.0
    model.requires_grad_(requires_grad=False)
    for weight in {model.get_input_embeddings().weight, model.get_output_embeddings().weight}:
        for token, text in texts.items():
            words = draft.tokenizer.encode(
                text, add_special_tokens=False, split_special_tokens=True
            )
            weight.data[token] = weight.data[[own for own in words if own not in texts]].mean(0)
        weight.requires_grad_(requires_grad=True)
        weight.register_hook(lambda gradient: gradient * ours.to(gradient.device))

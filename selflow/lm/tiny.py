"""The embedded base before it has learned anything: its words, its tokenizer and its shape."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
from transformers.utils import logging as hf_logging

from selflow.lm.encoding import WINDOW
from selflow.lm.label_tokens import LabelVocabulary, extend, spelled

NAME = "selflow-tiny"
LAYERS, WIDTH, HEADS = 4, 128, 4
SUBWORDS = 2_048
_EOS = "<eos>"


@dataclass(frozen=True, slots=True)
class UntrainedBase:
    """A base in the making."""

    model: Any
    tokenizer: Any
    vocabulary: LabelVocabulary

    def write(self, folder: Path) -> None:
        """Write the base's folder, ``label_tokens.json`` last: a folder with one is whole."""
        hf_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)
        self.vocabulary.save(folder)


def corpus() -> list[str]:
    """The shipped seed corpus: short texts of some lines each."""
    text = files("selflow.lm").joinpath("seed.txt").read_text(encoding="utf-8")
    return [part.strip() for part in text.split("\n\n")]


def untrained_base(
    labels: Sequence[str], seed: int, layers: int = LAYERS, width: int = WIDTH
) -> UntrainedBase:
    """A base with random weights whose tokenizer spells the seed corpus and these labels (most
    frequent first) well.

    Weights begin wider, and positions turn faster, than is usual for large models: without that, a
    rule that reaches three steps back was not learned in the same number of optimiser steps.
    """
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=SUBWORDS, special_tokens=[_EOS], initial_alphabet=alphabet, show_progress=False
    )
    bpe.train_from_iterator([*corpus(), *map(spelled, labels)], trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token=_EOS, pad_token=_EOS)  # type: ignore[no-untyped-call]
    vocabulary = extend(tokenizer, labels, NAME, "tiny", WINDOW)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=3 * width,
        num_hidden_layers=layers,
        num_attention_heads=HEADS,
        max_position_embeddings=WINDOW,
        initializer_range=width**-0.5,
        rope_parameters={"rope_type": "default", "rope_theta": 500.0},
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=vocabulary.eos_id,
        pad_token_id=vocabulary.eos_id,
    )
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        return UntrainedBase(LlamaForCausalLM(config), tokenizer, vocabulary)

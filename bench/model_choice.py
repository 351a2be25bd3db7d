"""Size, tokens, context and text of the byte model, each arm trained for the same seconds of the
processor.

Run: python -m bench.model_choice [FOLDER]

Every arm is trained from nothing for SECONDS on one thread, on the text of bench/_corpus.py; how
many steps that gives is measured before and printed. Bits a line are those of the model alone on
the development people: names that begin with 0 to 3, in the games that it never saw; no bench
scores them. A sub-word model scores one way to cut a line into tokens, so its bits are an upper
bound. No stream holds exit statuses of shell lines, so that context is not compared. The two byte
models of fewest bits, and the one that ships, are then mixed with the rules. Arms that are finished
stay in FOLDER: started again, the rest is run.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from bench._corpus import DEVELOPMENT, GAMES, Sessions, command_lines, read_corpus
from bench._streams import require, stream_file
from bench.make_sheets import SHEETS
from selflow.lm.byte_training import BytePlan, ByteShape, train_byte_model, write_byte_model
from selflow.text.byte_context import (
    FOLDER,
    VOCABULARY,
    ContextWindow,
    Entry,
    line_tokens,
    plain_folder,
    session_segments,
)
from selflow.text.byte_expert import ByteExpert
from selflow.text.byte_model import BASE, ByteModel, KeyValues, Shape, Visible, load_byte_model
from selflow.text.lines import END, line_bits
from selflow.text.mixer import Mixer
from selflow.text.shared_text import shipped

SHELL, PAGES = "shell_training_other.csv.gz", "tldr_examples.csv.gz"
SECONDS = 120.0
TIMED_STEPS = 5
SEED = 5
SHORT_ROWS, SHORT_TOKENS = 64, 48
"""Where a line has no context, a row holds one line."""
Tokens = list[int]
Arrange = Callable[[Sequence[Entry]], list[Tokens]]
SIZES = {
    ".5 M": ByteShape(VOCABULARY, END, 3, 128, 4, 2, 320),
    "1.6 M": ByteShape(VOCABULARY, END),
    "4 M": ByteShape(VOCABULARY, END, 6, 256, 8, 2, 640),
}


def with_folder(entries: Sequence[Entry]) -> list[Tokens]:
    """Lines, and the folder where it changes."""
    return session_segments(entries)


def lines_alone(entries: Sequence[Entry]) -> list[Tokens]:
    """Lines without their folder."""
    return session_segments([(b"", line) for _, line in entries])


def one_line(entries: Sequence[Entry]) -> list[Tokens]:
    """A line without anything before it."""
    return [[END, *line_tokens(entries[-1][1])]]


@dataclass(frozen=True)
class Arm:
    """What is compared; the defaults are those of the arm that all others differ from in one."""

    name: str
    shape: ByteShape = SIZES["1.6 M"]
    subwords: int = 0
    """Tokens of a byte-pair encoding; 0: bytes."""
    arrange: Arrange = with_folder
    has_sheets: bool = True
    draws_values: bool = True

    @property
    def is_mixable(self) -> bool:
        """Whether the mixer can take it: bytes behind the context that the product hands it."""
        return not self.subwords and self.arrange is with_folder


ARMS = (
    Arm("1.6 M, bytes, lines and folder, all text"),
    Arm("size .5 M", SIZES[".5 M"]),
    Arm("size 4 M", SIZES["4 M"]),
    Arm("text without drawn values", draws_values=False),
    Arm("text of the pages and people alone", has_sheets=False, draws_values=False),
    Arm("tokens BPE 512", subwords=512),
    Arm("tokens BPE 1,024", subwords=1_024),
    Arm("context lines, no folder", arrange=lines_alone),
    Arm("context none", arrange=one_line),
)


@cache
def development_people() -> list[list[Entry]]:
    """The lines on which arms are compared, by person."""
    people = command_lines(
        stream_file(SHELL), lambda user, game: user[0] in DEVELOPMENT and game not in GAMES
    )
    return list(people.values())


@cache
def subword_ids(size: int) -> Callable[[bytes], Tokens]:
    """A byte-pair encoding learned from the text of the pages; ids of END and FOLDER stay free."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    corpus = read_corpus(stream_file(PAGES), stream_file(SHELL), SHEETS)
    sessions = Sessions(corpus).sessions(SEED)
    lines = [line.decode(errors="replace") for _ in range(3_000) for _, line in next(sessions)]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)  # type: ignore[assignment]
    tokenizer.decoder = decoders.ByteLevel()  # type: ignore[assignment]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=size, initial_alphabet=alphabet, show_progress=False, special_tokens=[]
    )
    tokenizer.train_from_iterator(lines, trainer)

    @cache
    def ids(text: bytes) -> Tokens:
        encoded = tokenizer.encode(text.decode(errors="replace")).ids
        return [token if token < END else token + 2 for token in encoded]

    return ids


def recoded(tokens: Tokens, ids: Callable[[bytes], Tokens]) -> Tokens:
    """The same with the bytes between END and FOLDER cut into sub-words."""
    pieces: Tokens = []
    held = bytearray()
    for token in [*tokens, None]:
        if token is not None and token < END:
            held.append(token)
            continue
        pieces += ids(bytes(held)) if held else []
        held.clear()
        pieces += [token] if token is not None else []
    return pieces


def arranged(arm: Arm, entries: Sequence[Entry]) -> list[Tokens]:
    """A session in the tokens of an arm."""
    segments = arm.arrange(entries)
    if not arm.subwords:
        return segments
    ids = subword_ids(arm.subwords)
    return [recoded(segment, ids) for segment in segments]


def scored(arm: Arm) -> list[tuple[Tokens, Tokens]]:
    """What stands before each development line, and the line."""
    rows = []
    for entries in development_people():
        window = ContextWindow()
        for folder, line in entries:
            here = plain_folder(folder)
            *before, last = arm.arrange([*window.entries, (here, line)])
            tokens = line_tokens(line)
            context = [token for segment in before for token in segment]
            context += last[: len(last) - len(tokens)]
            rows.append((context, tokens))
            window.learn(line, folder)
    if not arm.subwords:
        return rows
    ids = subword_ids(arm.subwords)
    return [(recoded(context, ids), recoded(line, ids)) for context, line in rows]


@torch.no_grad()
def bits_a_line(model: Any, rows: Sequence[tuple[Tokens, Tokens]]) -> float:
    """Mean over lines of -log2 p of a line's tokens and its end, behind what stands before it."""
    nats = 0.0
    rows = sorted(rows, key=lambda row: len(row[0]) + len(row[1]))
    for first in range(0, len(rows), 16):
        part = rows[first : first + 16]
        longest = max(len(context) + len(line) for context, line in part)
        ids = torch.full((len(part), longest), END)
        for row, (context, line) in enumerate(part):
            ids[row, : len(context) + len(line)] = torch.tensor([*context, *line])
        logits = model(input_ids=ids).logits.float()
        logits[:, :, FOLDER] = -1e9
        log_p = logits.log_softmax(dim=2)
        for row, (context, line) in enumerate(part):
            at = torch.arange(len(context) - 1, len(context) + len(line) - 1)
            nats -= float(log_p[row, at, torch.tensor(line)].sum())
    return nats / np.log(2.0) / len(rows)


def trained(arm: Arm, folder: Path) -> dict[str, float]:
    """Train an arm, write it, and say what it is worth."""
    corpus = read_corpus(stream_file(PAGES), stream_file(SHELL), SHEETS if arm.has_sheets else None)
    sessions = Sessions(corpus, arm.draws_values, partial(arranged, arm))
    if arm.arrange is one_line:
        sessions = replace(sessions, rows=SHORT_ROWS, tokens=SHORT_TOKENS)
    shape = replace(arm.shape, vocabulary=arm.subwords + 2 if arm.subwords else VOCABULARY)

    def train(steps: int) -> Any:
        return train_byte_model(shape, BytePlan(steps), sessions.batches(SEED), report)

    def report(done: int, steps: int, bits: float) -> None:
        print(f"{arm.name}: {done}/{steps} {bits:.3f} bits/token", file=sys.stderr, flush=True)

    next(sessions.batches(SEED))
    began_s = time.process_time()
    train(TIMED_STEPS)
    steps = int(SECONDS * TIMED_STEPS / (time.process_time() - began_s))
    began_s = time.process_time()
    model = train(steps)
    took_s = time.process_time() - began_s
    rows = scored(arm)
    bits = bits_a_line(model, rows)
    parameters = sum(held.numel() for held in model.parameters())
    write_byte_model(model, folder)
    tokens = float(np.mean([len(line) for _, line in rows]))
    line_ms, step_ms = numpy_ms(shape, round(tokens))
    return {
        "parameters": parameters,
        "steps": steps,
        "seconds": took_s,
        "bits": bits,
        "tokens": tokens,
        "line_ms": line_ms,
        "step_ms": step_ms,
        "megabytes": (folder / "model.safetensors").stat().st_size / 1e6,
    }


def numpy_ms(shape: ByteShape, tokens: int) -> tuple[float, float]:
    """Milliseconds of the processor for a line of so many tokens read at once, and for a single
    token, behind 100 tokens; random weights, and a sub-word model's wider output as one more
    product.
    """
    from selflow.lm.byte_training import untrained

    model = untrained(replace(shape, vocabulary=VOCABULARY), SEED)
    weights = {name: held.detach().numpy() for name, held in model.named_parameters()}
    own = Shape(shape.layers, shape.width, shape.heads, shape.kv_heads, shape.rope_theta, 1e-6)
    numpy_model = ByteModel(own, weights, "")
    more = np.zeros((shape.width, shape.vocabulary - VOCABULARY), np.float32)

    def read(n: int) -> float:
        cache = KeyValues(own)
        slots = cache.take(100 + n)[100:]
        mask = np.zeros((n, 100 + n), np.float32)
        mask[:, 100:][~np.tri(n, dtype=bool)] = -1e9
        took = []
        for _ in range(30):
            began_s = time.process_time()
            numpy_model.forward([97] * n, slots, cache, slots, Visible(slice(0, 100 + n), mask))
            np.zeros((n, shape.width), np.float32) @ more
            took.append(time.process_time() - began_s)
        return float(np.median(took)) * 1e3

    return read(tokens), read(1)


@torch.no_grad()
def large_ms() -> tuple[float, float, float]:
    """The same by torch for random weights of SmolLM2-135M's shape in bfloat16: milliseconds for 8
    tokens and for one behind 100, and megabytes of weights.
    """
    config = LlamaConfig(
        vocab_size=49_152,
        hidden_size=576,
        intermediate_size=1_536,
        num_hidden_layers=30,
        num_attention_heads=9,
        num_key_value_heads=3,
        tie_word_embeddings=True,
    )
    model = LlamaForCausalLM(config).to(torch.bfloat16).eval()
    before = model(input_ids=torch.full((1, 100), 7), use_cache=True).past_key_values

    def read(n: int) -> float:
        took = []
        for _ in range(15):
            began_s = time.process_time()
            model(input_ids=torch.full((1, n), 7), past_key_values=before, use_cache=True)
            took.append(time.process_time() - began_s)
            before.crop(-n)
        return float(np.median(took)) * 1e3

    megabytes = sum(held.numel() * held.element_size() for held in model.parameters()) / 1e6
    return read(8), read(1), megabytes


def mixed_bits(models: Sequence[ByteModel]) -> list[float]:
    """Bits a line of the mix without a model and with each of these, on the development people,
    each alone.
    """
    bits, n = np.zeros(1 + len(models)), 0
    for entries in development_people():
        rules = Mixer(shipped())
        mixes = [Mixer(models=[ByteExpert(model)], rules=rules.rules) for model in models]
        for folder, line in entries:
            for mix in mixes:
                mix.read_ahead(line, folder)
            bits += [line_bits(mix.start(folder), line) for mix in (rules, *mixes)]
            for mix in (*mixes, rules):
                mix.learn(line, folder)
            n += 1
    return [float(total) for total in bits / n]


def finished(folder: Path) -> Iterator[tuple[Arm, dict[str, float]]]:
    """Every arm with its figures; those that stand in the folder are not run again."""
    for index, arm in enumerate(ARMS):
        own = folder / f"arm_{index}"
        record = own / "figures.json"
        if not record.is_file():
            own.mkdir(parents=True, exist_ok=True)
            record.write_text(json.dumps(trained(arm, own)))
        yield arm, json.loads(record.read_text())


def main() -> None:
    """Print the tables."""
    require([SHELL, PAGES])
    torch.set_num_threads(1)
    holder = tempfile.TemporaryDirectory()
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else holder.name)
    people = development_people()
    print(
        f"{sum(map(len, people)):,} lines of {len(people)} development people, {SECONDS:.0f} "
        "processor seconds an arm; an arm's name says in what it differs from the first.\n"
    )
    print("| | parameters | MB | steps | tokens a line | bits/line | ms a line | ms a step |")
    print("|---|---|---|---|---|---|---|---|")
    shipped_torch = LlamaForCausalLM.from_pretrained(BASE, dtype=torch.float32).eval()
    print(f"| as shipped | | | | | {bits_a_line(shipped_torch, scored(ARMS[0])):.2f} | | |")
    mixable = []
    for index, (arm, row) in enumerate(finished(folder)):
        bound = "at most " if arm.subwords else ""
        print(
            f"| {arm.name} | {row['parameters']:,} | {row['megabytes']:.1f} | {row['steps']} | "
            f"{row['tokens']:.1f} | {bound}{row['bits']:.2f} | {row['line_ms']:.1f} | "
            f"{row['step_ms']:.2f} |",
            flush=True,
        )
        if arm.is_mixable:
            mixable.append((row["bits"], arm.name, folder / f"arm_{index}"))
    line_ms, step_ms, megabytes = large_ms()
    print(
        f"\nRandom weights of SmolLM2-135M's shape, {megabytes:.0f} MB, by torch: {line_ms:.0f} ms "
        f"for a line of 8 tokens, {step_ms:.0f} ms for a single token."
    )
    print("\n| mixed with the rules | bits/line | as a ratio |\n|---|---|---|")
    best = [("as shipped", BASE), *((name, at) for _, name, at in sorted(mixable)[:2])]
    rules, *mixed = mixed_bits([load_byte_model(place) for _, place in best])
    print(f"| no model | {rules:.3f} | |")
    for (name, _), bits in zip(best, mixed, strict=True):
        print(f"| {name} | {bits:.3f} | {bits / rules:.3f} |", flush=True)
    holder.cleanup()


if __name__ == "__main__":
    main()

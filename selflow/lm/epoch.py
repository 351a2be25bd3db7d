"""What a base was made for: its labels and the tokens that stand for them (``epoch.json`` in the base's folder)."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from selflow.core.errors import ArtifactError
from selflow.core.steps import label_event

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

SCHEMA = "selflow.lm.epoch/1"
FILE = "epoch.json"
GAPS = 16
HOURS = 24
MAX_LABELS = 2_000
"""Labels that get a token of their own; every other label is spelled."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """A base's vocabulary for steps. Fixed for the base's life: adapters and scores hold only on it."""

    name: str
    """``selflow-tiny``, or the name of the foreign base."""
    kind: Literal["tiny", "adopted"]
    labels: tuple[str, ...]
    """Most frequent first."""
    label_ids: tuple[int, ...]
    gap_ids: tuple[int, ...]
    """Bin b stands for a gap of 2^b - 1 seconds or more; the last one also for "nothing before"."""
    hour_ids: tuple[int, ...]
    """By hour of day, UTC."""
    text_id: int
    """Opens the spelling of a label without a token."""
    end_text_id: int
    eos_id: int
    max_context: int
    """Tokens that the base reads at once."""

    def save(self, folder: Path) -> None:
        """Write ``epoch.json``."""
        document = {"schema": SCHEMA, **asdict(self)}
        (folder / FILE).write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> "Epoch":
        """Read ``epoch.json``.

        Raises:
            ArtifactError: It is missing, or not of this version.
        """
        try:
            document = json.loads((folder / FILE).read_text(encoding="utf-8"))
            if document.pop("schema") != SCHEMA:
                raise ValueError  # noqa: TRY301  (one answer to all that is wrong with the file)
            return cls(**{key: tuple(value) if isinstance(value, list) else value for key, value in document.items()})
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ArtifactError(
                f"{folder.name} is no base of this version: {FILE} is missing or not {SCHEMA}",
                "the next learning cycle makes a new base",
            ) from error


def spelled(label: str) -> str:
    """A label as plain text, for sub-words and for people."""
    kind, subject = label_event(label)
    return f"{kind} {subject}" if kind else subject


def extend(
    tokenizer: "PreTrainedTokenizerFast", labels: Sequence[str], name: str, kind: Literal["tiny", "adopted"], reach: int
) -> Epoch:
    """Give the tokenizer our tokens, behind all that it has.

    A label's token reads ``<kind: subject>``, with a number behind it in the rare case that this is taken.

    Args:
        labels: At most ``MAX_LABELS``, most frequent first.
        reach: Tokens that the base reads at once.
    """
    from tokenizers import AddedToken

    gaps, hours = [f"<g{i}>" for i in range(GAPS)], [f"<h{i}>" for i in range(HOURS)]
    grammar = [*gaps, *hours, "<text>", "</text>"]
    tokenizer.add_tokens([AddedToken(token, special=True, normalized=False) for token in grammar], special_tokens=True)
    taken = set(tokenizer.get_vocab())
    contents = []
    for label in labels:
        event_kind, subject = label_event(label)
        plain = content = f"<{event_kind}: {subject}>"
        number = 2
        while content in taken:
            content, number = f"{plain}#{number}", number + 1
        taken.add(content)
        contents.append(content)
    tokenizer.add_tokens([AddedToken(content, normalized=False) for content in contents])

    def ids(tokens: list[str]) -> tuple[int, ...]:
        return tuple(tokenizer.convert_tokens_to_ids(tokens)) if tokens else ()

    text_id, end_text_id = ids(["<text>", "</text>"])
    return Epoch(
        name=name,
        kind=kind,
        labels=tuple(labels),
        label_ids=ids(contents),
        gap_ids=ids(gaps),
        hour_ids=ids(hours),
        text_id=text_id,
        end_text_id=end_text_id,
        eos_id=int(tokenizer.eos_token_id),
        max_context=reach,
    )

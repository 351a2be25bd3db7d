"""What a base was made for: its labels and the tokens that stand for them
(``label_tokens.json`` in the base's folder).
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from selflow.core.errors import ArtifactError
from selflow.core.steps import label_event

SCHEMA = "selflow.lm.label_tokens/1"
FILE = "label_tokens.json"
Kind = Literal["tiny", "adopted"]
Tokenizer = Any
"""A fast tokenizer of transformers, whose own types fit no reader."""
GAPS = 16
HOURS = 24
MAX_LABELS = 2_000
"""Labels that get a token of their own; every other label is spelled."""


@dataclass(frozen=True, slots=True)
class LabelVocabulary:
    """A base's vocabulary for steps. Fixed for the base's life: adapters and scores hold only on
    it.
    """

    name: str
    """``selflow-tiny``, or the name of the foreign base."""
    kind: Kind
    labels: tuple[str, ...]
    """Most frequent first."""
    label_ids: tuple[int, ...]
    gap_ids: tuple[int, ...]
    """Bin b stands for a gap of 2^b - 1 seconds or more, the last one also for "nothing before"."""
    hour_ids: tuple[int, ...]
    """By hour of day, UTC."""
    text_id: int
    """Opens the spelling of a label without a token."""
    end_text_id: int
    eos_id: int
    max_context: int
    """Tokens that the base reads at once."""

    def save(self, folder: Path) -> None:
        """Write ``label_tokens.json``."""
        document = {"schema": SCHEMA, **asdict(self)}
        (folder / FILE).write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> "LabelVocabulary":
        """Read ``label_tokens.json``.

        Raises:
            ArtifactError: It is missing, or not of this version.
        """
        try:
            document: dict[str, Any] = json.loads((folder / FILE).read_text(encoding="utf-8"))
            if document.pop("schema") != SCHEMA:
                raise ValueError  # noqa: TRY301  (one answer to all that is wrong with the file)
            fields: Any = {
                key: tuple(value) if isinstance(value, list) else value
                for key, value in document.items()
            }
            return cls(**fields)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ArtifactError(
                f"{folder.name} is not a base: its {FILE} is missing or not {SCHEMA}",
                "a learning cycle makes a new base",
            ) from error


def spelled(label: str) -> str:
    """A label as plain text, for sub-words and for people."""
    kind, subject = label_event(label)
    return f"{kind} {subject}" if kind else subject


def extend(
    tokenizer: Tokenizer, labels: Sequence[str], name: str, kind: Kind, max_context: int
) -> LabelVocabulary:
    """Give the tokenizer our tokens behind all that it has.

    A token reads ``<kind: subject>`` of its label, with a number behind it where that is taken.
    ``labels`` are at most ``MAX_LABELS``, most frequent first.
    """
    from tokenizers import AddedToken

    gaps, hours = [f"<g{i}>" for i in range(GAPS)], [f"<h{i}>" for i in range(HOURS)]
    grammar = [
        AddedToken(token, special=True, normalized=False)
        for token in (*gaps, *hours, "<text>", "</text>")
    ]
    tokenizer.add_tokens(grammar, special_tokens=True)
    taken, contents = set(tokenizer.get_vocab()), list[str]()
    for label in labels:
        plain = content = "<{}: {}>".format(*label_event(label))
        number = 1
        while content in taken:
            number += 1
            content = f"{plain}#{number}"
        taken.add(content)
        contents.append(content)
    tokenizer.add_tokens([AddedToken(content, normalized=False) for content in contents])
    find = tokenizer.get_vocab().__getitem__
    return LabelVocabulary(
        name=name,
        kind=kind,
        labels=tuple(labels),
        label_ids=tuple(map(find, contents)),
        gap_ids=tuple(map(find, gaps)),
        hour_ids=tuple(map(find, hours)),
        text_id=find("<text>"),
        end_text_id=find("</text>"),
        eos_id=int(tokenizer.eos_token_id),
        max_context=max_context,
    )

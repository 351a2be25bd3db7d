"""Program names that many people type: what a command that is NEW may be called on an owner's first
day.

The counts say in how many families of public manual pages a program is run. They are no expert of
the pool: among known labels they say nothing that the owner's own counts do not say better
(decision 0013). They only name what NEW may be, p(label) = p(NEW) * p(on the list | NEW) * count /
counts of all that have not come; the second part is learned as (hits + 1/2) / (offers + 1)
(Krichevsky and Trofimov 1981). Log-losses and the probability of every known label stay as they
are.
"""

from collections.abc import Mapping, Sequence
from importlib.resources import files
from itertools import islice
from typing import NamedTuple

from selflow.core.errors import ShapeError
from selflow.core.steps import event_label
from selflow.predict.experts import View
from selflow.predict.packing import Packed, pack_state, unpack_state

SHARED_SCHEMA = "selflow.predict.shared_counts/1"
SHARED_FILE = "shared_counts.msgpack"
SHELL_KIND = "shell.command"
EXPERT = "shipped"
"""The expert's name in an answer."""
_OFFERED = 5


class Offer(NamedTuple):
    """A label that was never seen, and its probability."""

    label: str
    p: float


def encode_counts(counts: Mapping[str, int], note: str) -> bytes:
    """Counts as the file that is shipped, the strongest first; ``note`` says whose they are."""
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return pack_state(SHARED_SCHEMA, [note, [name for name, _ in ranked], [n for _, n in ranked]])


def decode_counts(data: bytes) -> tuple[str, dict[str, int]]:
    """The note and the counts in those bytes, the strongest first.

    Raises:
        ShapeError: They hold no counts of this version.
    """
    state = unpack_state(SHARED_SCHEMA, data)
    if not isinstance(state, list) or len(state) != 3:
        raise ShapeError(
            f"the {len(data):,} bytes are not shared counts",
            "write the file again with bench/make_prior.py",
        )
    return state[0], dict(zip(state[1], state[2], strict=True))


def shipped_counts() -> dict[str, int]:
    """The counts that come with SelFlow."""
    return decode_counts(files("selflow.predict").joinpath(SHARED_FILE).read_bytes())[1]


class SharedCounts:
    """The programs that have not come yet, and how often a new command was one of them."""

    def __init__(self, counts: Mapping[str, int]) -> None:
        """``counts``: by program, the strongest first; without any, nothing is ever offered."""
        self._left = {event_label(SHELL_KIND, name): n for name, n in counts.items()}
        self._total = sum(counts.values())
        self._offers = self._hits = 0

    def offer(self, view: View, p_new: float) -> tuple[Offer, ...]:
        """The five likeliest names of NEW, if the last step was a command or nothing was ever
        learned; else none. Their probabilities sum to less than ``p_new``. Cost: O(1).
        """
        is_start = not view.history and not len(view.vocabulary)
        if not is_start and not any(
            view.vocabulary.traits(y).kind == SHELL_KIND for y in view.last
        ):
            return ()
        share = p_new * (self._hits + 0.5) / (self._offers + 1.0) / max(1, self._total)
        return tuple(Offer(label, share * n) for label, n in islice(self._left.items(), _OFFERED))

    def learn(self, new_labels: Sequence[str], *, was_offered: bool) -> None:
        """Labels that came for the first time, after an offer or without. Cost: O(labels)."""
        for label in new_labels:
            self._offers += was_offered
            self._hits += was_offered and label in self._left
            self._total -= self._left.pop(label, 0)

    def state(self) -> list[Packed]:
        """The state as msgpack values; none where nothing ships."""
        state = [list(self._left), list(self._left.values()), self._total, self._offers, self._hits]
        return [state] if self._left or self._offers else []

    @classmethod
    def load_state(cls, state: Sequence[Packed]) -> "SharedCounts":
        """What ``state`` gave."""
        shared = cls({})
        for labels, counts, total, offers, hits in state:
            shared._left = dict(zip(labels, counts, strict=True))
            shared._total, shared._offers, shared._hits = total, offers, hits
        return shared

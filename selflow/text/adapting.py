"""What the search for an adapter of lines works on: what it learns, and on what it is compared.

An adapter is worth what it adds to the mix that is there already. So the lines that compare
adapters keep what that mix, and the bare base in it, said of every byte; an adapter is credited
with the mix that it would give, before any weight was learned for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
from numpy.typing import NDArray

from selflow.core.errors import ArtifactError
from selflow.text.byte_expert import ByteExpert
from selflow.text.byte_model import ByteModel
from selflow.text.examples import OwnLine
from selflow.text.lines import END
from selflow.text.mixer import START_WEIGHTS, Mixer

_LINES_FILE = "lines.msgpack"
_SAID_FILE = "said.npy"
_SHARE = START_WEIGHTS[2][0][-1]
"""The weight of an adapted model in a mix that begins."""
_RECENT_LINES = 32
"""Lines before those that compare: what a model reads before the first of them."""
Float32s = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class LineData:
    """Lines that an adapter learns, and the later ones by which adapters are compared."""

    train: Sequence[OwnLine]
    tune: Sequence[OwnLine]
    said: Float32s
    """(tune bytes with an END each, 257) log p of the mix with the base, less ``_SHARE`` times that
    of the base: what an adapted model is added to.
    """

    @classmethod
    def measure(
        cls, mixer: Mixer, model: ByteModel, train: Sequence[OwnLine], tune: Sequence[OwnLine]
    ) -> "LineData":
        """What a mix says of the later lines, each before it learns it.

        Args:
            mixer: The rules and the base; it has learned ``train``, and learns ``tune`` here.
            model: The base.
            train: What it knows.
            tune: What came then.

        Cost: a pass of the mix over ``tune``, and 1 kB per byte of them.
        """
        base = _expert(model, train)
        said = []
        for line in tune:
            mixer.read_ahead(line.text, line.context)
            cursor = mixer.start(line.context)
            mixed = [np.log(cursor.p)]
            for byte in line.text:
                cursor = cursor.step(byte)
                mixed.append(np.log(cursor.p))
            said.append(np.stack(mixed) - _SHARE * base.read(line.text, line.context))
            mixer.learn(line.text, line.context)
            base.learn(line.text, line.context)
        return cls(train, tune, np.concatenate(said).astype(np.float32))

    def bits(self, model: ByteModel) -> float:
        """Bits of a line that compares, by the mix with this model as a part of it."""
        expert, total, start = _expert(model, self.train), 0.0, 0
        for line in self.tune:
            symbols = [*line.text, END]
            said = self.said[start : start + len(symbols)]
            scores = said + _SHARE * expert.read(line.text, line.context)
            top = scores.max(axis=1)
            log_sum = top + np.log(np.exp(scores - top[:, None]).sum(axis=1))
            total += float((log_sum - scores[np.arange(len(symbols)), symbols]).sum())
            expert.learn(line.text, line.context)
            start += len(symbols)
        return total / len(self.tune) / float(np.log(2.0))

    def files(self) -> dict[str, bytes]:
        """As the files of a folder."""
        lines = [[_packed(line) for line in part] for part in (self.train, self.tune)]
        said = BytesIO()
        np.save(said, self.said, allow_pickle=False)
        return {_LINES_FILE: msgpack.packb(lines), _SAID_FILE: said.getvalue()}

    @classmethod
    def load(cls, folder: Path) -> "LineData":
        """What ``files`` gave.

        Raises:
            ArtifactError: The folder does not hold them.
        """
        try:
            train, tune = msgpack.unpackb((folder / _LINES_FILE).read_bytes())
            said = np.load(folder / _SAID_FILE, allow_pickle=False)
            return cls([OwnLine(*row) for row in train], [OwnLine(*row) for row in tune], said)
        except (OSError, ValueError, TypeError, msgpack.UnpackException) as error:
            raise ArtifactError(
                f"{folder.name} holds no lines for an adapter", "selflow learn begins again"
            ) from error


def _expert(model: ByteModel, before: Sequence[OwnLine]) -> ByteExpert:
    """A model that has read the newest of these lines."""
    expert = ByteExpert(model)
    for line in before[-_RECENT_LINES:]:
        expert.learn(line.text, line.context)
    return expert


def _packed(line: OwnLine) -> list[Any]:
    return [line.seq, line.ts_us, line.text, line.context, line.weight]

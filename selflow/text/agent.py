"""What an agent that completes lines is: the mix of the text rules and a language model, with all
that it has learned of its owner's lines.

Without it the text rules complete lines alone (``docs/decisions/0034-agents-of-lines.md``).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgpack

from selflow.core.errors import ArtifactError
from selflow.text.byte_expert import ByteExpert
from selflow.text.byte_model import ByteModel
from selflow.text.examples import OwnLine
from selflow.text.lines import Packed
from selflow.text.mixer import Mixer
from selflow.text.paired import LineOutcomes, replay
from selflow.text.shared_text import shipped
from selflow.text.suggest import Suggester

AGENT_SCHEMA = "selflow.text.agent/1"
_DOCUMENT, _STATE = "agent.json", "state.msgpack"
_NUMBERS = ("watermark_seq", "upto_us", "unknown_from_seq", "lines")


@dataclass(frozen=True, slots=True)
class Replayed:
    """The same later lines by the pool without the agent, the whole agent, and the agent without
    each of its parts.
    """

    pool: LineOutcomes
    whole: LineOutcomes
    without: Mapping[str, LineOutcomes]


def mix_with(model: ByteModel) -> Mixer:
    """The experts of an agent, which have learned nothing of its owner."""
    return Mixer(shipped(), [ByteExpert(model)])


@dataclass(frozen=True, slots=True)
class LineAgent:
    """What an agent knows: the lines up to the event ``watermark_seq`` that came before the moment
    ``upto_us``. Imported lines are older than their place in the log.
    """

    watermark_seq: int
    upto_us: int
    unknown_from_seq: int
    """No line before this event in the log is unknown to it."""
    lines: int
    base_sha256: str
    """The language model that it stands on."""
    state: Packed
    """Of its suggester: counts, histories, mixer weights and the threshold."""

    @classmethod
    def grow(
        cls, lines: Sequence[OwnLine], watermark_seq: int, upto_us: int, model: ByteModel
    ) -> "LineAgent":
        """An agent that has learned what came before a moment.

        Args:
            lines: All lines up to the watermark, oldest first.
            watermark_seq: The event up to which the log was read.
            upto_us: The moment.
            model: What it stands on.

        Cost: bench/text.py prints what a line costs.
        """
        suggester = Suggester(mix_with(model))
        known = [line for line in lines if line.ts_us < upto_us]
        for line in known:
            suggester.learn(line.text, line.context)
        unknown = min(
            (line.seq for line in lines if line.ts_us >= upto_us), default=watermark_seq + 1
        )
        state = suggester.state()
        return cls(watermark_seq, upto_us, unknown, len(known), model.sha256, state)

    def knows(self, line: OwnLine) -> bool:
        """Whether it has learned a line."""
        return line.seq <= self.watermark_seq and line.ts_us < self.upto_us

    def suggester(self, model: ByteModel) -> Suggester:
        """It, ready to go on.

        Raises:
            ArtifactError: It stands on another language model than this one.
        """
        if model.sha256 != self.base_sha256:
            raise ArtifactError(
                f"the agent stands on the language model {self.base_sha256[:12]}; "
                f"{model.sha256[:12]} is installed",
                "the next selflow learn grows one on that",
            )
        suggester = Suggester(mix_with(model))
        suggester.load_state(self.state)
        return suggester

    def replay(
        self, past: Sequence[OwnLine], gate: Sequence[OwnLine], model: ByteModel
    ) -> Replayed:
        """Judge later lines before each is learned. Cost: bench/text.py.

        Args:
            past: What the agent knows; the pool learns it now.
            gate: What came later.
            model: What it stands on.
        """
        pool = Mixer(shipped())
        for line in past:
            pool.learn(line.text, line.context)
        of_pool = _outcomes(pool, gate)
        without = {
            "model": of_pool,
            "memory": _outcomes(mix_with(model), gate, learns=False),
        }
        whole = mix_with(model)
        whole.load_state(self.state[0])
        return Replayed(of_pool, _outcomes(whole, gate), without)

    def files(self) -> dict[str, bytes]:
        """As the files of an artifact."""
        document = {
            "schema": AGENT_SCHEMA,
            "base_sha256": self.base_sha256,
            **{name: getattr(self, name) for name in _NUMBERS},
        }
        return {
            _DOCUMENT: json.dumps(document, sort_keys=True).encode(),
            _STATE: msgpack.packb(self.state),
        }

    @classmethod
    def load(cls, folder: Path) -> "LineAgent":
        """What ``files`` gave.

        Raises:
            ArtifactError: The folder holds no agent of this version.
        """
        try:
            document: Any = json.loads((folder / _DOCUMENT).read_bytes())
            state = msgpack.unpackb((folder / _STATE).read_bytes())
            if document["schema"] != AGENT_SCHEMA:
                raise ValueError  # noqa: TRY301  (one answer to all that is wrong with the files)
            numbers = {name: int(document[name]) for name in _NUMBERS}
            return cls(**numbers, base_sha256=str(document["base_sha256"]), state=state)
        except (OSError, ValueError, KeyError, TypeError, msgpack.UnpackException) as error:
            raise ArtifactError(
                f"artifact {folder.name} is not an agent of lines ({AGENT_SCHEMA})",
                "the next selflow learn grows another",
            ) from error


def _outcomes(expert: Mixer, lines: Sequence[OwnLine], *, learns: bool = True) -> LineOutcomes:
    return replay(expert, [(line.text, line.context) for line in lines], learns=learns)

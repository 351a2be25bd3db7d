"""What an agent that completes lines is: the mix of the text rules and a language model, with all
that it has learned of its owner's lines, and an adapter of the model where that earns its place.

Without it the text rules complete lines alone (``docs/decisions/0034-agents-of-lines.md``); of the
adapter ``docs/decisions/0035-adapters-in-agents-of-lines.md`` tells.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgpack

from selflow.core.errors import ArtifactError
from selflow.core.lora import LoraAdapter
from selflow.text.adapted_expert import AdaptedExpert
from selflow.text.adapter_file import ADAPTER_FILE, pack_adapter, unpack_adapter
from selflow.text.byte_expert import ByteExpert
from selflow.text.byte_model import ByteModel
from selflow.text.examples import OwnLine
from selflow.text.lines import Packed
from selflow.text.mixer import Mixer, with_adapted_model
from selflow.text.paired import LineOutcomes, replay
from selflow.text.shared_text import shipped
from selflow.text.suggest import Suggester

AGENT_SCHEMA = "selflow.text.agent/2"
_DOCUMENT, _STATE = "agent.json", "state.msgpack"
_BEFORE_ALL_US = -(2**63)
_NUMBERS = ("watermark_seq", "upto_us", "unknown_from_seq", "lines")


@dataclass(frozen=True, slots=True)
class Replayed:
    """The same later lines by the pool without the agent, the whole agent, and the agent without
    each of its parts.
    """

    pool: LineOutcomes
    whole: LineOutcomes
    without: Mapping[str, LineOutcomes]
    serving: LineOutcomes | None = None
    """By the version that serves, where there is one."""


def mix_with(
    model: ByteModel, adapter: LoraAdapter | None = None, *, adapter_learns: bool = False
) -> Mixer:
    """The experts of an agent, which have learned nothing of its owner: the adapted model stands
    beside the bare one, never in its place.

    Args:
        model: The bare one.
        adapter: What it is adapted by at first.
        adapter_learns: Whether that follows the owner (``lm.adapter_learns``).

    Raises:
        ArtifactError: The adapter was trained on another model.
    """
    experts = [ByteExpert(model)]
    if adapter is not None:
        experts.append(AdaptedExpert.of(model, adapter, learns=adapter_learns))
    return Mixer(shipped(), experts)


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
    adapter: LoraAdapter | None = None
    """Of the model, as a search found it; what it has learned since is in ``state``."""
    adapter_learns: bool = False
    """Whether it goes on learning: the owner's word, and no part of the files."""

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
        state = Suggester(mix_with(model)).state()
        nothing = cls(watermark_seq, _BEFORE_ALL_US, 0, 0, model.sha256, state)
        return nothing.go_on(lines, upto_us, model)

    def go_on(self, lines: Sequence[OwnLine], upto_us: int, model: ByteModel) -> "LineAgent":
        """It, when it has learned what came up to a later moment too.

        Args:
            lines: All lines up to the watermark, oldest first.
            upto_us: The moment.
            model: What it stands on.
        """
        suggester = self.suggester(model)
        new = [line for line in lines if line.ts_us < upto_us and not self.knows(line)]
        for line in new:
            suggester.learn(line.text, line.context, line.weight)
        unknown = [line.seq for line in lines if line.ts_us >= upto_us]
        return replace(
            self,
            upto_us=upto_us,
            unknown_from_seq=min(unknown, default=self.watermark_seq + 1),
            lines=self.lines + len(new),
            state=suggester.state(),
        )

    def with_adapter(self, adapter: LoraAdapter, learned: Packed) -> "LineAgent":
        """It, which had none, with an adapter beside its model: what it has learned stays.

        Args:
            adapter: As a search found it.
            learned: The state of what learned it: its rows and its tuner.
        """
        mixer, bound = self.state
        return replace(self, adapter=adapter, state=[with_adapted_model(mixer, learned), bound])

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
        suggester = Suggester(self._mix(model))
        suggester.load_state(self.state)
        return suggester

    def mixer(self, model: ByteModel) -> Mixer:
        """Its experts, with all that they have learned."""
        mixer = self._mix(model)
        mixer.load_state(self.state[0])
        return mixer

    def _mix(self, model: ByteModel) -> Mixer:
        return mix_with(model, self.adapter, adapter_learns=self.adapter_learns)

    def outcomes(self, gate: Sequence[OwnLine], model: ByteModel) -> LineOutcomes:
        """How it does on later lines, each judged before it is learned. Cost: bench/text.py."""
        return replay(self.mixer(model), gate)

    def replay(
        self, past: Sequence[OwnLine], gate: Sequence[OwnLine], model: ByteModel
    ) -> Replayed:
        """The same beside the pool, and without each part but the adapter. Cost: bench/text.py.

        Args:
            past: What the agent knows; the pool learns it now.
            gate: What came later.
            model: What it stands on.
        """
        pool = Mixer(shipped())
        for line in past:
            pool.learn(line.text, line.context)
        of_pool = replay(pool, gate)
        without = {
            "model": of_pool,
            "memory": replay(mix_with(model, self.adapter), gate, learns=False),
        }
        return Replayed(of_pool, self.outcomes(gate, model), without)

    def files(self) -> dict[str, bytes]:
        """As the files of an artifact."""
        document = {
            "schema": AGENT_SCHEMA,
            "base_sha256": self.base_sha256,
            **{name: getattr(self, name) for name in _NUMBERS},
        }
        adapter = {} if self.adapter is None else {ADAPTER_FILE: pack_adapter(self.adapter)}
        return {
            _DOCUMENT: json.dumps(document, sort_keys=True).encode(),
            _STATE: msgpack.packb(self.state),
            **adapter,
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
            numbers: dict[str, Any] = {name: int(document[name]) for name in _NUMBERS}
            packed = folder / ADAPTER_FILE
            adapter = unpack_adapter(packed.read_bytes()) if packed.is_file() else None
            base_sha256 = str(document["base_sha256"])
            return cls(**numbers, base_sha256=base_sha256, state=state, adapter=adapter)
        except (OSError, ValueError, KeyError, TypeError, msgpack.UnpackException) as error:
            raise ArtifactError(
                f"artifact {folder.name} is not an agent of lines ({AGENT_SCHEMA})",
                "the next selflow learn grows another",
            ) from error

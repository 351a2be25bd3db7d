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
from selflow.text.engine import make_mixer
from selflow.text.examples import OwnLine
from selflow.text.lines import Packed, TextExpert
from selflow.text.paired import LineOutcomes, replay
from selflow.text.suggest import Suggester

AGENT_SCHEMA = "selflow.text.agent/1"
_DOCUMENT, _STATE = "agent.json", "state.msgpack"


@dataclass(frozen=True, slots=True)
class Replayed:
    """The same later lines by the pool without the agent, the whole agent, and the agent without
    each of its parts.
    """

    pool: LineOutcomes
    whole: LineOutcomes
    without: Mapping[str, LineOutcomes]


@dataclass(frozen=True, slots=True)
class LineAgent:
    """What an agent knows: the lines up to the event ``watermark_seq`` that came before the moment
    ``upto_us``. Imported lines are older than their place in the log.
    """

    watermark_seq: int
    upto_us: int
    lines: int
    base_sha256: str
    """The language model that it stands on."""
    state: Packed
    """Of its suggester: counts, histories, mixer weights and the threshold."""

    @classmethod
    def grow(
        cls, lines: Sequence[OwnLine], watermark_seq: int, upto_us: int, base_sha256: str
    ) -> "LineAgent":
        """An agent that has learned the lines that it may know of these, oldest first.

        Cost: bench/text.py prints what a line costs.
        """
        suggester, learned = Suggester(make_mixer(base_sha256)), 0
        for line in lines:
            if line.seq <= watermark_seq and line.ts_us < upto_us:
                suggester.learn(line.text, line.context)
                learned += 1
        return cls(watermark_seq, upto_us, learned, base_sha256, suggester.state())

    def knows(self, line: OwnLine) -> bool:
        """Whether it has learned a line."""
        return line.seq <= self.watermark_seq and line.ts_us < self.upto_us

    def suggester(self) -> Suggester:
        """It, ready to go on.

        Raises:
            ArtifactError: The language model that it stands on is not the one installed.
        """
        suggester = Suggester(make_mixer(self.base_sha256))
        suggester.load_state(self.state)
        return suggester

    def replay(self, past: Sequence[OwnLine], gate: Sequence[OwnLine]) -> Replayed:
        """Judge later lines before each is learned.

        Args:
            past: What the agent knows; the pool learns it now.
            gate: What came later.
        """
        pool, fresh = make_mixer(), make_mixer(self.base_sha256)
        for line in past:
            pool.learn(line.text, line.context)
        of_pool = _outcomes(pool, gate)
        without = {"model": of_pool, "memory": _outcomes(fresh, gate, learns=False)}
        return Replayed(of_pool, _outcomes(self.suggester().expert, gate), without)

    def files(self) -> dict[str, bytes]:
        """As the files of an artifact."""
        document = {
            "schema": AGENT_SCHEMA,
            "watermark_seq": self.watermark_seq,
            "upto_us": self.upto_us,
            "lines": self.lines,
            "base_sha256": self.base_sha256,
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
            numbers = (int(document[name]) for name in ("watermark_seq", "upto_us", "lines"))
            return cls(*numbers, str(document["base_sha256"]), state)
        except (OSError, ValueError, KeyError, TypeError, msgpack.UnpackException) as error:
            raise ArtifactError(
                f"artifact {folder.name} is not an agent of lines ({AGENT_SCHEMA})",
                "the next selflow learn grows another",
            ) from error


def _outcomes(expert: TextExpert, lines: Sequence[OwnLine], *, learns: bool = True) -> LineOutcomes:
    return replay(expert, [(line.text, line.context) for line in lines], learns=learns)

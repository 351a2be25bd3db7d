"""Does each part of an agent earn its place? The whole against the whole without that part."""

from collections.abc import Mapping
from dataclasses import dataclass

from selflow.core.settings import GateSettings
from selflow.judge.blocks import Ids, sessions
from selflow.judge.gate import Floats, p_not_above


@dataclass(frozen=True, slots=True)
class PartVerdict:
    """What one part saves on the gate part, in bits per step of the agent's own slice."""

    gain_bits: float
    p: float
    """Of "it saves nothing", one-sided."""
    is_met: bool
    """Whether it earns its place by the gate's own demands."""


def judge_parts(
    ts_us: Ids,
    whole_bits: Floats,
    without_bits: Mapping[str, Floats],
    settings: GateSettings,
    alpha: float,
    seed: int,
) -> dict[str, PartVerdict]:
    """The verdict on each part, by its name. It chooses nothing: what an agent consists of was
    chosen before the gate part was opened.

    Args:
        ts_us: (n,), ascending, when each step of the agent's own slice was.
        whole_bits: (n,), -log2 p of what came, by the whole agent.
        without_bits: By the name of a part (n,), the same by the agent without it.
        settings: The gate's: a part is asked for ``min_gain_bits`` beyond chance, like the whole.
        alpha: The level of this opening.
        seed: Of the bootstrap.

    Cost: 2,000 draws per part, 10 ms for 2,000 steps.
    """
    session = sessions(ts_us)
    verdicts = {}
    for name, bits in without_bits.items():
        gain_bits = bits - whole_bits
        mean_bits, p = float(gain_bits.mean()), p_not_above(gain_bits, session, 0.0, seed)
        is_met = p <= alpha and mean_bits >= settings.min_gain_bits
        verdicts[name] = PartVerdict(mean_bits, p, is_met)
    return verdicts

"""Adapters that learned a new rule, before the real gate: what they save, and how true the stated
chances of the pool with them are.

One base that read another rule; of each planted stream the adapter that its train part gave in ten
epochs, judged on its gate part (``tests/lm/controls.py``). On some streams ten epochs teach it
little or nothing. Both calibration errors are beyond what chance shows.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from tests.lm.controls import STEPS, Control, base_of_another_rule, pool_before_gate
from tests.lm.worlds import planted_steps

SEEDS = (9, 11, 13, 15, 17)
ERRORS = ("ece_excess", "overconfidence")


def row(folder: Path, base: Path, seed: int) -> str:
    """A line of the table."""
    folder.mkdir()
    steps = planted_steps(STEPS, seed=seed)
    control = Control(folder, base, steps, pool_before_gate(folder, steps))
    judged = control.judge(control.adapter(steps))
    numbers = judged.numbers
    cells = [f"{numbers['slice_gain_bits']:.3f}", f"{numbers['slice_p']:.4f}"]
    cells += [f"{judged.figures[pool]['hit@1']:.3f}" for pool in ("without", "with")]
    cells += [f"{numbers[f'{e}_{pool}']:.3f}" for e in ERRORS for pool in ("without", "joined")]
    return f"| {seed} | {' | '.join(cells)} | {judged.decision} |"


def main() -> int:
    """Print the table; states no bound."""
    torch.set_num_threads(1)
    print(
        "| stream | gain, bits | p | hit@1 without | with | `ece_excess` without | with | "
        "`overconfidence` without | with | verdict |"
    )
    print(f"|{'---|' * 10}")
    with TemporaryDirectory() as name:
        folder = Path(name)
        base = base_of_another_rule(folder)
        for seed in SEEDS:
            print(row(folder / str(seed), base, seed), flush=True)
    return 0


sys.exit(main())

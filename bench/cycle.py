"""One whole cycle in a running session, on a planted stream that an agent can help with; then
memory at rest with it.

The stream is the control of ``tests/lm``: the next label follows from the third last, which no
count expert sees.
"""

import sys
import time

from bench._world import Rows, ingest, memory, own_root, seconds, selflow, show
from selflow.core.events import Event
from selflow.core.paths import Root
from selflow.core.steps import label_event
from selflow.store.reading import CatalogReader
from selflow.store.records import Stage, Verdict
from tests.lm.worlds import planted_steps

STEPS = 4_300
SETTINGS = "lm: {base_epochs: 4}\n"
SERVES_WITHIN_S = 60.0


def main() -> int:
    """Print one table; 1 if the agent did not pass, or did not answer in time."""
    with own_root(SETTINGS) as root:
        selflow("up", "--lean")
        selflow("init", "--grant", "ingest")
        ingest(
            root,
            [
                Event(each.ts_us, "bench", *label_event(each.labels[0]))
                for each in planted_steps(STEPS, seed=7)
            ],
        )
        rows = [
            (
                f"selflow learn, {STEPS:,} planted steps",
                f"{seconds(lambda: selflow('learn')):.0f} s",
            )
        ]
        rows += stages(root)
        (verdict,) = CatalogReader(root.catalog).learned(Verdict)
        numbers = verdict.numbers
        rows.append(
            (f"verdict: {verdict.decision}, gain per step", f"{numbers['slice_gain_bits']:.2f} bit")
        )
        rows.append(
            ("until the agent answers", f"{seconds(lambda: wait_until_served(root)):.1f} s")
        )
        rows += memory(root)
    show(rows)
    return int(verdict.decision != "passed")


def stages(root: Root) -> Rows:
    """Seconds of each stage."""
    found = CatalogReader(root.catalog).learned(Stage)
    return [
        (f"stage {each.name}", f"{(each.finished_at_us - each.started_at_us) / 1e6:.1f} s")
        for each in found
    ]


def wait_until_served(root: Root) -> None:
    """Return once an agent is among the models.

    Raises:
        TimeoutError: Not within ``SERVES_WITHIN_S``.
    """
    from selflow.sdk.client import Client

    client, deadline_s = (
        Client(environ={"SELFLOW_HOME": str(root.path)}),
        time.monotonic() + SERVES_WITHIN_S,
    )
    while not any(each.selflow.kind == "agent" for each in client.models()):
        if time.monotonic() > deadline_s:
            raise TimeoutError("no agent is among the models")
        time.sleep(0.1)


sys.exit(main())

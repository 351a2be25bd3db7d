"""The demo on a small part of its sample: every station really works, and nothing is left
running.
"""

import json

from tests.e2e.conftest import World


def test_every_station_of_the_demo_works(idle: World) -> None:
    done = idle.run("--json", "demo", "--rows", "800", limit_s=300)
    told = json.loads(done.stdout)

    assert {each["station"].strip(): each["ok"] for each in told["stations"]} == dict.fromkeys(
        [
            *(
                "start",
                "ingest",
                "learn",
                "represent",
                "discover",
                "base",
                "grow:everything",
                "judge:everything",
                "grow:shell-lines",
                "grow:commit-lines",
            ),
            *("serve", "predict", "route", "type", "lines", "compare", "end"),
        ],
        True,
    )
    assert done.returncode == 0
    assert done.stderr.rstrip().endswith("selflow demo --keep, then the command that it names")
    figures = told["figures"]
    assert {row["steps"] for row in figures["asked"].values()} == {25}
    assert {row["steps"] for row in figures["routed"].values()} == {25}
    assert "rrf" in figures["asked"]
    assert "log_loss_bits" not in figures["asked"]["pool"]
    assert {"fish", "mix", "mix_base"} <= set(told["lines"])
    assert told["lines"]["mix"]["keys_saved"] > told["lines"]["fish"]["keys_saved"] > 0

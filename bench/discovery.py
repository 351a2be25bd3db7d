"""Patterns in the bundled stream of real file events: seconds of each part, what is found, what
null data score.
"""

import statistics
import time

from actors.demo.sample import load
from selflow.core.settings import DiscoverSettings
from selflow.core.steps import Step, event_label
from selflow.discover.discover import cluster, conclude, null_score

SEEDS = (7, 1, 2)
NULLS = 5
TRAIN_FRACTION = 0.7
GUIDE_S = 90.0
"""Of the demo, for clustering and 5 null data sets; here in seconds of one core, whatever else runs
beside.
"""


def main() -> int:
    """Print one table of seeds and one of clusters; 1 if the guide of the demo was broken."""
    sample = load()
    steps = [
        Step(
            commit[0].ts_us,
            tuple(dict.fromkeys(event_label(event.kind, event.subject) for event in commit)),
        )
        for commit in (*sample.seen, *sample.held_out)
    ]
    train = steps[: int(TRAIN_FRACTION * len(steps))]
    settings = DiscoverSettings()
    longest_s, lines = 0.0, []
    print(
        f"{len(train):,} of {len(steps):,} steps; {settings.bootstraps} bootstraps of 5 "
        f"families, {NULLS} null sets\n"
    )
    print(
        "| seed | windows | cluster s | one null s | assign all s | k | S | S null | S* "
        "| C* | coverage | admitted |"
    )
    print("|" + "---|" * 12)
    for seed in SEEDS:
        began_s = time.process_time()
        clustered = cluster(train, settings, seed)
        cluster_s = time.process_time() - began_s
        nulls, null_s = [], []
        for number in range(NULLS):
            began_s = time.process_time()
            nulls.append(null_score(clustered, number))
            null_s.append(time.process_time() - began_s)
        longest_s = max(longest_s, cluster_s + sum(null_s))
        began_s = time.process_time()
        clustered.model.assign_before(steps)
        assign_s = time.process_time() - began_s
        found = conclude(clustered, nulls, settings)
        report = found.report
        print(
            f"| {seed} | {report.windows:,} | {cluster_s:.1f} | "
            f"{statistics.mean(null_s):.1f} | {assign_s:.1f} "
            f"| {report.k} | {report.s:.2f} | {report.s_null:.2f} | {report.s_star:.2f} "
            f"| {report.c_star:.2f} "
            f"| {report.coverage:.2f} | {', '.join(each.name for each in found.patterns)} |",
            flush=True,
        )
        lines += [
            f"| {seed} | {each.name} | {each.windows} | {each.events:,} | "
            f"{each.share:.3f} | {each.agreement:.2f} |"
            for each in clustered.patterns
            if each.agreement is not None
        ]
        lines.append(
            f"| {seed} | "
            + ", ".join(f"{name} {each['ari']:.2f}" for name, each in report.families.items())
            + " (ARI) | | | | |"
        )
    print("\n| seed | cluster | windows | events | share | agreement |\n" + "|---" * 6 + "|")
    print("\n".join(lines))
    return int(longest_s > GUIDE_S)


if __name__ == "__main__":
    raise SystemExit(main())

"""Prediction on the development streams, every expert beside every simple rule, and 100,000 rows
against the clock.

The streams are no part of the repository: ``BENCH_DATA`` names their folder.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

DATA = Path(os.environ.get("BENCH_DATA", "."))
STREAMS = {
    "git_pandoc.csv.gz": ["--time", "ts", "--label", "path", "--group", "commit"],
    "git_datasette.csv.gz": ["--time", "ts", "--label", "path", "--group", "commit"],
    "shell_training_other.csv.gz": [
        "--time",
        "ts",
        "--label",
        "cmd",
        "--user",
        "user",
        "--program",
    ],
}
RULES = ("pool", "rrf", "ipam", "markov1", "markov2", "most_recent", "most_frequent")
ROWS = 100_000
LIMIT_S = 300.0


def judge(path: Path, options: list[str]) -> tuple[dict[str, dict[str, float]], float, float]:
    """Figures of ``selflow eval stream``, its seconds and those of CPU that it took."""
    selflow = str(Path(sys.executable).with_name("selflow"))
    began_s, spent_s = time.perf_counter(), _cpu_s()
    done = subprocess.run(
        [selflow, "--json", "--quiet", "eval", "stream", str(path), *options],
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(done.stdout)["experts"], time.perf_counter() - began_s, _cpu_s() - spent_s


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def show(name: str, experts: dict[str, dict[str, float]], took_s: float, cpu_s: float) -> None:
    """One table."""
    print(f"### {name}, {experts['pool']['steps']:,} steps, {took_s:.0f} s, {cpu_s:.0f} s of CPU\n")
    print("| | hit@1 | hit@5 | log-loss bits | ece |\n|---|---|---|---|---|")
    for rule in RULES:
        own = experts[rule]
        print(
            f"| {rule} | {own['hit@1']:.3f} | {own['hit@5']:.3f} | "
            f"{own['log_loss_bits']:.2f} | {own['ece']:.3f} |"
        )
    print()


def main() -> int:
    """Print a table for each stream that is there; 1 if the made rows took longer than they may."""
    for name, options in STREAMS.items():
        if (DATA / name).is_file():
            show(name, *judge(DATA / name, options))
        else:
            print(f"### {name}: not on this machine\n")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.csv"
        body = "".join(f"{n * 60},f{n * n % 97}/{n % 1009}.py\n" for n in range(ROWS))
        path.write_text(f"ts,label\n{body}", encoding="utf-8")
        experts, took_s, cpu_s = judge(path, ["--time", "ts", "--label", "label"])
        show(f"{ROWS:,} made rows (limit {LIMIT_S:.0f} s)", experts, took_s, cpu_s)
    return int(took_s > LIMIT_S)


sys.exit(main())

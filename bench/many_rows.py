"""100,000 rows against the clock, with more labels than the pool keeps.

A label that the pool has forgotten is graded as one that came before, as the rules grade it.
"""

import sys
import tempfile
from pathlib import Path

from bench._streams import judge, show

ROWS = 100_000
LIMIT_S = 300.0


def main() -> int:
    """Print the table; 1 if it took longer than it may."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.csv"
        body = "".join(f"{n * 60},f{n * n % 97}/{n % 1009}.py\n" for n in range(ROWS))
        path.write_text(f"ts,label\n{body}", encoding="utf-8")
        experts, took_s, cpu_s = judge(path, ["--time", "ts", "--label", "label"])
    show(f"{ROWS:,} planted rows (limit {LIMIT_S:.0f} s)", experts, took_s, cpu_s)
    return int(took_s > LIMIT_S)


sys.exit(main())

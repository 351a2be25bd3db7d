"""Prediction on the development streams, the pool beside every simple rule."""

import sys

from bench._streams import DATA, judge, require, show

FILES = ["--time", "ts", "--label", "path", "--group", "commit"]
SHELL = ["--time", "ts", "--label", "cmd", "--user", "user", "--program"]
STREAMS = {
    "git_pandoc.csv.gz": FILES,
    "git_datasette.csv.gz": FILES,
    "shell_training_other.csv.gz": SHELL,
}


def main() -> int:
    """Print a table for each stream."""
    require(list(STREAMS))
    for name, options in STREAMS.items():
        show(name, *judge(DATA / name, options))
    return 0


sys.exit(main())

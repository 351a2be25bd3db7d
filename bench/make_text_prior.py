"""Make the shipped lines that text experts start from: the examples of tldr-pages.

Run: python -m bench.make_text_prior tldr_examples.csv.gz

Columns platform, tool, description, command. A placeholder becomes the word that a person would
type: of ``{{[-d|--decode]}}`` the short flag, of ``{{a|b}}`` the first choice, of
``{{path/to/file}}`` the last part. Each line ships once. The same file gives the same bytes.
"""

import csv
import gzip
import hashlib
import io
import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path

from bench.make_prior import PAGES_SHA256
from selflow.text.lines import MAX_LINE_BYTES
from selflow.text.shared_text import SHARED_FILE, encode_lines

NOTE = (
    "Examples of tldr-pages (https://github.com/tldr-pages/tldr, commit 08e345f42639, "
    "pages/common and pages/linux), by the tldr-pages contributors, CC BY 4.0 "
    "(https://creativecommons.org/licenses/by/4.0/). Changed: placeholders were replaced by plain "
    "words, references to other pages and repeated lines left out."
)
PLACEHOLDER = re.compile(r"\{\{(.*?)\}\}")


def plain(command: str) -> str:
    """A command with a word in the place of each placeholder.

    >>> plain("tar {{[-c|--create]}} --file={{path/to/target.tar}} {{gz|xz}}")
    'tar -c --file=target.tar gz'
    """
    return PLACEHOLDER.sub(lambda match: word_of(match[1]), command)


def word_of(placeholder: str) -> str:
    """What stands in the place of a placeholder."""
    first = placeholder.removeprefix("[").removesuffix("]").split("|")[0]
    return first.rstrip("/").rpartition("/")[2] if "path/to" in first else first


def lines_of(commands: Iterable[str]) -> list[bytes]:
    """The different lines, in order."""
    own = (plain(command).encode() for command in commands if not command.startswith("tldr "))
    return [line for line in dict.fromkeys(own) if b"\n" not in line and len(line) < MAX_LINE_BYTES]


def main() -> None:
    """Write the lines beside the code that loads them."""
    raw = Path(sys.argv[1]).read_bytes()
    if hashlib.sha256(raw).hexdigest() != PAGES_SHA256:
        print("other pages; the lines will differ", file=sys.stderr)
    rows = csv.DictReader(io.StringIO(gzip.decompress(raw).decode(), newline=""))
    data = encode_lines(lines_of(row["command"] for row in rows), NOTE)
    (Path(__file__).parent.parent / "selflow" / "text" / SHARED_FILE).write_bytes(data)
    print(json.dumps({"file": SHARED_FILE, "bytes": len(data)}))


if __name__ == "__main__":
    main()

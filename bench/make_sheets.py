"""Make bench/command_sheets.csv.gz: commands of two collections of examples under the MIT licence.

Run: pip download --no-deps --no-binary :all: eg==1.2.3 cheat==2.5.1
     python -m bench.make_sheets tldr_examples.csv.gz eg-1.2.3.tar.gz cheat-2.5.1.tar.gz

Columns: sheet, command. Of a sheet the lines are taken that begin with a program that has a page in
tldr-pages or a sheet of its own: what is left out is output and prose. The same files give the same
bytes.
"""

import csv
import gzip
import io
import json
import re
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

SHEETS = Path(__file__).parent / "command_sheets.csv.gz"
_EG = re.compile(r"/eg/examples/([^/]+)\.md$")
_CHEAT = re.compile(r"/cheat/cheatsheets/([^/._]+)$")
_CODE = "    "
"""What an example of eg is indented by."""
_PLACEHOLDER = re.compile(r"<([\w.-]+)>|\[([\w.-]+)\]")
_PATH = re.compile(r"/?(?:path/to|path)/(?=\w)")
_COMMENT = re.compile(r"\s+#\s.*$")
_BEFORE = {"sudo", "$"}


def eg_lines(text: str) -> Iterator[str]:
    """Examples of a page of eg."""
    return (line.strip() for line in text.splitlines() if line.startswith(_CODE))


def cheat_lines(text: str) -> Iterator[str]:
    """Examples of a sheet of cheat."""
    return (line.strip() for line in text.splitlines() if not line.startswith("#"))


def plain_command(line: str) -> str:
    """A command without comment and prompt, with a word in the place of each placeholder.

    >>> plain_command("$ tar xzf <file.tgz> -C /path/to/folder  # unpack")
    'tar xzf file.tgz -C folder'
    """
    plain = _COMMENT.sub("", line.removeprefix("$ "))
    plain = _PLACEHOLDER.sub(lambda match: match[1] or match[2], plain)
    return _PATH.sub("", plain).strip()


def sheets_of(path: Path) -> dict[str, list[str]]:
    """Lines of each sheet in a source archive of eg or cheat."""
    sheets: dict[str, list[str]] = {}
    with tarfile.open(path) as archive:
        for member in sorted(archive.getmembers(), key=lambda member: member.name):
            for pattern, lines_of in ((_EG, eg_lines), (_CHEAT, cheat_lines)):
                match = pattern.search(member.name)
                file = archive.extractfile(member) if match and member.isfile() else None
                if match and file is not None:
                    text = file.read().decode()
                    sheets.setdefault(match[1], []).extend(map(plain_command, lines_of(text)))
    return sheets


def main() -> None:
    """Write the commands beside this module."""
    with gzip.open(sys.argv[1], "rt", encoding="utf-8", newline="") as file:
        programs = {row["tool"] for row in csv.DictReader(file)}
    sheets: dict[str, list[str]] = {}
    for path in sys.argv[2:]:
        for sheet, lines in sheets_of(Path(path)).items():
            sheets.setdefault(sheet, []).extend(lines)
    programs |= set(sheets)
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["sheet", "command"])
    n = 0
    for sheet in sorted(sheets):
        for line in dict.fromkeys(sheets[sheet]):
            words = [word for word in line.split()[:2] if word not in _BEFORE]
            if words and words[0] in programs and len(line.split()) > 1:
                writer.writerow([sheet, line])
                n += 1
    SHEETS.write_bytes(gzip.compress(table.getvalue().encode(), mtime=0))
    print(json.dumps({"file": SHEETS.name, "commands": n, "bytes": SHEETS.stat().st_size}))


if __name__ == "__main__":
    main()

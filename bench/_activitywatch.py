"""What the published package of ActivityWatch's server tells of its web page.

The wheel of aw-server on PyPI is read, not installed: where the scripts that its page names are not
in it, that page cannot be shown, and only the sizes in the build report beside it remain.
"""

import json
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

PACKAGE = "aw-server==0.12.0"
_STATIC = "aw_server/static/"
_SCRIPT = re.compile(r'<script[^>]* src="/([^"]+)"')
_CHUNKS = re.compile(r"window\.chartData = (\[.*?\]);\s*window", re.DOTALL)
_TITLE = re.compile(r"<title>([^<]+)</title>")


def facts() -> list[tuple[str, str]]:
    """What is compared, and the figure or why there is none."""
    with tempfile.TemporaryDirectory(prefix="sf-bench-", dir="/tmp") as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        done = subprocess.run([*command, "--dest", folder, PACKAGE], check=False)
        wheels = list(Path(folder).glob("*.whl"))
        if done.returncode or not wheels:
            return [("ActivityWatch's page", f"not compared: pip cannot download {PACKAGE}")]
        with zipfile.ZipFile(wheels[0]) as wheel:
            return _of_wheel(wheel)


def _of_wheel(wheel: zipfile.ZipFile) -> list[tuple[str, str]]:
    held = set(wheel.namelist())
    scripts = _SCRIPT.findall(wheel.read(f"{_STATIC}index.html").decode())
    present = sum(f"{_STATIC}{script}" in held for script in scripts)
    report = wheel.read(f"{_STATIC}report.html").decode()
    title, chunks = _TITLE.search(report), _CHUNKS.search(report)
    rows = [
        (
            f"ActivityWatch's page in {PACKAGE}",
            f"{present} of the {len(scripts)} scripts that it names are in the wheel",
        )
    ]
    if title and chunks:
        # The same scripts by the name before the content's hash: the report is of another build
        first = {script.rpartition("/")[2].partition(".")[0] for script in scripts}
        sizes = [
            (chunk["parsedSize"], chunk["gzipSize"])
            for chunk in json.loads(chunks[1])
            if chunk["label"].rpartition("/")[2].partition(".")[0] in first
        ]
        plain, packed = (sum(column) / 1e3 for column in zip(*sizes, strict=True))
        rows.append(
            (
                f"those scripts by its build report ({title[1].strip()})",
                f"{plain:,.0f} kB, {packed:,.0f} kB with gzip",
            )
        )
    return rows

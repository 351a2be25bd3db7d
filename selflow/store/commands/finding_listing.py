"""What ``selflow init`` finds on the machine: by every plugin that finds something."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast

from selflow.core.findings import FINDINGS, Finding
from selflow.core.plugins import installed, load

Find = Callable[[Path, Path], Iterable[Finding]]


def find_all() -> list[Finding]:
    """Everything that is found below the home folder. Nothing is written that stays."""
    findings: list[Finding] = []
    with TemporaryDirectory(prefix="selflow-") as copies:
        for points in installed(FINDINGS).values():
            find = cast("Find", load(points, "finding"))
            findings += find(Path.home(), Path(copies))
    return findings


def document_of(findings: Iterable[Finding]) -> dict[str, list[dict[str, str | int]]]:
    """In the shape of ``selflow init --find --json``."""
    return {
        "found": [
            {
                "kind": finding.kind,
                "location": finding.location,
                "count": finding.count,
                "unit": finding.unit,
                "next_step": finding.next_step,
            }
            for finding in findings
        ]
    }


def lines_of(findings: Iterable[Finding]) -> Iterator[str]:
    """For a person."""
    kind = ""
    for finding in findings:
        if finding.kind != kind:
            kind = finding.kind
            yield kind
        yield f"  {finding}"
    yield "nothing was stored; to allow a kind: selflow init" if kind else "nothing was found"

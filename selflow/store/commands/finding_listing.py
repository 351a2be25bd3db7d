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
                "kind": each.kind,
                "place": each.place,
                "count": each.count,
                "unit": each.unit,
                "next_step": each.next_step,
            }
            for each in findings
        ]
    }


def lines_of(findings: Iterable[Finding]) -> Iterator[str]:
    """For a person."""
    kind = ""
    for each in findings:
        if each.kind != kind:
            kind = each.kind
            yield kind
        yield f"  {each}"
    yield "nothing was stored; to allow a kind: selflow init" if kind else "nothing was found"

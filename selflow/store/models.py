"""The models on this machine as one tree: bases, what stands on each, what it takes on the disk,
and which of it may be deleted. Reads the catalog with the bare driver; no SQLAlchemy here.
"""

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from selflow.core.clock import rfc3339
from selflow.store.reading import CatalogReader
from selflow.store.records import (
    AgentVersion,
    Artifact,
    Base,
    Cycle,
    Decision,
    Parent,
    Verdict,
    version_of,
)

TINY = "selflow-tiny"
LINES = "byte model of lines"
_ANSWERS = 10


def models_document(reader: CatalogReader, artifacts: Path) -> dict[str, Any]:
    """Bases, newest first, each followed by the versions that stand on it; and the disk.

    Args:
        reader: Of the catalog.
        artifacts: The folder of the artifact store.
    """
    known = {row.sha256: row for row in reader.learned(Artifact)}
    bases = sorted(reader.learned(Base), key=lambda base: -base.created_at_us)
    versions = sorted(reader.learned(AgentVersion), key=lambda version: -version.created_at_us)
    verdicts = {row.id: row for row in reader.learned(Verdict)}
    upto = {row.id: row.upto_seq for row in reader.learned(Cycle)}
    items, made_from = [], _made_from(reader)
    for sha256, base in _all_bases(bases, versions).items():
        on_it = [version for version in versions if version.base_sha256 == sha256]
        standing = [version for version in on_it if not version.is_gone]
        items.append(
            {
                **_on_disk(sha256, known, artifacts),
                **_base(sha256, base),
                "made_from": made_from.get(sha256, []),
                "last_seq": upto.get(base.cycle_id) if base else None,
                "kept_because": why_base_stays(base, standing),
            }
        )
        for version in on_it:
            verdict = verdicts[version.verdict_id]
            items.append(
                {
                    **_on_disk(version.sha256, known, artifacts),
                    **_adapter(version, base, verdict),
                    "made_from": made_from.get(version.sha256, []),
                    "last_seq": upto.get(version.cycle_id),
                    "kept_because": why_version_stays(version),
                }
            )
    return {"items": items, "disk": _disk(known, artifacts), "next": None}


def _made_from(reader: CatalogReader) -> dict[str, list[str]]:
    """By artifact what its lineage records: numbers of events of the log, which no other event gets
    again, and hashes of artifacts, each the SHA-256 of the names and contents of its files.
    """
    known: dict[str, list[str]] = {}
    for parent in reader.learned(Parent):
        is_span = parent.kind != "artifact"
        span = f"{parent.kind} {parent.first_seq} to {parent.last_seq}"
        known.setdefault(parent.child, []).append(span if is_span else f"sha256:{parent.id}")
    return known


def why_base_stays(base: Base | None, on_it: Iterable[AgentVersion]) -> str:
    """Why a base may not be deleted; empty if it may."""
    if base is None:
        return "it belongs to what stands on it"
    if base.is_current:
        return "new agents are grown on it"
    return "agents stand on it" if any(on_it) else ""


def why_version_stays(version: AgentVersion) -> str:
    """Why a version may not be deleted; empty if it may."""
    if version.status == "champion":
        return "it serves"
    return "it is deleted already" if version.is_gone else ""


def answered_at(reader: CatalogReader, at_us: int) -> list[dict[str, Any]]:
    """The newest answers up to a moment, newest first: who gave each, and how it was chosen."""
    items = []
    for decision in reader.newest(Decision, _ANSWERS, (at_us + 1, "")):
        routing: Mapping[str, Any] = decision.routing or {}
        items.append(
            {
                "id": decision.id,
                "at": rfc3339(decision.at_us),
                "mode": decision.mode,
                "arm": str(routing.get("arm", "pool")),
                "surface": routing.get("surface"),
                "propensity": routing.get("propensity"),
                "is_explored": bool(routing.get("explored", False)),
            }
        )
    return items


def _all_bases(bases: Iterable[Base], versions: Iterable[AgentVersion]) -> dict[str, Base | None]:
    """Every base that is known or stood on; agents of lines stand on one that no cycle makes."""
    trained: dict[str, Base | None] = {base.sha256: base for base in bases}
    return trained | {v.base_sha256: None for v in versions if v.base_sha256 not in trained}


def _on_disk(sha256: str, known: Mapping[str, Artifact], artifacts: Path) -> dict[str, Any]:
    is_here = (artifacts / sha256).is_dir()
    size_bytes = known[sha256].size_bytes if is_here and sha256 in known else 0
    return {"artifact": f"sha256:{sha256}", "size_bytes": size_bytes, "is_on_disk": is_here}


def _base(sha256: str, base: Base | None) -> dict[str, Any]:
    name = base.name if base else LINES
    return {
        "id": sha256,
        "name": name,
        "version": version_of(sha256),
        "kind": "base",
        "base_id": None,
        "surface": None,
        "cycle_id": base.cycle_id if base else None,
        "status": "current" if base is None or base.is_current else "superseded",
        "licence": _licence(name),
        "decision": None,
        "numbers": {},
        "created_at": rfc3339(base.created_at_us) if base else None,
    }


def _adapter(version: AgentVersion, base: Base | None, verdict: Verdict) -> dict[str, Any]:
    numbers = {
        name: value for name, value in verdict.numbers.items() if isinstance(value, int | float)
    }
    return {
        "id": version.id,
        "name": version.agent,
        "version": version.version,
        "kind": "adapter",
        "base_id": version.base_sha256,
        "surface": version.surface,
        "cycle_id": version.cycle_id,
        "status": version.status,
        "licence": _licence(base.name if base else LINES),
        "decision": verdict.decision,
        "numbers": numbers,
        "created_at": rfc3339(version.created_at_us),
    }


def _licence(base_name: str) -> str:
    """What its weights may be used for; what was trained here is the owner's."""
    if base_name in {TINY, LINES}:
        return "yours; what was shipped of it: see NOTICE"
    return "Apache-2.0" if "SmolLM2" in base_name else "see the model's own card"


def _disk(known: Mapping[str, Artifact], artifacts: Path) -> dict[str, Any]:
    kinds: dict[str, int] = {}
    for artifact in known.values():
        if (artifacts / artifact.sha256).is_dir():
            kinds[artifact.kind] = kinds.get(artifact.kind, 0) + artifact.size_bytes
    free_bytes = shutil.disk_usage(artifacts).free if artifacts.is_dir() else 0
    return {"size_bytes": sum(kinds.values()), "by_kind": kinds, "free_bytes": free_bytes}

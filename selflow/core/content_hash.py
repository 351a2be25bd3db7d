"""The hash by which folders of files are addressed: artifacts, bases, adapters.

It is the SHA-256 of the manifest: one line ``<sha256 of the file>  <relative name>`` per file,
sorted by name. Changing that changes every hash.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path


def file_hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below ``folder`` by its relative name, sorted. Cost: reads all."""
    hashes = {}
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                hashes[path.relative_to(folder).as_posix()] = hashlib.file_digest(
                    file, "sha256"
                ).hexdigest()
    return dict(sorted(hashes.items()))


def manifest_sha256(hashes: Mapping[str, str]) -> str:
    """The hash of a folder with these files."""
    lines = "".join(f"{sha256}  {name}\n" for name, sha256 in hashes.items())
    return hashlib.sha256(lines.encode()).hexdigest()


def folder_sha256(folder: Path) -> str:
    """The hash of a folder as it is now."""
    return manifest_sha256(file_hashes(folder))

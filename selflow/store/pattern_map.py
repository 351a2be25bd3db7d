"""The map of the newest discovery as it lies among the artifacts. Reads bytes; imports no numpy."""

import json
import re
from typing import Any

from selflow.core.paths import Root
from selflow.store.reading import CatalogReader
from selflow.store.records import Stage

_DOCUMENT, _VIEW = "map.json", re.compile(r"[a-z]+")


class PatternMap:
    """The newest finished discovery's map; one that was made before there were maps has none."""

    def __init__(self, reader: CatalogReader, root: Root) -> None:
        done = [
            stage
            for stage in reader.learned(Stage, name="discover")
            if stage.finished_at_us and stage.sha256
        ]
        newest = max(done, key=lambda stage: stage.started_at_us, default=None)
        self._cycle_id = newest.cycle_id if newest else ""
        self._folder = root.artifacts / (newest.sha256 or "") if newest else None

    def document(self) -> dict[str, Any] | None:
        """What is said beside the map: method, views, names, and how far families agree."""
        content = self._read(_DOCUMENT)
        return None if content is None else {"cycle_id": self._cycle_id, **json.loads(content)}

    def points(self, view: str) -> bytes | None:
        """The points of a view, 10 bytes each: Float32 x and y, Int16 number of the cluster."""
        return self._read(f"map-{view}.bin") if _VIEW.fullmatch(view) else None

    def _read(self, name: str) -> bytes | None:
        if self._folder is None:
            return None
        try:
            return (self._folder / name).read_bytes()
        except FileNotFoundError:
            return None

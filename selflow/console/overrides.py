"""Runtime overrides of settings: checked as a whole with all other layers, audited, written."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from selflow.core.catalog_location import CatalogLocation
from selflow.core.config import Loaded
from selflow.core.config_files import changed_overrides, write_overrides
from selflow.core.events import Json
from selflow.core.paths import Root
from selflow.store.row_writer import writing

Check = Callable[[Mapping[str, Any]], Loaded]
"""All layers with these runtime overrides; raises ConfigError if they contradict each other."""


def override(
    root: Root,
    catalog: CatalogLocation,
    changes: Mapping[str, Any],
    check: Check,
    now_us: int,
    actor: str,
) -> Loaded:
    """Set overrides, or remove those whose value is None: all of them, or none.

    The audit log names the keys, not the values: a rule of redaction may itself tell a secret.

    Raises:
        ConfigError: A key or a value is wrong, alone or with the other layers.
        StoreError: The catalog refuses the entry; the file stays as it was.
    """
    before = changed_overrides(root, {})
    wanted = changed_overrides(root, changes)
    loaded = check(wanted)
    if isinstance(catalog, Path) and not catalog.exists():
        write_overrides(root, wanted)  # nothing has run here yet: there is no audit log
        return loaded
    details: dict[str, Json] = {
        "set": [key for key, value in sorted(changes.items()) if value is not None],
        "reset": [key for key, value in sorted(changes.items()) if value is None],
    }
    try:
        with writing(catalog) as rows:
            rows.audit(now_us, actor, "settings.change", "", details)
            write_overrides(root, wanted)
    except BaseException:
        write_overrides(root, before)
        raise
    return loaded

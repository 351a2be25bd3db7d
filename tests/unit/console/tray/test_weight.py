"""The tray is small."""

import pytest

from tests.unit.console.at_rest import loaded_at_rest


@pytest.mark.slow
def test_the_tray_loads_nothing_heavy() -> None:
    loaded = loaded_at_rest("selflow.console.tray", "selflow.console.tray.linux")

    assert {"selflow.console.tray.process", "dbus_fast"} <= loaded
    assert loaded.isdisjoint({"ssl", "html", "pydantic", "typer", "fastapi", "numpy", "psutil"})

"""The page about the command line says what the commands say."""

import pytest

from tests.unit.console.manual import PATH, manual


def test_the_page_is_what_the_commands_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")

    assert PATH.read_text(encoding="utf-8") == manual(), (
        "make it anew: python -m tests.unit.console.manual"
    )

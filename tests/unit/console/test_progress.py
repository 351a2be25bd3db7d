"""Progress is for a person who watches."""

import sys
from dataclasses import replace

import pytest

from selflow.console.cli.invoke import make_invocation
from selflow.console.cli.progress import progress
from selflow.core.paths import Root


@pytest.mark.parametrize(
    ("is_terminal", "is_quiet", "shows"),
    [(True, False, True), (False, False, False), (True, True, False)],
)
def test_a_bar_needs_a_terminal_and_no_quiet(
    root: Root,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    is_terminal: bool,
    is_quiet: bool,
    shows: bool,
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: is_terminal, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    with progress(replace(make_invocation(set()), is_quiet=is_quiet), "reading") as show:
        show(1, 2)
        show(2, 2)
    captured = capsys.readouterr()

    assert ("reading" in captured.err) is shows
    assert captured.out == ""

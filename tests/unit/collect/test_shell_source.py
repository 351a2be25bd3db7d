"""The history source beside the companion: nothing is stored twice, nothing older is lost."""

import os
from pathlib import Path

from selflow.collect.companion.sections import at_root
from selflow.collect.shell_source import ShellHistorySource, from_settings
from selflow.core.paths import Root
from selflow.core.settings import Settings
from selflow.testing import ManualClock
from selflow.testing.sources import Recorder

INSTALLED_S = 1_767_225_600


def followed(tmp_path: Path, history: str) -> tuple[ShellHistorySource, Path, Root]:
    """A source that follows an empty history, made as the collector makes it."""
    path = tmp_path / history
    path.touch()
    root = Root(tmp_path / "root", tmp_path / "root")
    settings = Settings.model_validate(
        {"data_sources": [{"type": "shell_history", "paths": [str(path)]}]}
    )
    (section,) = at_root(settings.data_sources, root)
    return from_settings(section, ManualClock(), str(tmp_path)), path, root  # type: ignore[arg-type]


def install(root: Root, shell: str) -> None:
    root.shell_hooks.mkdir(parents=True)
    script = root.shell_hooks / f"selflow.{shell}"
    script.touch()
    os.utime(script, (INSTALLED_S, INSTALLED_S + 0.9))


def look(source: ShellHistorySource, path: Path, content: str) -> list[str]:
    """What the source emits of a content that is written while it runs."""
    recorder = Recorder()
    source.start(recorder)
    with path.open("a") as file:
        file.write(content)
    source.stop()
    return [event.subject for event in recorder.events]


TIMED = f": {INSTALLED_S - 1}:0;before\n: {INSTALLED_S}:0;after\n"


def test_of_a_shell_with_the_hook_only_what_came_before_it_is_emitted(tmp_path: Path) -> None:
    source, path, root = followed(tmp_path, "zsh_history")
    install(root, "zsh")
    root.shell_spool.mkdir(parents=True)

    assert look(source, path, TIMED) == ["before"]


def test_other_shells_are_followed_as_before(tmp_path: Path) -> None:
    source, path, root = followed(tmp_path, "zsh_history")
    install(root, "bash")
    root.shell_spool.mkdir(parents=True)

    assert look(source, path, TIMED) == ["before", "after"]


def test_a_hook_that_may_not_write_replaces_no_history(tmp_path: Path) -> None:
    source, path, root = followed(tmp_path, "zsh_history")
    install(root, "zsh")

    assert look(source, path, TIMED) == ["before", "after"]


def test_commands_without_a_time_count_as_old_as_their_file(tmp_path: Path) -> None:
    source, path, root = followed(tmp_path, "bash_history")
    install(root, "bash")
    root.shell_spool.mkdir(parents=True)

    assert look(source, path, "ls\n") == []


def test_what_is_written_while_the_source_is_stopped_is_not_read_later(tmp_path: Path) -> None:
    source, path, _ = followed(tmp_path, "bash_history")
    look(source, path, "before\n")
    with path.open("a") as file:
        file.write("in the pause\n")
    again, path, _ = followed(tmp_path, "bash_history")

    assert look(again, path, "after\n") == ["after"]

"""Every command line that a page or a hint names exists, with its options."""

import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest

from selflow.console.cli.app import LazyGroup
from tests.unit.house.rules import HERE, module_texts

_PAGES = [HERE / "README.md", HERE / "CONTRIBUTING.md", *sorted((HERE / "docs").glob("*.md"))]
_IN_TEXT = re.compile(r"`(selflow [^`\n]+)`")
_IN_BLOCK = re.compile(r"^(selflow [^#\n]+)", re.MULTILINE)
_IN_HINT = re.compile(
    r"(?:: |see |run |\")(selflow [a-z]+(?: (?!lists\b|says\b)[a-z]+)?(?: --[a-z-]+)*)"
)
"""A hint may begin with the command and go on as a sentence: what it lists, or says."""
_GLOBAL = {"--home", "--config", "--profile", "--json", "--quiet", "--no-color", "--help"}
_TAKES_VALUE = {"--home", "--config", "--profile"}


def named_command_lines() -> Iterator[tuple[str, str]]:
    """Where it stands, and the command line."""
    for page in _PAGES:
        text = page.read_text(encoding="utf-8")
        if page.name == "cli.md":
            continue  # made from the commands themselves
        for pattern in (_IN_TEXT, _IN_BLOCK):
            for match in pattern.finditer(text):
                yield page.name, match.group(1).strip()
    for path, text in module_texts(HERE):
        for match in _IN_HINT.finditer(text):
            yield str(path), match.group(1)


def unknown_words(line: str) -> list[str]:
    """What of a command line is neither a command nor an option of it; arguments are anything."""
    words = shlex.split(line)[1:]
    options = []
    while words and words[0].startswith("-"):
        options.append(words.pop(0))
        if options[-1] in _TAKES_VALUE and words:
            words.pop(0)
    group = LazyGroup(name="selflow")
    if not words or words[0] not in group.list_commands(None):
        return words[:1] or ["no command"]
    command: Any = group.get_command(None, words.pop(0))
    below = getattr(command, "commands", {})
    if below and words and not words[0].startswith("-"):
        if words[0] in below:
            command = below[words.pop(0)]
        elif words[0].islower():
            return [words[0]]
    known = {option for param in command.params for option in (*param.opts, *param.secondary_opts)}
    options += [word.partition("=")[0] for word in words if word.startswith("--")]
    return [option for option in options if option not in known | _GLOBAL]


@pytest.mark.parametrize(("where", "line"), sorted(set(named_command_lines())))
def test_a_named_command_exists_with_its_options(where: str, line: str) -> None:
    assert unknown_words(line) == [], f"{where} names: {line}"


def test_a_command_or_option_that_does_not_exist_is_found() -> None:
    assert unknown_words("selflow fly") == ["fly"]
    assert unknown_words("selflow up --wings") == ["--wings"]
    assert unknown_words("selflow config fly") == ["fly"]
    assert unknown_words("selflow --home DIR eval stream FILE --time ts") == []

"""Whatever else hooks into a shell goes on as before, and the prompt looks as before."""

import os
from pathlib import Path

import pytest

from tests.unit.shells.homes import Home
from tests.unit.shells.terminal import PROMPT, Terminal

# Each starts a shell in a terminal.
pytestmark = pytest.mark.slow

COLOURED = {
    "bash": r"PS1=$'\\[\e[1;32m\\]\x01\x02 READY> \\[\e[0m\\]'" + "\n",
    "zsh": "PS1=$'%{\\e[1;32m%}\\a READY> %{\\e[0m%}'\n",
    "fish": "function fish_prompt; printf '\\e[1;32m\\a READY> \\e[0m'; end\n",
}


def _asked(terminal: Terminal, line: str) -> str:
    return terminal.run(line).strip()


def test_the_commands_of_bash_s_prompt_see_the_status_and_still_run(at_home: Home) -> None:
    at_home.allow()
    terminal = at_home.start("bash", "PROMPT_COMMAND='seen=$?'\n")
    terminal.run("(exit 7)")

    assert _asked(terminal, "echo $seen") == "7"
    assert at_home.commands() == ["(exit 7)", "echo $seen"]


def test_a_list_of_prompt_commands_stays_one(at_home: Home) -> None:
    at_home.allow()
    terminal = at_home.start("bash", "PROMPT_COMMAND=('one=$?' 'two=$?')\n")
    terminal.run("(exit 7)")

    assert _asked(terminal, "echo $one$two ${#PROMPT_COMMAND[@]}") == "77 3"
    assert at_home.records()[0][4] == "7"


def test_a_debug_trap_of_bash_goes_on(at_home: Home) -> None:
    at_home.allow()
    trap = """trap '[[ $BASH_COMMAND == echo* ]] && seen+="<$BASH_COMMAND>"' DEBUG\n"""
    terminal = at_home.start("bash", trap)
    terminal.run("echo a")

    assert _asked(terminal, 'printf %s "$seen"') == "<echo a>"
    assert at_home.commands()[0] == "echo a"


BEFORE_AND_AFTER = r"""
__bp_precmd_invoke_cmd() { __bp_last_ret_value=$?; true; }
__bp_interactive_mode() { mode=on; }
PROMPT_COMMAND=$'__bp_precmd_invoke_cmd\n'$PROMPT_COMMAND$'\n__bp_interactive_mode'
called() {
  [[ $mode ]] || return 0
  mode=
  [[ $'\n'$PROMPT_COMMAND$'\n' == *$'\n'$1$'\n'* ]] || seen+="<$1>"
}
trap 'called "$BASH_COMMAND"' DEBUG
"""
"""What bash-preexec does when it is loaded: it stands around what was there."""


def test_bash_preexec_sees_each_command_and_we_see_its_status(at_home: Home) -> None:
    at_home.allow()
    terminal = at_home.start("bash", after=BEFORE_AND_AFTER)
    terminal.run("true")
    terminal.run("(exit 7)")
    terminal.run("")
    terminal.run("true one")

    assert _asked(terminal, 'printf %s "$seen"').startswith("<true>")
    assert _asked(terminal, 'printf %s "$seen"').count("<true one>") == 1
    assert "_selflow" not in _asked(terminal, 'printf %s "$seen"')
    assert [record[4] for record in at_home.records()[:3]] == ["0", "7", "0"]


PREEXEC = Path(os.environ.get("BASH_PREEXEC", "/usr/local/share/bash-preexec/bash-preexec.sh"))
MINE = """
preexec() { seen+="<$1>"; }
precmd() { codes+="$?,"; }
"""


@pytest.mark.parametrize("order", ["before", "behind"])
def test_the_real_bash_preexec_sees_each_command_and_we_do_too(at_home: Home, order: str) -> None:
    if not PREEXEC.exists():
        missing = f"{PREEXEC} is missing: bash-preexec, for example from the wheel bashhub"
        pytest.fail(missing) if os.environ.get("CI") == "true" else pytest.skip(missing)
    at_home.allow()
    loaded = f"source '{PREEXEC}'\n{MINE}"
    rc, after = (loaded, "") if order == "before" else ("", loaded)
    terminal = at_home.start("bash", rc, after)
    terminal.run("true one")
    terminal.run("false")
    terminal.run("echo a b")
    seen = _asked(terminal, 'printf %s "$seen$codes"')

    assert seen.startswith("<true one><false><echo a b>")
    assert seen.endswith("0,1,0,")
    assert "_selflow" not in seen
    assert at_home.commands()[:3] == ["true one", "false", "echo a b"]
    assert [record[4] for record in at_home.records()[:3]] == ["0", "1", "0"]


def test_what_another_program_shows_before_a_command_is_still_shown(at_home: Home) -> None:
    at_home.allow()
    terminal = at_home.start("bash", "PS0='[start]'\n")

    assert terminal.run("echo a") == "\r[start]a\r\n"


def test_bash_with_strict_settings_records_too(at_home: Home) -> None:
    at_home.allow()
    terminal = at_home.start(
        "bash", after="set -u\nset -o noclobber\nIFS=:\nHISTTIMEFORMAT='%F '\n"
    )
    shown = terminal.run("echo a")
    terminal.run("echo b")

    assert shown.strip() == "a"
    assert at_home.commands() == ["echo a", "echo b"]


def test_another_shell_s_lines_that_bash_merges_are_not_taken_for_its_own(at_home: Home) -> None:
    at_home.allow()
    rc = "HISTFILE=~/h\nPROMPT_COMMAND='history -a; history -n'\n"
    terminal = at_home.start("bash", rc)
    terminal.run("echo a")
    with (at_home.path / "h").open("a") as file:
        file.write("echo foreign\n")
    terminal.run("echo b")
    terminal.run(" echo hidden")

    assert at_home.commands() == ["echo a", "echo b"]


def test_functions_of_zsh_around_a_command_see_status_and_line(at_home: Home) -> None:
    at_home.allow()
    rc = (
        "preexec() { line=$1 }\nprecmd() { code=$? }\nprecmd_functions=(mine)\nmine() { more=$? }\n"
    )
    terminal = at_home.start("zsh", rc)
    terminal.run("(exit 7)")

    assert _asked(terminal, "print $code$more $line").endswith("77 print $code$more $line")
    assert at_home.records()[0][4] == "7"


def test_options_of_zsh_change_nothing(at_home: Home) -> None:
    at_home.allow()
    options = "setopt ksh_arrays sh_word_split no_unset err_return noclobber hist_ignore_space\n"
    terminal = at_home.start("zsh", after=options)
    shown = terminal.run("echo a")
    terminal.run("echo b")

    assert shown.strip() == "a"
    assert at_home.commands() == ["echo a", "echo b"]


def test_events_of_fish_go_on(at_home: Home) -> None:
    at_home.allow()
    rc = 'function mine --on-event fish_postexec; set -g seen "$status $argv"; end\n'
    terminal = at_home.start("fish", rc)
    terminal.run("false")

    assert "1 false" in terminal.run("echo $seen")
    assert at_home.commands()[0] == "false"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_prompt_with_control_characters_looks_as_before(at_home: Home, shell: str) -> None:
    bare = at_home.start(shell, COLOURED[shell], is_hooked=False)
    before = bare.expect_prompt_again()
    at_home.allow()
    recording = at_home.start(shell, COLOURED[shell])
    after = recording.expect_prompt_again()
    recording.run("echo a")

    assert after == before
    assert at_home.commands() == ["echo a"]
    assert PROMPT.encode() in after

"""Suggestions while one types, in real shells, from a server that answers, stalls, lies and
dies.
"""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from psutil import pid_exists

from selflow.collect.companion.hooks import BUDGET_S
from tests.unit.shells.homes import Home
from tests.unit.shells.terminal import PROMPT, Terminal
from tests.waiting import wait_until

# Each starts a shell in a terminal.
pytestmark = pytest.mark.slow

LINES = {"echo h": "echo hello", "echo é": "echo écrire", "echo st": "echo still here"}
KEY, RIGHT, END, TAB = "\0", "\x1b[C", "\x05", "\t"
GREY = "\x1b[90m"
AUTOSUGGESTIONS = Path("/usr/share/zsh-autosuggestions/zsh-autosuggestions.zsh")
HIGHLIGHTING = Path("/usr/share/zsh-syntax-highlighting/zsh-syntax-highlighting.zsh")


def offer(terminal: Terminal, shell: str, typed: str, rest: str) -> None:
    """Type, and wait until the suggestion is there: drawn by zsh, put into the line by the key of
    the others.
    """
    terminal.keys(typed)
    if shell == "zsh":
        terminal.expect(GREY + rest, raw=True)
    else:
        terminal.expect(typed[-1])
        terminal.keys(KEY)
        terminal.expect(rest)


def enter(terminal: Terminal, keys: str = "") -> None:
    terminal.keys(keys + "\r")
    terminal.expect("\n")
    terminal.expect(PROMPT)


def _back_and_forth(terminal: Terminal) -> None:
    """One step left and right: what was there to read is read afterwards."""
    terminal.keys("\x02")
    terminal.expect("\b", raw=True)
    terminal.keys("\x06")
    terminal.expect("\x1b[1C", raw=True)


def said(home: Home) -> list[tuple[str, str]]:
    return [(record[-1], record[-2]) for record in home.records()]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_accepted_edited_and_ignored_stand_in_the_record(
    at_home: Home, tool: Callable[[str], str], shell: str
) -> None:
    tool("curl")
    at_home.allow()
    server = at_home.serve(LINES)
    take, leave = (RIGHT, "") if shell == "zsh" else ("", KEY)
    terminal = at_home.start(shell)
    offer(terminal, shell, "echo h", "ello")
    enter(terminal, take)
    offer(terminal, shell, "echo h", "ello")
    enter(terminal, take + " you")
    offer(terminal, shell, "echo h", "ello")
    enter(terminal, take + "\x7f you")
    offer(terminal, shell, "echo é", "crire")
    enter(terminal, leave + "t")
    enter(terminal, "true")

    assert said(at_home) == [
        ("echo hello", "dec_1:accepted:6"),
        ("echo hello you", "dec_1:accepted:6"),
        ("echo hell you", "dec_1:edited:6"),
        ("echo ét", "dec_1:ignored:7"),
        ("true", ""),
    ]
    assert server.asked[0] == f"{shell}|{at_home.path}|echo h"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_request_is_the_one_that_was_agreed_on(
    at_home: Home, tool: Callable[[str], str], shell: str
) -> None:
    tool("curl")
    server = at_home.serve(LINES)
    offer(at_home.start(shell), shell, "echo h", "ello")
    (head,) = server.heads

    assert head.startswith("POST /v1/suggest HTTP/1.1\r\nHost: localhost\r\n")
    assert "\r\nContent-Type: text/plain\r\n" in head
    assert "\r\nAccept: text/plain\r\n" in head


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_server_that_keeps_the_connection_is_understood(
    at_home: Home, tool: Callable[[str], str], shell: str
) -> None:
    tool("curl")
    server = at_home.serve(LINES, hangs_up=False)
    offer(at_home.start(shell), shell, "echo h", "ello")

    assert f"{shell}|{at_home.path}|echo h" in server.asked


@pytest.mark.parametrize("keys", [RIGHT, "\x1bOC", END, TAB])
def test_each_key_of_zsh_that_accepts_does_so(at_home: Home, keys: str) -> None:
    at_home.allow()
    at_home.serve(LINES)
    terminal = at_home.start("zsh", "selflow_accept_key='^I'\n")
    offer(terminal, "zsh", "echo h", "ello")
    enter(terminal, keys)

    assert said(at_home) == [("echo hello", "dec_1:accepted:6")]


def test_keys_of_zsh_do_what_they_did_where_there_is_no_suggestion(at_home: Home) -> None:
    at_home.allow()
    at_home.serve(LINES)
    terminal = at_home.start("zsh", "selflow_accept_key='^I'\nbindkey '^I' self-insert\n")
    enter(terminal, "echo x\x01" + RIGHT * 4 + "-n" + END + " y" + TAB + "z")

    assert at_home.commands() == ["echo-n x y\tz"]


def test_ghost_text_is_gone_from_the_line_that_was_entered(at_home: Home) -> None:
    at_home.allow()
    at_home.serve(LINES)
    terminal = at_home.start("zsh")
    offer(terminal, "zsh", "echo h", "ello")
    terminal.keys("\r")
    shown = terminal.expect(PROMPT, raw=True).partition(b"\n")[0]

    assert b"    " in shown.replace(b"\x1b[39m", b""), "it is written over"
    assert said(at_home)[0][0] == "echo h"


def test_while_the_line_agrees_with_the_suggestion_nobody_is_asked_again(at_home: Home) -> None:
    at_home.allow()
    server = at_home.serve(LINES)
    terminal = at_home.start("zsh")
    offer(terminal, "zsh", "echo h", "ello")
    for key in "ell":
        terminal.keys(key)
        terminal.expect(key)
    enter(terminal, RIGHT)

    first, *later = (question.rpartition("|")[2] for question in server.asked)
    assert first == "echo h"
    assert {*later} <= {"echo hello"}  # behind what was taken it asks again
    assert said(at_home) == [("echo hello", "dec_1:accepted:9")]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_line_that_begins_with_a_space_is_never_sent(
    at_home: Home, tool: Callable[[str], str], shell: str
) -> None:
    tool("curl")
    server = at_home.serve({" echo h": " echo hello", **LINES})
    terminal = at_home.start(shell)
    terminal.keys(" echo h")
    terminal.expect("h")
    enter(terminal, "" if shell == "zsh" else KEY)
    offer(terminal, shell, "echo h", "ello")

    assert [asked.rpartition("|")[2] for asked in server.asked] == ["echo h"]


def _http(body: str, status: str = "200 OK", length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    return f"HTTP/1.1 {status}\r\nContent-Length: {size}\r\n\r\n{body}".encode()


BAD = {
    "garbage": b"\x00\xff\x1b[2Jnonsense\r\n\r\n\x07",
    "another status": _http("dec_1\techo hello\n", "503 Service Unavailable"),
    "another line": _http("dec_1\trm -rf\n"),
    "control characters": _http("dec_1\techo h\x1b[2Jxyz\n"),
    "no decision": _http("\techo hello\n"),
    "half an answer": _http("dec_1\techo hello\n", length=90),
    "nothing": _http(""),
}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize("answer", BAD.values(), ids=BAD)
def test_a_bad_answer_is_no_suggestion_and_no_message(
    at_home: Home, tool: Callable[[str], str], shell: str, answer: bytes
) -> None:
    tool("curl")
    at_home.allow()
    server = at_home.serve({}, answer)
    terminal = at_home.start(shell)
    terminal.keys("echo h")
    terminal.expect("h")
    if shell != "zsh":
        terminal.keys(KEY)
    wait_until(lambda: len(server.asked) == 1)
    terminal.keys("i\r")
    shown = terminal.expect("hi\r\n").decode("utf-8", "replace")
    terminal.expect(PROMPT)

    assert "rm" not in shown
    assert "warning" not in shown
    assert "ello" not in shown
    assert said(at_home) == [("echo hi", "")]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_who_types_goes_on_while_the_server_dies_and_comes_back(
    at_home: Home, tool: Callable[[str], str], shell: str
) -> None:
    tool("curl")
    at_home.allow()
    server = at_home.serve(LINES)
    terminal = at_home.start(shell)
    offer(terminal, shell, "echo h", "ello")
    server.close()
    enter(terminal, ("" if shell == "zsh" else KEY) + "i there")
    enter(terminal, "echo h" + ("" if shell == "zsh" else KEY) + "a")
    at_home.serve(LINES)
    offer(terminal, shell, "echo st", "ill here")
    enter(terminal, RIGHT if shell == "zsh" else "")

    assert at_home.commands() == ["echo hi there", "echo ha", "echo still here"]


def test_zsh_never_waits_for_a_server_that_stalls(at_home: Home) -> None:
    at_home.allow()
    server = at_home.serve(LINES)
    server.stall()
    terminal = at_home.start("zsh", is_patient=False)
    terminal.keys("echo h")
    terminal.expect("h")
    took_s: list[float] = []
    while sum(took_s) < 0.6 and len(took_s) < 900:
        began_s = terminal.now_s()
        terminal.keys("hi"[len(took_s) % 2])
        terminal.expect("hi"[len(took_s) % 2])
        took_s.append(terminal.now_s() - began_s)
    enter(terminal)

    assert sorted(took_s)[len(took_s) // 2] < 0.05
    assert at_home.commands() == ["echo h" + "".join("hi"[at % 2] for at in range(len(took_s)))]
    assert len(server.asked) <= 3, "a server that does not answer is left alone"


@pytest.mark.parametrize("shell", ["bash", "fish"])
def test_the_key_waits_its_budget_and_then_leaves_the_server_alone(
    at_home: Home, tool: Callable[[str], str], shell: str
) -> None:
    tool("curl")
    at_home.allow()
    server = at_home.serve(LINES)
    server.stall()
    terminal = at_home.start(shell, is_patient=False)
    terminal.keys("echo h")
    terminal.expect("h")
    for _ in range(6):
        terminal.keys(KEY)
    enter(terminal, "i")

    assert at_home.commands() == ["echo hi"]
    assert len(server.asked) <= 3


def test_fish_does_not_wait_for_a_client_that_is_slow_to_start(
    at_home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_home.allow()
    at_home.serve(LINES)
    client = at_home.path / "bin" / "curl"
    client.parent.mkdir()
    client.write_text("#!/bin/sh\necho $$ >>~/hung\nexec sleep 60\n")
    client.chmod(0o755)
    monkeypatch.setenv("PATH", f"{client.parent}:{os.environ['PATH']}")
    terminal = at_home.start("fish", is_patient=False)
    terminal.keys("echo h")
    terminal.expect("h")
    terminal.keys(KEY)
    enter(terminal, "i")
    hung = [int(pid) for pid in (at_home.path / "hung").read_text().split()]

    assert at_home.commands() == ["echo hi"]
    assert len(hung) <= 1
    wait_until(lambda: not any(pid_exists(pid) for pid in hung))


def test_an_answer_after_the_budget_is_not_drawn(at_home: Home) -> None:
    at_home.allow()
    server = at_home.serve(LINES)
    server.stall()
    terminal = at_home.start("zsh", is_patient=False)
    terminal.keys("echo h")
    wait_until(lambda: len(server.asked) == 1)
    began_s = terminal.now_s()
    while terminal.now_s() - began_s < 2 * BUDGET_S:
        _back_and_forth(terminal)
    server.go_on()
    wait_until(lambda: server.answered == 1)
    _back_and_forth(terminal)
    _back_and_forth(terminal)
    enter(terminal, RIGHT)

    assert said(at_home) == [("echo h", "")]


@pytest.mark.parametrize(("rc", "is_ours"), [("", False), ("selflow_ghost=on\n", True)])
def test_ours_stays_off_beside_zsh_autosuggestions_unless_preferred(
    at_home: Home, rc: str, *, is_ours: bool
) -> None:
    _require(at_home, AUTOSUGGESTIONS)
    at_home.allow()
    server = at_home.serve(LINES)
    terminal = at_home.start("zsh", f"{rc}source {AUTOSUGGESTIONS}\n")
    enter(terminal, "echo h")
    enter(terminal, "echo h" + RIGHT)

    assert at_home.commands() == ["echo h", "echo h"]
    assert bool(server.asked) == is_ours


@pytest.mark.parametrize("is_first", [True, False])
def test_ghost_text_stands_beside_syntax_highlighting(at_home: Home, *, is_first: bool) -> None:
    _require(at_home, HIGHLIGHTING)
    at_home.allow()
    at_home.serve(LINES)
    load = f"source {HIGHLIGHTING}\n"
    terminal = at_home.start("zsh", *((load, "") if is_first else ("", load)))
    offer(terminal, "zsh", "echo h", "ello")
    enter(terminal, RIGHT)

    assert said(at_home) == [("echo hello", "dec_1:accepted:6")]


def test_ble_sh_gets_a_source_of_ghost_text(at_home: Home, tool: Callable[[str], str]) -> None:
    tool("curl")
    at_home.allow()
    at_home.serve(LINES)
    stub = (
        'BLE_VERSION=0.4; ble/util/import/eval-after-load() { eval "$2"; }\n'
        "ble/array#unshift() { sources=$2; }\n"
        "ble/complete/auto-complete/enter() { drawn=$3; }\n"
    )
    terminal = at_home.start("bash", stub)
    terminal.run('_ble_edit_str="echo h" _ble_edit_ind=6')
    terminal.run("ble/complete/auto-complete/source:$sources")

    assert terminal.run("echo $drawn").strip() == "ello"


def _require(home: Home, plugin: Path) -> None:
    """Skips at home and fails in CI, as for a program."""
    home.tool("zsh" if plugin.exists() else plugin.stem)

"""Which programs a shell line runs."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selflow.core.shell_line import program_of, programs_of


@pytest.mark.parametrize(
    ("line", "program"),
    [
        ("git commit -m 'x'", "git"),
        ("sudo -u me apt install x", "apt"),
        ("FOO=1 BAR='2' make all", "make"),
        ("FOO=1 sudo -u me /usr/bin/git log | less", "git"),
        ("/usr/local/bin/python3 -m x", "python3"),
        ("./run.sh --fast", "run.sh"),
        ("cat a | sort|uniq", "cat"),
        ("ls;pwd", "ls"),
        ("cd /tmp && make", "cd"),
        ("(cd x; make)", "cd"),
        ("env -u HOME A=1 nice -n 5 cargo build", "cargo"),
        ("timeout -k 5 10 pytest", "pytest"),
        ("time make", "make"),
        ('"my tool" x', "my"),
        ("sudo", "sudo"),
        ("  vim  ", "vim"),
        ("", ""),
        (" \t", ""),
        ("A=1", ""),
    ],
)
def test_a_line_gives_its_program(line: str, program: str) -> None:
    assert program_of(line) == program


@given(st.text())
def test_any_line_gives_one_word(line: str) -> None:
    assert len(program_of(line).split()) <= 1


@given(
    st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True).filter(
        lambda name: program_of(f"sudo {name}") == name
    )
)
def test_wrappers_and_folders_do_not_change_the_program(name: str) -> None:
    assert {
        program_of(f"{front}{name} -x") for front in ("", "A=1 ", "sudo -u me ", "/bin/", "time ")
    } == {name}


@pytest.mark.parametrize(
    ("line", "programs"),
    [
        ("timeout 5 pass show x", ["timeout", "pass"]),
        ("sudo -u me pass show x", ["sudo", "pass"]),
        ("nice -n 5 pass show x", ["nice", "pass"]),
        ("cd x && A=1 pass show y | head", ["cd", "pass", "head"]),
        ("echo $(pass show x) done", ["pass", "echo"]),
        ('export T="$(pass show x)"; ls', ["pass", "export", "ls"]),
        ('echo `pass show x` "`pwd`"', ["pass", "pwd", "echo"]),
        ("bash -lc 'cd /x; pass show y'", ["bash", "cd", "pass"]),
        ("find . | xargs -n 1 pass", ["find", "xargs", "pass"]),
        ("if true; then pass; fi", ["true", "pass", "fi"]),
        ("git commit -m 'x; pass y' --amend", ["git"]),
        ('git commit -m "a | pass b"', ["git"]),
        ("/opt/tools/pass show", ["/opt/tools/pass"]),
        ("'my tool' x", ["my tool"]),
        ("p\\ass show", ["pass"]),
        ("echo 'open", ["echo"]),
        ("echo $(pass show", ["pass", "echo"]),
        ("", []),
    ],
)
def test_every_program_of_a_line_is_found(line: str, programs: list[str]) -> None:
    assert list(programs_of(line)) == programs


@given(st.text(alphabet="ab \n|&;()$`'\"\\-=c"))
def test_any_text_can_be_read_as_a_line(line: str) -> None:
    assert all(name for name in programs_of(f"x {line}") if name)


@pytest.mark.parametrize("piece", ["$(", "`", "(", "sudo ", "bash -c '", '"', "|", "a=1 ", "\\"])
def test_a_line_twice_as_long_takes_twice_the_steps(piece: str) -> None:
    counts = []
    for length in (1_000, 2_000):
        calls = [0]

        def count(*_: object, calls: list[int] = calls) -> None:
            calls[0] += 1

        sys.setprofile(count)
        try:
            list(programs_of(piece * length))
        finally:
            sys.setprofile(None)
        counts.append(calls[0])

    assert counts[1] < 2.5 * counts[0] + 1_000

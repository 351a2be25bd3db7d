"""Which program a shell line runs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selflow.predict.programs import program_of


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

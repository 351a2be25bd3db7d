"""What the byte model that ships may learn."""

import csv
import gzip
from pathlib import Path

import numpy as np

from bench._corpus import GAMES, Corpus, Sessions, read_corpus
from bench._values import SessionValues
from bench.make_sheets import cheat_lines, eg_lines, plain_command
from selflow.text.lines import END


def table(path: Path, rows: list[dict[str, str]]) -> Path:
    with gzip.open(path, "wt", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def corpus(folder: Path) -> Corpus:
    page = {
        "platform": "linux",
        "tool": "nc",
        "description": "Listen at a port",
        "command": "nc {{host}}",
    }
    lines = [
        {"user": user, "game": game, "ts": "2020-01-01", "cwd": "/root", "cmd": f"{user} {game}"}
        for user in ("0a", "3b", "4c", "fd")
        for game in (*GAMES, "Webmin exploit practice")
    ]
    return read_corpus(table(folder / "pages.gz", [page]), table(folder / "shell.gz", lines))


def test_the_base_learns_from_no_person_and_no_game_that_is_scored(tmp_path: Path) -> None:
    learned = [line for person in corpus(tmp_path).people for _, line in person]

    assert sorted(learned) == sorted(f"{u} {game}".encode() for u in ("0a", "3b") for game in GAMES)


def test_a_session_repeats_the_value_that_was_drawn_for_an_address() -> None:
    values = SessionValues(["name"], np.random.default_rng(1))
    first, second, local = (
        values.line(line) for line in (b"ping 10.0.0.7", b"ssh me@10.0.0.7", b"ping 127.0.0.1")
    )

    assert first.split()[1] == second.rpartition(b"@")[2] != b"10.0.0.7"
    assert local == b"ping 127.0.0.1"


def test_an_option_is_drawn_in_its_short_and_its_long_form() -> None:
    rng = np.random.default_rng(2)
    drawn = {SessionValues(["a"], rng).command("tar {{[-c|--create]}}") for _ in range(40)}

    assert drawn == {"tar -c", "tar --create"}


def test_the_same_seed_draws_the_same_rows(tmp_path: Path) -> None:
    sessions = Sessions(corpus(tmp_path), rows=3, tokens=40)
    one, other = (next(sessions.batches(5)) for _ in range(2))

    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    assert END in one[0]


def test_of_a_sheet_the_commands_are_taken() -> None:
    assert list(eg_lines("# tar\n\nunpack\n\n    $ tar xf <a.tar>\n")) == ["$ tar xf <a.tar>"]
    assert list(cheat_lines("# To unpack:\ntar xf a.tar\n")) == ["tar xf a.tar"]
    assert plain_command("$ tar xf <a.tar> -C /path/to/b  # here") == "tar xf a.tar -C b"

"""Files by folder: two levels, compared with the time before, bounded, followed to rows."""

import pytest

from selflow.search.folder_sums import MAX_FOLDERS, folder_of, top_of
from tests.unit.console.server.worlds import Console, at

DAY_HOURS = 24


@pytest.mark.parametrize(
    ("path", "folder", "top"),
    [
        ("~/work/selflow/src/a.py", "~/work/selflow", "~/work"),
        ("/etc/ssh/sshd_config", "/etc/ssh", "/etc"),
        ("src/a.py", "src", "src"),
        ("a/b/c/d.py", "a/b", "a"),
        ("README.md", "", ""),
        ("~/notes.md", "~", "~"),
        ("/hosts", "", ""),
    ],
)
def test_a_folder_has_two_levels(path: str, folder: str, top: str) -> None:
    assert folder_of(path) == folder
    assert top_of(folder) == top


def test_folders_are_counted_compared_and_followed_to_rows(console: Console) -> None:
    console.store(
        [
            *(at(hours, subject="~/w/a/x.py") for hours in (1, 2, 30)),
            at(3, subject="~/w/b/y.py"),
            at(8 * DAY_HOURS, subject="~/w/a/x.py"),
            at(4, "shell.command", "ls ~/w", source="shell"),
        ]
    )
    (top,) = console.ask("GET", "/api/activity/folders").json()["items"]
    inside = console.ask("GET", "/api/activity/folders?within=~/w").json()["items"]

    assert (top["folder"], top["files"], top["events"], top["events_before"]) == ("~/w", 2, 4, 1)
    assert [(one["folder"], one["files"], one["events"]) for one in inside] == [
        ("~/w/a", 1, 3),
        ("~/w/b", 1, 1),
    ]
    rows = console.ask("GET", "/api/events?folder=~/w/a").json()["items"]
    assert [row["subject"] for row in rows] == ["~/w/a/x.py"] * 4


def test_many_folders_are_cut_and_counted(console: Console) -> None:
    console.store(at(1, subject=f"f{number}/x.py") for number in range(MAX_FOLDERS + 30))
    answer = console.ask("GET", "/api/activity/folders?since=2015-01-01").json()

    assert (len(answer["items"]), answer["more"]) == (MAX_FOLDERS, 30)

"""What ``selflow watch`` shows of the newest messages."""

from typing import Any

import pytest

from selflow.console.cli.watch_view import Watched, after, bar, changes, screen

BELIEF = {"arm": "writing", "success": 0.8, "low": 0.7, "high": 0.9, "pulls": 40}


def live(state: str = "running", events: int = 1, **more: Any) -> dict[str, Any]:
    system = {
        "state": state,
        "reasons": [],
        "buffer": {
            "new_events": 120,
            "size_bytes": 32_000_000,
            "budget_bytes": 64_000_000,
            "fill_fraction": 0.5,
        },
        "last_hour_events": 7,
        "next_learning": {"at": None, "reason": "waits for more: 1 of 3 days"},
        **more,
    }
    return {"system": system, "events": [event(seq) for seq in range(events, 0, -1)]}


def event(seq: int, subject: str = "a.py") -> dict[str, Any]:
    ts = f"2026-01-01T00:00:{seq:02d}Z"
    return {"seq": seq, "ts": ts, "source": "files", "kind": "file.modify", "subject": subject}


def runs(done_fraction: float, state: str = "running") -> dict[str, Any]:
    cycle = {"id": "cyc_1", "state": state, "stage": "train", "error": ""}
    finished = {"name": "discover", "seconds": 12.0, "finished_at": "2026-01-01T00:00:00Z"}
    current = {"name": "train", "seconds": 3.0, "finished_at": None}
    return {"cycle": {**cycle, "done_fraction": done_fraction}, "stages": [finished, current]}


def agents(*names: str) -> dict[str, Any]:
    items = [{"id": f"{name}@1", "agent": name, "status": "champion"} for name in names]
    return {"items": items, "beliefs": {"items": [BELIEF]}}


def watched(**documents: Any) -> Watched:
    known = Watched()
    for topic, document in documents.items():
        known = after(known, topic, document)
    return known


def test_one_glance_shows_state_buffer_cycle_agents_and_events() -> None:
    now = watched(live=live(), runs=runs(0.25), agents=agents("writing"))
    shown = "\n".join(line.text for line in screen(now, 40))

    assert "SelFlow is running" in shown
    assert "50%  120 new events, 32.0 MB of 64.0 MB" in shown
    assert "waits for more: 1 of 3 days" in shown
    assert "cyc_1 is running, train 25%" in shown
    assert "discover                 12.0 s  done" in shown
    assert "success 0.80 (0.70 to 0.90), 40 answers" in shown
    assert "files       file.modify       a.py" in shown


@pytest.mark.parametrize("rows", [1, 8, 12, 100])
def test_it_never_has_more_lines_than_the_terminal(rows: int) -> None:
    now = watched(live=live(events=20), runs=runs(0.25), agents=agents("writing"))

    assert len(screen(now, rows)) <= rows


def test_plain_lines_tell_each_change_once() -> None:
    first = watched(live=live(events=1), agents=agents("writing"))
    second = after(first, "live", live("degraded", events=3))
    third = after(second, "runs", runs(0.31))
    fourth = after(third, "runs", runs(0.32))
    fifth = after(fourth, "agents", agents("writing", "files"))
    steps = [
        list(changes(a, b))
        for a, b in zip([first, second, third, fourth], [second, third, fourth, fifth], strict=True)
    ]

    assert steps[0][0].startswith("SelFlow is degraded")
    assert len(steps[0]) == 3
    assert steps[1:] == [["cyc_1 is running, train 31%"], [], ["files@1 serves"]]


def test_a_console_that_is_away_leaves_the_last_figures() -> None:
    before = watched(live=live())
    now = after(before, "", {"problem": "the console does not answer"})
    back = after(now, "live", live())

    assert "these are the last figures" in screen(now, 40)[0].text
    assert "SelFlow is running" in screen(now, 40)[1].text
    assert list(changes(before, now)) == ["waiting: the console does not answer"]
    assert list(changes(now, back)) == ["the console answers again"]


def test_an_event_cannot_steer_the_terminal() -> None:
    document = live()
    document["events"] = [event(1, "\x1b]0;title\x07")]
    shown = "".join(line.text for line in screen(watched(live=document), 40))

    assert "\x1b" not in shown


def test_a_bar_is_of_one_width_whatever_it_shows() -> None:
    assert {len(bar(share)) for share in (-1.0, 0.0, 0.5, 1.0, 7.0)} == {24}

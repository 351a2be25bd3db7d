"""Windows as vectors."""

import numpy as np

from selflow.core.steps import Step, event_label
from selflow.discover.features import blocks_of, columns_of, fit_axes, fit_encoder, stacked
from selflow.discover.windows import Windows, events_of, windows_of
from tests.unit.discover.worlds import FIRST_US, HOUR_US, planted


def alone(count: int) -> Windows:
    """Windows of one event each."""
    n = np.arange(count)
    return Windows(n, n + 1, n, n + 1, n)


def at(*moments_us: int) -> np.ndarray:
    """The time block of windows that hold one event each."""
    events = events_of([Step(FIRST_US + moment, ("file",)) for moment in moments_us])
    windows = alone(len(moments_us))
    return blocks_of(fit_encoder(events, windows, 1), events, windows)["time"]


def test_a_minute_before_and_after_midnight_are_adjacent() -> None:
    before, after, noon = at(24 * HOUR_US - 60_000_000, 24 * HOUR_US + 60_000_000, 36 * HOUR_US)

    assert np.linalg.norm(before - after) < 0.1 * np.linalg.norm(after - noon)


def test_a_weekday_of_another_month_is_the_same_place() -> None:
    today, later = at(9 * HOUR_US, (35 * 24 + 9) * HOUR_US)

    assert np.allclose(today, later)


def test_the_order_of_blocks_changes_nothing() -> None:
    events = events_of(planted(days=3)[0])
    windows = windows_of(events)
    blocks = blocks_of(fit_encoder(events, windows, 1), events, windows)
    turned = dict(reversed(blocks.items()))
    weight = np.ones(len(blocks["time"]))

    for ours, theirs in zip(fit_axes(blocks, weight), fit_axes(turned, weight), strict=True):
        assert np.array_equal(ours, theirs)
    assert np.array_equal(stacked(blocks), stacked(turned))


def test_a_block_weighs_the_same_whatever_its_unit() -> None:
    rng = np.random.default_rng(1)
    blocks = {"a": rng.standard_normal((50, 4)), "b": rng.standard_normal((50, 9))}
    scaled = {"a": 1000 * blocks["a"], "b": blocks["b"]}
    x, y = (
        (stacked(each) - mean) @ axes
        for each in (blocks, scaled)
        for mean, axes in [fit_axes(each, np.ones(50))]
    )

    assert np.allclose(x @ x.T, y @ y.T)


def test_a_column_that_is_left_out_has_no_part() -> None:
    rng = np.random.default_rng(1)
    blocks = {"a": rng.standard_normal((50, 4)), "b": rng.standard_normal((50, 9))}
    keep = np.ones(13, bool)
    keep[[1, 7]] = False
    _, axes = fit_axes(blocks, np.ones(50), keep)

    assert np.abs(axes[~keep]).max() < 1e-12
    assert [len(columns) for columns in columns_of(blocks)] == [4, 9]


def test_like_labels_lie_near_each_other() -> None:
    paths = [
        "src/parser/token.py",
        "src/parser/tokens.py",
        "photos/beach.jpg",
        "photos/mountain.jpg",
    ]
    events = events_of([Step(FIRST_US, (event_label("file.change", path),)) for path in paths])
    windows = alone(4)
    blocks = blocks_of(fit_encoder(events, windows, 1), events, windows)

    for name in ("kinds", "text"):
        apart = np.linalg.norm(blocks[name][:, None] - blocks[name], axis=2)
        assert apart[0, 1] < apart[0, 2]


def test_a_window_is_encoded_from_its_own_past_alone() -> None:
    steps = planted(days=2)[0]
    events, half = events_of(steps), events_of(steps[: len(steps) // 2])
    windows = windows_of(half)
    encoder = fit_encoder(half, windows, 1)
    early, late = blocks_of(encoder, half, windows), blocks_of(encoder, events, windows)

    assert all(np.allclose(early[name], late[name], atol=1e-12) for name in early)


def test_the_words_of_a_command_count_whatever_slashes_it_holds() -> None:
    lines = ["/root nmap 10.1.26.0/24", "/home/ann/src nmap 10.1.26.9", "/root ssh -l bob/x 9"]
    events = events_of([Step(FIRST_US, (event_label("shell.command", line),)) for line in lines])
    windows = alone(3)
    kinds = blocks_of(fit_encoder(events, windows, 1), events, windows)["kinds"]

    assert kinds[0] @ kinds[1] > kinds[0] @ kinds[2]


def test_windows_of_one_session_lie_nearer_for_being_of_it() -> None:
    names = [f"{activity}/{kind}{n}" for activity in "ab" for kind in "xy" for n in range(8)]
    events = events_of([Step(FIRST_US, (event_label("file.change", name),)) for name in names])
    start = np.arange(0, 32, 8)
    apart = Windows(start, start + 8, start, start + 8, start)
    joined = Windows(start, start + 8, start // 16 * 16, start // 16 * 16 + 16, start)
    encoder = fit_encoder(events, joined, 1)
    alone_text, text = (blocks_of(encoder, events, each)["text"] for each in (apart, joined))

    assert np.linalg.norm(text[0] - text[1]) < np.linalg.norm(alone_text[0] - alone_text[1])
    assert np.linalg.norm(text[0] - text[2]) > np.linalg.norm(text[0] - text[1])


def test_ten_times_the_same_says_little_more_than_once() -> None:
    events = events_of(
        [Step(FIRST_US, (name,)) for name in ["make"] * 10 + ["git", "make", "git", "make"]]
    )
    start, stop = np.array([0, 10, 12, 9]), np.array([11, 12, 14, 10])
    windows = Windows(start, stop, start, stop, start)
    kinds = blocks_of(fit_encoder(events, windows, 1), events, windows)["kinds"]
    often, once, again, only = kinds

    assert np.allclose(once, again)
    assert np.linalg.norm(often - once) < np.linalg.norm(only - once)

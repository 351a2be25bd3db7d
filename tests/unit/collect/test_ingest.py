"""The ZeroMQ door: nothing acknowledged before it is stored, nothing stored unredacted, no input
ends it.
"""

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from numpy.random import default_rng

from selflow.collect.ingest import IngestServer
from selflow.core.clock import SystemClock
from selflow.core.codec import encode_batch
from selflow.core.errors import ConfigError, RefusedError
from selflow.core.events import Event
from selflow.testing import MemoryLog
from tests.unit.collect.ingest_world import (
    GRANTS,
    NOW_US,
    Gate,
    event_filter,
    events,
    peering,
    serving,
    short_folder,
    socket_of,
)
from tests.waiting import wait_until


@pytest.fixture
def folder() -> Iterator[Path]:
    with short_folder() as path:
        yield path


def _subjects(log: MemoryLog) -> list[str]:
    return [each.event.subject for each in log.read(0, 10_000)]


def test_a_batch_is_acknowledged_with_what_became_of_it(folder: Path) -> None:
    log = MemoryLog()
    with serving(log, folder), peering(socket_of(folder)) as peer:
        peer.send("files", 7, events(0, 3))

        assert peer.hear() == (
            b"ack",
            {"batch_id": 7, "accepted": 3, "dropped": 0, "rejected": [], "credits": 8},
        )
        assert _subjects(log) == ["/w/file0", "/w/file1", "/w/file2"]


def test_nothing_is_acknowledged_before_the_sink_has_it(folder: Path) -> None:
    gate = Gate(MemoryLog())
    with serving(gate, folder), peering(socket_of(folder)) as peer:
        peer.send("files", 1, events(0, 1))
        assert gate.entered.wait(10)

        assert peer.hears_nothing()
        gate.opened.set()
        assert peer.hear()[0] == b"ack"


def test_a_repeated_batch_is_acknowledged_and_not_stored_twice(folder: Path) -> None:
    log = MemoryLog()
    with serving(log, folder) as server, peering(socket_of(folder)) as peer:
        peer.send("files", 1, events(0, 2))
        first = peer.hear()
        peer.send("files", 1, events(0, 2))

        assert peer.hear() == first
        assert len(_subjects(log)) == 2
        assert server.outcomes() == {("files", "accepted"): 2, ("files", "repeated"): 2}


def test_secrets_are_out_and_excluded_paths_are_dropped_before_the_sink_sees_anything(
    folder: Path,
) -> None:
    log = MemoryLog()
    sifting = event_filter(["~/private/"], ["KeePass*"])
    mixed = [
        Event(NOW_US, "shell", "shell.command", "login bob@example.org --password hunter2"),
        Event(NOW_US, "shell", "shell.command", "vim ~/private/diary.txt"),
        Event(NOW_US, "apps", "app.focus", "vault", app="KeePassXC"),
        Event(NOW_US, "files", "file.modify", "/home/u/work/a.py"),
    ]
    with serving(log, folder, sifting=sifting) as server, peering(socket_of(folder)) as peer:
        peer.send("shell", 1, mixed)
        reply = peer.hear()[1]

        assert (reply["accepted"], reply["dropped"]) == (2, 2)
        assert _subjects(log) == ["login <EMAIL> --password <SECRET>", "~/work/a.py"]
        assert server.outcomes() == {("shell", "accepted"): 2, ("shell", "dropped"): 2}


def test_events_that_break_the_schema_are_named_by_place_and_the_rest_is_stored(
    folder: Path,
) -> None:
    log = MemoryLog()
    future = Event(4_000_000_000_000_000, "files", "file.modify", "/w/later")
    large = Event(NOW_US, "files", "file.modify", data={"x": "y" * 20_000})
    with serving(log, folder), peering(socket_of(folder)) as peer:
        peer.send("files", 1, [*events(0, 1), future, large])
        reply = peer.hear()[1]

        assert reply["rejected"] == [
            {"index": 1, "code": "in_future"},
            {"index": 2, "code": "too_large"},
        ]
        assert (reply["accepted"], _subjects(log)) == (1, ["/w/file0"])


def test_a_batch_of_which_nothing_is_left_is_acknowledged(folder: Path) -> None:
    log = MemoryLog()
    with serving(log, folder, sifting=event_filter(["/w/"])), peering(socket_of(folder)) as peer:
        peer.send("files", 1, events(0, 2))

        assert peer.hear()[1]["dropped"] == 2
        assert log.fill().events == 0


@pytest.mark.parametrize(
    ("frames", "code", "says"),
    [
        ([b"selflow/1"], "bad_frames", "1 frames"),
        ([b"selflow/1", b"", b"", b""], "bad_frames", "4 frames"),
        ([b"selflow/9", b""], "bad_protocol", "selflow/1"),
        ([b"selflow/1", b"\xc1"], "bad_batch", "msgpack"),
        ([b"selflow/1", b"\x80"], "bad_batch", "exactly source, batch_id and events"),
        ([b"selflow/1", b"x" * 200_000], "too_large", "200,000 bytes; the limit is 102,400"),
        (
            [b"selflow/1", encode_batch("files", 1, events(0, 501))],
            "too_large",
            "501 events; the limit is 500",
        ),
        (
            [b"selflow/1", encode_batch("bob@example.org", 1, [])],
            "bad_batch",
            "looks like a secret",
        ),
    ],
)
def test_a_message_that_is_no_batch_gets_a_clear_error(
    folder: Path, frames: list[bytes], code: str, says: str
) -> None:
    log = MemoryLog()
    with serving(log, folder), peering(socket_of(folder)) as peer:
        peer.say(*frames)
        kind, reply = peer.hear()

        assert (kind, reply["code"]) == (b"err", code)
        assert says in str(reply["message"])
        assert log.fill().events == 0


def test_a_frame_beyond_all_bounds_ends_its_connection_and_nothing_else(folder: Path) -> None:
    log = MemoryLog()
    with (
        serving(log, folder),
        peering(socket_of(folder)) as peer,
        peering(socket_of(folder)) as other,
    ):
        peer.say(b"selflow/1", b"x" * 2_000_000)
        other.send("files", 1, events(0, 1))

        assert other.hear()[0] == b"ack"
        assert peer.hears_nothing()


def _mangled(seed: int) -> list[bytes]:
    """A message of noise, or a good one with some bytes changed and frames lost or doubled."""
    rng = default_rng(seed)
    good = [b"selflow/1", encode_batch("files", seed, events(0, 2))]
    frames = (
        good
        if seed % 3
        else [rng.bytes(int(size)) for size in rng.integers(0, 60, rng.integers(1, 6))]
    )
    chosen = (
        [bytearray(frames[place]) for place in rng.integers(0, len(frames), rng.integers(1, 5))]
        if seed % 2
        else [bytearray(frame) for frame in frames]
    )
    for frame in chosen:
        for place in rng.integers(0, max(1, len(frame)), rng.integers(0, 4)):
            frame[place : place + 1] = rng.bytes(1)
    return [bytes(frame) for frame in chosen]


def test_no_message_ends_the_server(folder: Path) -> None:
    with serving(MemoryLog(), folder), peering(socket_of(folder)) as peer:
        heard = []
        for seed in range(600):
            peer.say(*_mangled(seed))
            heard.append(peer.hear()[0])
        peer.send("files", 1 << 40, events(0, 1))

        assert set(heard) == {b"ack", b"err"}
        assert peer.hear()[1]["accepted"] == 1


def test_a_failing_sink_is_told_as_unavailable_and_the_batch_may_come_again(folder: Path) -> None:
    gate = Gate(MemoryLog())
    gate.opened.set()
    gate.failures = 1
    with serving(gate, folder) as server, peering(socket_of(folder)) as peer:
        peer.send("files", 1, events(0, 1))
        failed = peer.hear()
        peer.send("files", 1, events(0, 1))

        assert failed == (
            b"err",
            {"code": "unavailable", "message": "the disk is full", "batch_id": 1},
        )
        assert peer.hear()[0] == b"ack"
        assert server.outcomes() == {("files", "unavailable"): 1, ("files", "accepted"): 1}


def test_after_a_failure_later_batches_of_the_source_do_not_overtake(folder: Path) -> None:
    gate = Gate(MemoryLog())
    gate.failures = 1
    with serving(gate, folder), peering(socket_of(folder)) as peer:
        for place in range(3):
            peer.send("files", place, events(place, 1))
        peer.say(b"selflow/9", b"")
        peer.hear()  # the loop has seen the three batches
        gate.opened.set()

        assert [peer.hear()[1]["batch_id"] for _ in range(3)] == [0, 1, 2]
        assert gate.log.fill().events == 0


def test_batches_of_one_source_are_stored_in_their_order(folder: Path) -> None:
    gate = Gate(MemoryLog(credits=64))
    with (
        serving(gate, folder),
        peering(socket_of(folder)) as peer,
        peering(socket_of(folder)) as other,
    ):
        for place in range(20):
            peer.send("files", place, events(place, 1))
            other.send("shell", place, events(place, 1, subject="/s/"))
        gate.opened.set()
        for _ in range(20):
            peer.hear()
            other.hear()
        subjects = _subjects(gate.log)

        assert [text for text in subjects if text.startswith("/w")] == [
            f"/w/file{place}" for place in range(20)
        ]
        assert [text for text in subjects if text.startswith("/s")] == [
            f"/s/{place}" for place in range(20)
        ]


def test_one_slow_source_does_not_hold_up_another(folder: Path) -> None:
    class SlowForOne(MemoryLog):
        def append(self, source: str, batch_id: int, records: object) -> object:  # type: ignore[override]
            log = gate if source == "slow" else super()
            return log.append(source, batch_id, records)  # type: ignore[arg-type]

    gate = Gate(MemoryLog())
    with (
        serving(SlowForOne(), folder),
        peering(socket_of(folder)) as slow,
        peering(socket_of(folder)) as quick,
    ):
        slow.send("slow", 1, events(0, 1))
        assert gate.entered.wait(10)
        quick.send("quick", 1, events(0, 1))

        assert quick.hear()[0] == b"ack"
        gate.opened.set()
        assert slow.hear()[0] == b"ack"


def test_credits_are_those_of_the_sink_less_what_others_have_in_flight(folder: Path) -> None:
    gate = Gate(MemoryLog(credits=3))
    gate.opened.set()
    with (
        serving(gate, folder),
        peering(socket_of(folder)) as first,
        peering(socket_of(folder)) as second,
    ):
        first.send("a", 1, events(0, 1))
        assert first.hear()[1]["credits"] == 3
        gate.opened.clear()
        for place in range(5):
            first.send("a", 2 + place, events(place, 1))
        first.say(b"selflow/9", b"")
        first.hear()
        second.send("b", 1, [])

        assert second.hear()[1]["credits"] == 0
        gate.opened.set()


def test_a_sender_that_ignores_its_credits_is_told_to_wait(folder: Path) -> None:
    gate = Gate(MemoryLog())
    with serving(gate, folder), peering(socket_of(folder)) as peer:
        for place in range(65):
            peer.send("files", place, events(place, 1))
        kind, reply = peer.hear()

        assert (kind, reply["code"], reply["batch_id"]) == (b"err", "rate_limited", 64)
        gate.opened.set()
        assert {peer.hear()[0] for _ in range(64)} == {b"ack"}


def test_over_tcp_only_the_right_token_brings_events_in(folder: Path) -> None:
    log = MemoryLog()
    with serving(log, folder, tcp=True) as server, peering(server.tcp_endpoint) as peer:
        for token in ([], [b"wrong"], [b"\xff\xfe"]):
            peer.send("files", 1, events(0, 1), *token)
            assert peer.hear()[1].get("code") == "unauthenticated"

        assert log.fill().events == 0
        peer.send("files", 1, events(0, 1), b"right")
        assert peer.hear()[0] == b"ack"


def test_a_narrowed_token_brings_in_events_of_its_sources_only(folder: Path) -> None:
    log = MemoryLog()
    mixed = [*events(0, 1), Event(NOW_US, "browser", "page.visit", "x")]
    with serving(log, folder, tcp=True) as server, peering(server.tcp_endpoint) as peer:
        for source, batch in (("browser", events(0, 1)), ("files", mixed)):
            peer.send(source, 1, batch, b"narrow")
            code = peer.hear()[1].get("code")

            assert (code, log.fill().events) == ("forbidden_source", 0)
        peer.send("notes", 1, events(0, 1), b"narrow")

        assert peer.hear()[0] == b"ack"


def test_without_the_owners_consent_nothing_of_a_source_is_stored(folder: Path) -> None:
    log = MemoryLog()
    with (
        serving(log, folder, consents="files".__eq__) as server,
        peering(socket_of(folder)) as peer,
    ):
        peer.send("spy", 1, events(0, 1))
        refused = peer.hear()[1]
        peer.send("files", 1, events(0, 2))

        assert (refused.get("code"), peer.hear()[0]) == ("no_consent", b"ack")
        assert server.outcomes() == {("files", "accepted"): 2}


def test_nothing_comes_in_while_collection_is_paused(folder: Path) -> None:
    log, paused = MemoryLog(), [True, False]
    with (
        serving(log, folder, is_paused=lambda: paused.pop(0)) as server,
        peering(socket_of(folder)) as peer,
    ):
        peer.send("files", 1, events(0, 1))
        refused = peer.hear()[1]
        peer.send("files", 2, events(0, 2))

        assert (refused.get("code"), peer.hear()[0]) == ("paused", b"ack")
        assert server.outcomes() == {("files", "accepted"): 2}


def test_what_is_dated_in_a_pause_is_dropped_however_late_it_comes(folder: Path) -> None:
    log = MemoryLog()
    sifting = event_filter(is_paused_at=lambda ts_us: NOW_US + 2 <= ts_us < NOW_US + 4)
    with serving(log, folder, sifting=sifting), peering(socket_of(folder)) as peer:
        peer.send("files", 1, events(0, 6))
        answer = peer.hear()[1]

    assert (answer["accepted"], answer["dropped"]) == (4, 2)
    assert [each.event.ts_us - NOW_US for each in log.read(0, 10)] == [0, 1, 4, 5]


def test_a_judge_that_fails_keeps_events_out_and_the_door_open(folder: Path) -> None:
    def judge(source: str) -> bool:
        if source == "spy":
            raise OSError("no catalog")
        return True

    log = MemoryLog()
    with serving(log, folder, consents=judge), peering(socket_of(folder)) as peer:
        peer.send("spy", 1, events(0, 1))
        kind, reply = peer.hear()
        peer.send("files", 1, events(0, 1))

        assert (kind, reply["code"]) == (b"err", "unavailable")
        assert peer.hear()[0] == b"ack"
        assert log.fill().events == 1


@pytest.mark.parametrize(
    "address", ["0.0.0.0:7000", "192.168.1.5:7000", "*:7000", "host:7000", "127.0.0.1", "[::]:1"]
)
def test_an_address_beyond_loopback_is_refused(folder: Path, address: str) -> None:
    with pytest.raises(RefusedError, match="may not listen"):
        IngestServer(
            MemoryLog(),
            event_filter(),
            SystemClock(),
            folder / "x",
            tcp_address=address,
            authorise=GRANTS.get,
        )


def test_tcp_without_anyone_to_judge_tokens_is_refused(folder: Path) -> None:
    with pytest.raises(RefusedError, match="needs a token"):
        IngestServer(
            MemoryLog(), event_filter(), SystemClock(), folder / "x", tcp_address="127.0.0.1:0"
        )


def test_a_taken_port_is_named(folder: Path) -> None:
    with serving(MemoryLog(), folder, tcp=True) as server:
        taken = server.tcp_endpoint.removeprefix("tcp://")
        second = IngestServer(
            MemoryLog(),
            event_filter(),
            SystemClock(),
            folder / "two" / "x",
            tcp_address=taken,
            authorise=GRANTS.get,
        )

        with pytest.raises(ConfigError, match=taken):
            second.start()


def test_the_socket_belongs_to_the_owner_alone(folder: Path) -> None:
    with serving(MemoryLog(), folder):
        path = folder / "run" / "in.sock"

        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_folder_open_to_others_is_refused(folder: Path) -> None:
    folder.chmod(0o755)

    with pytest.raises(RefusedError, match="other users can open"):
        IngestServer(MemoryLog(), event_filter(), SystemClock(), folder / "in.sock").start()


def test_a_socket_that_is_served_is_not_taken_over(folder: Path) -> None:
    with (
        serving(MemoryLog(), folder),
        pytest.raises(RefusedError, match="another program listens at"),
    ):
        IngestServer(MemoryLog(), event_filter(), SystemClock(), folder / "run" / "in.sock").start()


def test_a_path_too_long_for_a_socket_is_named_before_the_bind(folder: Path) -> None:
    with pytest.raises(ConfigError, match="the limit is 103"):
        IngestServer(MemoryLog(), event_filter(), SystemClock(), folder / ("x" * 100)).start()


def test_stopping_answers_what_the_sink_still_finishes_and_is_safe_twice(folder: Path) -> None:
    log = MemoryLog()
    with serving(log, folder) as server, peering(socket_of(folder)) as peer:
        peer.send("files", 1, events(0, 1))
        peer.hear()
        server.stop()
        server.stop()

        assert log.fill().events == 1
        assert server.outcomes() == {("files", "accepted"): 1}


def test_sources_beyond_the_first_hundred_are_counted_together(folder: Path) -> None:
    with serving(MemoryLog(), folder) as server, peering(socket_of(folder)) as peer:
        for place in range(120):
            peer.send(f"source{place}", 1, events(0, 1))
            peer.hear()
        outcomes = server.outcomes()

        assert len(outcomes) == 101
        assert outcomes["other", "accepted"] == 20


def test_a_server_whose_thread_has_ended_says_so(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise KeyError("the owner's secret")

    monkeypatch.setattr(IngestServer, "_take", fail)
    with serving(MemoryLog(), folder) as server, peering(socket_of(folder)) as peer:
        assert server.fault == ""
        peer.send("files", 1, events(0, 1))
        wait_until(lambda: server.fault != "", 10)

        assert server.fault == "the ingest thread has ended (KeyError)"

"""The sender: what it took stays with it until the server has it, and the server has it once."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Thread

import pytest
import zmq

from selflow.core.codec import WireLimits
from selflow.core.errors import NotRunningError, RefusedError, Rejected, WireError
from selflow.core.events import Credits, Event
from selflow.sdk.ingest import BatchResult, IngestClient, Pace, batches, content_batch_id
from selflow.testing import MemoryLog
from tests.unit.collect.ingest_world import NOW_US, Gate, events, serving, short_folder, socket_of

QUICK = Pace(resend_after_s=0.1, retry_s=0.01, max_pending_batches=4, timeout_s=5.0)
SMALL = WireLimits(max_batch_events=3)


@pytest.fixture
def folder() -> Iterator[Path]:
    with short_folder() as path:
        yield path


def _client(folder: Path, pace: Pace = QUICK, limits: WireLimits = SMALL) -> IngestClient:
    return IngestClient(socket_of(folder), "files", pace=pace, limits=limits)


def _send_and_flush(client: IngestClient, sent: Sequence[Event]) -> None:
    client.send_batch(1, sent)
    client.flush(10)


def _subjects(log: MemoryLog) -> list[str]:
    return [each.event.subject for each in log.read(0, 100_000)]


def test_events_arrive_whole_and_in_order(folder: Path) -> None:
    log = MemoryLog()
    sent = events(0, 100)
    with serving(log, folder), _client(folder) as client:
        client.send(iter(sent))
        results = client.flush(10)

        assert [each.event for each in log.read(0, 1_000)] == sent
        assert (sum(result.accepted for result in results), len(results)) == (100, 34)
        assert client.pending_batches == 0


def test_what_became_of_each_event_is_told(folder: Path) -> None:
    with serving(MemoryLog(), folder), _client(folder) as client:
        client.send_batch(9, [*events(0, 1), Event(4_000_000_000_000_000, "files", "k")])

        assert client.flush(10) == [BatchResult(9, 1, 0, (Rejected(1, "in_future"),))]
        assert client.flush(10) == []


def test_a_client_may_start_before_the_server(folder: Path) -> None:
    log = MemoryLog()
    with _client(folder) as client:
        client.send(events(0, 4))
        with pytest.raises(NotRunningError, match=r"has not acknowledged 2 batches in 0\.1 s"):
            client.flush(0.1)
        with serving(log, folder):
            client.flush(10)

            assert _subjects(log) == [f"/w/file{place}" for place in range(4)]


def test_a_server_that_dies_with_a_batch_in_its_hands_gets_it_again(folder: Path) -> None:
    log = MemoryLog()
    with _client(folder) as client:
        with zmq.Context() as context, context.socket(zmq.ROUTER) as silent:
            silent.linger = 0
            (folder / "run").mkdir(mode=0o700)
            silent.bind(socket_of(folder))
            client.send(events(0, 6))
            with pytest.raises(NotRunningError):
                client.flush(0.3)
            assert silent.poll(10_000), "it had the batch and said nothing"
        with serving(log, folder):
            client.flush(10)

            assert _subjects(log) == [f"/w/file{place}" for place in range(6)]


def test_an_answer_that_is_lost_makes_no_second_copy(folder: Path) -> None:
    """The batch is stored, the server goes before it could say so, another takes over the
    same log.
    """

    class StoresAndFails(MemoryLog):
        answers = 0

        def append(self, source: str, batch_id: int, records: Sequence[bytes]) -> Credits:
            credits_left = super().append(source, batch_id, records)
            self.answers += 1
            if self.answers == 1:
                raise OSError("gone before the answer")
            return credits_left

    log = StoresAndFails()
    with serving(log, folder), _client(folder) as client:
        client.send(events(0, 3))
        results = client.flush(10)

        assert (results[0].accepted, log.answers) == (3, 2)
        assert _subjects(log) == ["/w/file0", "/w/file1", "/w/file2"]


def test_a_full_disk_delays_events_and_keeps_their_order(folder: Path) -> None:
    gate = Gate(MemoryLog())
    gate.opened.set()
    gate.failures = 5
    with serving(gate, folder), _client(folder) as client:
        client.send(events(0, 30))
        client.flush(10)

        assert _subjects(gate.log) == [f"/w/file{place}" for place in range(30)]


def test_without_credits_a_client_asks_now_and_then_and_goes_on(folder: Path) -> None:
    log = MemoryLog(credits=0)
    with serving(log, folder), _client(folder) as client:
        client.send(events(0, 9))
        client.flush(10)

        assert len(_subjects(log)) == 9


def test_a_client_never_has_more_in_flight_than_its_credits(folder: Path) -> None:
    gate = Gate(MemoryLog(credits=2))
    gate.opened.set()
    with (
        serving(gate, folder) as server,
        _client(folder, Pace(resend_after_s=60, max_pending_batches=64)) as client,
    ):
        client.send(events(0, 3))
        client.flush(10)
        gate.opened.clear()
        client.send(events(3, 30))
        with pytest.raises(NotRunningError):
            client.flush(0.1)
        gate.opened.set()
        server.stop()

        assert len(_subjects(gate.log)) <= 3 + 2 * 3


def test_a_server_that_is_slow_is_waited_for_and_nothing_is_doubled(folder: Path) -> None:
    gate = Gate(MemoryLog())
    with serving(gate, folder), _client(folder, Pace(resend_after_s=0.02)) as client:
        client.send(events(0, 3))
        with pytest.raises(NotRunningError):
            client.flush(0.2)
        gate.opened.set()
        client.flush(10)

        assert len(_subjects(gate.log)) == 3


def test_too_much_waiting_is_an_error_and_keeps_what_waits(folder: Path) -> None:
    pace = Pace(max_pending_batches=2, timeout_s=0.05)
    log = MemoryLog()
    with _client(folder, pace) as client:
        with pytest.raises(NotRunningError, match="has not acknowledged 2 batches") as caught:
            client.send(events(0, 30))
        assert caught.value.hint == "they are kept; selflow status shows what runs"
        assert client.pending_batches == 2
        with serving(log, folder):
            client.flush(10)

            assert len(_subjects(log)) == 6


def test_a_wrong_token_is_refused_and_nothing_is_lost(folder: Path) -> None:
    log = MemoryLog()
    with serving(log, folder, tcp=True) as server:
        with IngestClient(server.tcp_endpoint, "files", "wrong", pace=QUICK) as client:
            client.send(events(0, 1))
            with pytest.raises(RefusedError, match="valid token"):
                client.flush(10)
            assert client.pending_batches == 1
        with IngestClient(server.tcp_endpoint, "files", "right", pace=QUICK) as client:
            client.send(events(0, 1))
            client.flush(10)

        assert len(_subjects(log)) == 1


def test_a_message_that_the_server_cannot_read_is_an_error_with_its_code(folder: Path) -> None:
    lenient = WireLimits(max_batch_events=900)
    with (
        serving(MemoryLog(), folder),
        _client(folder, limits=lenient) as client,
        pytest.raises(WireError, match="batch of 600 events; the limit is 500"),
    ):
        _send_and_flush(client, events(0, 600))


def test_two_runs_of_a_program_do_not_share_batch_numbers(folder: Path) -> None:
    log = MemoryLog()
    with serving(log, folder):
        for _ in range(3):
            with _client(folder) as client:
                client.send(events(0, 7))
                client.flush(10)

    assert len(_subjects(log)) == 21


def test_a_file_sent_twice_under_the_numbers_of_its_content_is_stored_once(folder: Path) -> None:
    log = MemoryLog()
    file = [*events(0, 3), *events(0, 3), *events(5, 2)]
    with serving(log, folder):
        for _ in range(2):
            with _client(folder) as client:
                for place, group in enumerate(batches(file, "files", SMALL)):
                    client.send_batch(content_batch_id(place, group), group)
                client.flush(10)

    assert len(_subjects(log)) == 8


def test_the_number_of_a_content_is_the_same_for_ever() -> None:
    assert content_batch_id(0, events(0, 2)) == 14_447_895_783_577_990_311
    assert content_batch_id(1, events(0, 2)) != content_batch_id(0, events(0, 2))


def test_batches_fit_what_the_wire_allows() -> None:
    large = [Event(NOW_US, "s", "k", data={"x": "y" * 400}) for _ in range(20)]
    groups = list(batches(large, "s", WireLimits(max_batch_bytes=2_048)))

    assert [event for group in groups for event in group] == large
    assert {len(group) for group in groups} == {3, 2}
    with pytest.raises(WireError, match="event 0 has"):
        list(batches(large, "s", WireLimits(max_batch_bytes=600)))


def test_several_clients_send_side_by_side(folder: Path) -> None:
    log = MemoryLog()

    def run(name: str) -> None:
        with IngestClient(socket_of(folder), name, pace=QUICK, limits=SMALL) as client:
            client.send(events(0, 50))
            client.flush(10)

    with serving(log, folder):
        threads = [Thread(target=run, args=(f"s{place}",)) for place in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert len(_subjects(log)) == 200

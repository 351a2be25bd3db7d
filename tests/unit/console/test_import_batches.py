"""Delivering a file's events: in order, once, in any number of runs."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from selflow.collect.event_filter import EventFilter
from selflow.collect.importers.shell import import_shell
from selflow.collect.ingest import IngestServer
from selflow.collect.normalise import Exclusions
from selflow.collect.progress import Progress
from selflow.collect.redact import make_redactor
from selflow.console.cli import import_batches
from selflow.console.cli.import_batches import ImportBatch, SendResult, deliver
from selflow.console.cli.invoke import make_invocation
from selflow.core.clock import SystemClock
from selflow.core.codec import encode_record
from selflow.core.errors import NotRunningError
from selflow.core.events import Event
from selflow.core.paths import Root
from selflow.core.ports import EventSink
from selflow.core.session_files import Endpoints, write_endpoints
from selflow.core.settings import PrivacySettings
from selflow.sdk.ingest import content_batch_id
from selflow.store.catalog import Catalog
from selflow.store.log import EventLog
from selflow.testing import ManualClock, MemoryLog

BASE_US = 1_700_000_000_000_000


@pytest.fixture(autouse=True)
def catalog(root: Root) -> Iterator[Catalog]:
    """Imports are allowed already, so that no test waits for a first consent to act."""
    opened = Catalog.open(root.catalog)
    opened.consents.grant("import", {}, BASE_US, "owner")
    yield opened
    opened.close()


def made(count: int, **data: str) -> list[Event]:
    return [
        Event(BASE_US + place * 1_000_000, "x", "item", f"s{place}", data=data)
        for place in range(count)
    ]


@contextmanager
def serving(sink: EventSink, root: Root) -> Iterator[IngestServer]:
    event_filter = EventFilter(make_redactor(PrivacySettings()), Exclusions(("s3",), (), ""), "")
    server = IngestServer(sink, event_filter, SystemClock(), root.socket("ingest.sock"))
    server.start()
    write_endpoints(root, Endpoints(ingest=f"ipc://{root.socket('ingest.sock')}"))
    try:
        yield server
    finally:
        server.stop()


def send(
    root: Root, events: list[Event] | Iterator[Event], speed: float | None = None
) -> SendResult:
    batch = ImportBatch("a file", root.path / "file", "import:test", events, Progress(), speed)
    return deliver(make_invocation(set()), batch, SystemClock())


def subjects(log: MemoryLog) -> list[str]:
    return [each.event.subject for each in log.read(0, 10_000)]


def test_everything_arrives_in_its_order_and_is_counted(root: Root) -> None:
    log = MemoryLog()
    with serving(log, root):
        told = send(root, made(1_200))

    assert (told.events, told.accepted, told.dropped) == (1_200, 1_199, 1)
    assert subjects(log) == [f"s{place}" for place in range(1_200) if place != 3]


def test_the_same_file_twice_adds_nothing(root: Root) -> None:
    log = MemoryLog()
    with serving(log, root):
        send(root, made(1_200))
        send(root, made(1_200))

    assert len(subjects(log)) == 1_199


def import_history(history: Path, commands: Iterable[str], written_s: int = 0) -> SendResult:
    """One import of a history file that holds these commands, without times."""
    history.write_text("".join(f"{command}\n" for command in commands))
    moment_s = BASE_US // 1_000_000 + written_s
    os.utime(history, (moment_s, moment_s))
    progress = Progress()
    events = import_shell(history, progress)
    batch = ImportBatch("shell", history, "import:shell", events, progress, is_followed=True)
    return deliver(make_invocation(set()), batch, SystemClock())


def test_a_grown_history_without_times_adds_only_what_is_new(root: Root) -> None:
    commands, log = [f"command {number}" for number in range(301)], MemoryLog()
    with serving(log, root):
        import_history(root.path / "history", commands[:300])
        result = import_history(root.path / "history", commands, 9_999)

    assert subjects(log) == commands
    assert (result.events, result.accepted, result.already_there) == (301, 1, 300)


def test_a_history_cut_at_its_front_adds_only_what_is_new(root: Root) -> None:
    """As bash with HISTSIZE=500 leaves it, with the commands that people repeat."""
    commands = [("git status", "make test", f"vim file{n // 3}.py")[n % 3] for n in range(1_700)]
    log = MemoryLog()
    with serving(log, root):
        imported = [
            import_history(root.path / "history", commands[max(0, end - 500) : end], end)
            for end in (480, 700, 700, 1_190, 1_700)
        ]

    assert subjects(log) == [*commands[:1_190], *commands[1_200:]]
    assert [each.accepted for each in imported] == [480, 220, 0, 490, 500]


def test_a_command_repeated_after_each_import_is_stored_each_time(root: Root) -> None:
    log = MemoryLog()
    with serving(log, root):
        for commands in (["make"], ["make", "ls"], ["make", "ls", "ls"], ["ls", "ls", "ls"]):
            import_history(root.path / "history", commands)

    assert subjects(log) == ["make", "ls", "ls", "ls"]


def test_a_history_longer_than_what_is_retained_adds_what_is_new(root: Root) -> None:
    commands, log = [f"command {number}" for number in range(5_500)], MemoryLog()
    with serving(log, root):
        accepted = [
            import_history(root.path / "history", part, number).accepted
            for number, part in enumerate((commands[:3_000], commands, commands[1_000:]))
        ]

    assert accepted == [3_000, 2_500, 0]


def test_an_interrupted_import_of_a_history_goes_on_where_it_ended(
    root: Root, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands, log = [f"command {number}" for number in range(1_300)], MemoryLog()
    shown: list[int] = []

    @contextmanager
    def interrupting(_: object, __: str) -> Iterator[Callable[[int, int], None]]:
        """The owner presses Ctrl-C when the second batch is answered."""

        def show(done: int, _total: int) -> None:
            shown.append(done)
            if len(shown) == 2:
                raise KeyboardInterrupt

        yield show

    history = root.path / "history"
    with serving(log, root):
        import_history(history, commands[:10])
        with monkeypatch.context() as patch:
            patch.setattr(import_batches, "progress", interrupting)
            patch.setattr(import_batches, "_FLUSH_BATCHES", 1)
            with pytest.raises(KeyboardInterrupt):
                import_history(history, commands)
        interrupted = len(subjects(log))
        import_history(history, commands[200:])

    assert interrupted == 1_010
    assert subjects(log) == commands
    assert [run.state for run in catalog.imports.list_all()] == ["done", "failed", "done"]


def test_what_the_log_holds_already_is_not_sent_again(root: Root) -> None:
    events = made(10)
    log = EventLog(root.events, budget_bytes=1_000_000, credits=8)
    log.append(
        "import:test", content_batch_id(0, events), [encode_record(event) for event in events]
    )
    log.close()
    sink = MemoryLog()
    with serving(sink, root):
        told = send(root, events)

    assert (told.events, told.already_there, told.accepted) == (10, 10, 0)
    assert subjects(sink) == []


def test_the_first_import_notes_its_consent_says_so_and_waits_until_it_acts(
    root: Root, catalog: Catalog, capsys: pytest.CaptureFixture[str]
) -> None:
    catalog.consents.revoke("import", BASE_US, "owner")
    clock = ManualClock()
    batch = ImportBatch("a file", root.path / "file", "import:test", made(1), Progress())
    with serving(MemoryLog(), root):
        deliver(make_invocation(set()), batch, clock)
        said, waited_s = capsys.readouterr().err, clock.monotonic_s()
        deliver(make_invocation(set()), batch, clock)

    assert "consent recorded: import; to revoke it: selflow init --revoke import" in said
    assert waited_s > 1.0
    assert (capsys.readouterr().err, clock.monotonic_s()) == ("", waited_s)
    assert [c.revoked_at_us for c in catalog.consents.list_all() if c.source == "import"] == [None]


@pytest.mark.setting("ingest.max_batch_events", "ingest.max_batch_bytes", "ingest.max_event_bytes")
@pytest.mark.parametrize(
    ("setting", "batches", "rejected"),
    [
        ("max_batch_events: 10", 3, 0),
        ("max_batch_bytes: 1024, max_event_bytes: 1000", 5, 0),
        ("max_event_bytes: 256", 1, 1),
        ("max_batch_events: 9999", 1, 0),
    ],
)
def test_batches_are_cut_as_the_settings_say(
    root: Root, setting: str, batches: int, rejected: int
) -> None:
    root.user_settings.write_text(f"ingest: {{{setting}}}\n")
    log = MemoryLog()
    with serving(log, root):
        told = send(root, [*made(25), *made(1, blob="z" * 300)])

    assert (len(log._batches), told.rejected.total()) == (batches, rejected)


def test_of_a_file_that_has_grown_only_what_is_new_is_added(root: Root) -> None:
    log = MemoryLog()
    with serving(log, root):
        for count in (100, 700, 701, 1_300):
            send(root, made(count))

    assert subjects(log) == [f"s{place}" for place in range(1_300) if place != 3]


def test_after_an_interruption_the_same_command_goes_on(root: Root, catalog: Catalog) -> None:
    def interrupted() -> Iterator[Event]:
        yield from made(1_100)
        raise KeyboardInterrupt

    log = MemoryLog()
    with serving(log, root):
        with pytest.raises(KeyboardInterrupt):
            send(root, interrupted())
        send(root, made(1_300))

    assert subjects(log) == [f"s{place}" for place in range(1_300) if place != 3]
    assert [run.state for run in catalog.imports.list_all()] == ["failed", "done"]


def test_an_event_that_is_too_large_is_refused_and_the_rest_goes_on(root: Root) -> None:
    log = MemoryLog()
    events = [
        *made(1),
        Event(BASE_US, "x", "item", "y" * 5_000),
        *made(1, blob="z" * 120_000),
        *made(2),
    ]
    with serving(log, root):
        told = send(root, events)

    assert told.rejected == {"too_large": 2}
    assert subjects(log) == ["s0", "s0", "s1"]


def test_what_the_server_refuses_is_told_by_its_code(root: Root) -> None:
    log = MemoryLog()
    with serving(log, root):
        told = send(root, [*made(1), Event(SystemClock().now_us() + 10**12, "x", "item", "later")])

    assert told.rejected == {"in_future": 1}
    assert told.accepted == 1


def test_each_run_is_noted_and_audited(root: Root, catalog: Catalog) -> None:
    with serving(MemoryLog(), root):
        told = send(root, made(10))
    (run,) = catalog.imports.list_all()

    assert (run.id, run.label, run.source, run.state) == (
        told.import_id,
        "a file",
        "import:test",
        "done",
    )
    assert (run.rows, run.accepted, run.rejected) == (10, 9, 0)
    assert ("import.start", told.import_id) in [
        (e.action, e.subject) for e in catalog.audit.entries(0, 10)
    ]


def test_without_a_running_selflow_nothing_is_noted(root: Root, catalog: Catalog) -> None:
    with pytest.raises(NotRunningError, match="not running"):
        send(root, made(1))

    assert catalog.imports.list_all() == []


def test_a_paced_stream_keeps_its_gaps() -> None:
    clock = ManualClock()
    moments = [Event(BASE_US + offset * 1_000_000, "x", "item") for offset in (0, 0, 10, 30)]
    arrivals = [
        (clock.monotonic_s(), len(moment))
        for moment in import_batches._paced([moments], 2.0, clock)
    ]

    assert arrivals == [(0.0, 2), (5.0, 1), (15.0, 1)]

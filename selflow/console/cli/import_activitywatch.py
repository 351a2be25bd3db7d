"""``selflow import activitywatch``: an export, or a server that runs, into the store of
ActivityWatch's events, and from there into the log.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from io import StringIO, TextIOWrapper
from pathlib import Path
from threading import Event as Flag
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import uuid4

from selflow.console.cli.progress import progress
from selflow.core.clock import Clock, SystemClock
from selflow.core.errors import NotRunningError, RefusedError, UsageError
from selflow.core.grants import ACTIVITYWATCH
from selflow.core.invocation import Invocation

FOLLOW_S = 60.0
_LOOK_BACK_US = 600_000_000
_TIMEOUT_S = 60.0
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_WHEN = "they reach the log while SelFlow runs"
Get = Callable[[str], Any]


def import_activitywatch(
    call: Invocation, path: Path | None, url: str | None, *, follow: bool, is_dry: bool
) -> None:
    """Import a file or a server's events.

    Raises:
        UsageError: Neither or both are named. RefusedError: The server is not on this machine.
        ApiError: The file is no export. NotRunningError: The server does not answer.
    """
    if (path is None) == (url is None) or (follow and url is None):
        raise UsageError("name a file, or a server with --url", "--follow goes with --url")
    if url is not None and urlsplit(url).hostname not in _LOOPBACK:
        raise RefusedError(
            "that server is not on this machine", "export there, and import the file"
        )
    if is_dry and path is not None:
        _count(call, path)
    elif is_dry:
        raise UsageError("--dry-run counts a file", "leave --url out")
    elif path is not None:
        _import_file(call, path)
    else:
        _import_server(call, str(url), SystemClock(), follow=follow)


def _count(call: Invocation, path: Path) -> None:
    from selflow.collect.activitywatch.stream import read_export

    kinds: Counter[str] = Counter()
    with path.open(encoding="utf-8") as file:
        for bucket, item in read_export(file.read):
            kinds[bucket.id] += item is not None
    lines = [f"{kinds.total():,} events of {len(kinds):,} buckets would be imported"]
    document = {"path": str(path), "dry_run": True, "events": kinds.total(), "buckets": dict(kinds)}
    call.show(document, lines)


def _import_file(call: Invocation, path: Path) -> None:
    from selflow.collect.activitywatch.exchange import ImportCount

    count, size_bytes = ImportCount(), path.stat().st_size
    with (
        _importer(call, is_live=False) as importer,
        path.open("rb") as raw,
        TextIOWrapper(raw, encoding="utf-8") as file,
        progress(call, "activitywatch") as show,
    ):

        def read(chars: int) -> str:
            show(raw.tell(), size_bytes)
            try:
                return file.read(chars)
            except UnicodeDecodeError as error:
                raise UsageError(f"{path} is not UTF-8", "export it again") from error

        importer.run(read, count)
    _show(call, count, {"path": str(path)})


def _import_server(call: Invocation, url: str, clock: Clock, *, follow: bool) -> None:
    """All that the server has; with ``follow`` also what comes, once a minute, until Ctrl-C."""
    from selflow.collect.activitywatch.exchange import ImportCount

    count = ImportCount()
    with _asking(url) as get, _importer(call, is_live=True) as importer:
        importer.run(StringIO(json.dumps(get("export"))).read, count)
        _show(call, count, {"url": url})
        stop = Flag()
        while follow and not clock.wait(stop, FOLLOW_S):
            for name, bucket in get("buckets/").items():
                newer = _newer(get, name, bucket, clock.now_us())
                document = {"buckets": {name: {**bucket, "events": newer}}}
                importer.run(StringIO(json.dumps(document)).read, ImportCount())


def _newer(get: Get, name: str, bucket: Mapping[str, Any], now_us: int) -> list[Any]:
    """Events of the last ten minutes, and the newest one, which may have grown. What the server
    has cut at the range's start is left out: it is not the event as it is.
    """
    from selflow.collect.activitywatch.shapes import moment_text, parse_moment

    path = f"buckets/{quote(name, safe='')}/events"
    newest = get(f"{path}?limit=1") if bucket.get("last_updated") else []
    start_us = min([now_us - _LOOK_BACK_US, *(parse_moment(one["timestamp"]) for one in newest)])
    start_us = start_us // 1_000 * 1_000 - 1_000
    events = get(f"{path}?start={quote(moment_text(start_us))}")
    return [event for event in events if parse_moment(event["timestamp"]) > start_us]


@contextmanager
def _asking(url: str) -> Iterator[Get]:
    import httpx

    base = url.rstrip("/").removesuffix("/api/0") + "/api/0/"
    with httpx.Client(timeout=_TIMEOUT_S, trust_env=False) as client:

        def get(path: str) -> Any:  # noqa: ANN401  (any JSON)
            try:
                return client.get(base + path).raise_for_status().json()
            except (httpx.HTTPError, ValueError) as error:
                raise NotRunningError(
                    f"no ActivityWatch server answers at {url}", "is it running, on this port?"
                ) from error

        yield get


@contextmanager
def _importer(call: Invocation, *, is_live: bool) -> Iterator[Any]:
    """What merges into the store; another process may have it open too."""
    from selflow.collect.activitywatch.exchange import Importer
    from selflow.collect.activitywatch.group_commit import GroupCommit
    from selflow.collect.event_filter import EventFilter
    from selflow.collect.normalise import Exclusions
    from selflow.collect.redact import make_redactor
    from selflow.core.privacy_rules import added_rules
    from selflow.store.consent_rows import allow_once
    from selflow.store.pauses import PauseWatch

    location, clock, home = call.catalog_location(), SystemClock(), str(Path.home())
    if isinstance(location, Path) and not location.exists():
        raise UsageError("SelFlow has not run here yet", "start it with: selflow up")
    privacy, added = call.settings().settings.privacy, added_rules(call.root)
    exclusions = Exclusions(
        (*privacy.exclude_paths, *added.paths), (*privacy.exclude_apps, *added.apps), home
    )
    pauses = PauseWatch(location, clock)
    filtering = EventFilter(make_redactor(privacy), exclusions, home, pauses.covers)
    if not allow_once(location, ACTIVITYWATCH, clock):
        call.note("your consent is revoked: nothing reaches the log before you give it again:")
        call.note("selflow init --grant activitywatch")
    commit = GroupCommit(call.root.aw, str(uuid4()))
    try:
        yield Importer(commit, filtering, clock, is_live=is_live)
    finally:
        commit.close()


def _show(call: Invocation, count: Any, origin: Mapping[str, Any]) -> None:  # noqa: ANN401  (an ImportCount)
    dropped = f", {count.dropped:,} dropped by your privacy rules" if count.dropped else ""
    stored = f"{count.stored:,} events of {count.buckets:,} buckets stored"
    call.show(
        {
            **origin,
            "buckets": count.buckets,
            "events": count.events,
            "accepted": count.stored,
            "already_there": count.already_there,
            "dropped": count.dropped,
        },
        [f"{stored}, {count.already_there:,} already stored{dropped}", _WHEN],
    )

"""What ActivityWatch's own client does with a server; run by the interpreter that has it, beside
no package of ours. Prints one JSON document.
"""

import json
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import aw_client
import requests
from aw_core.models import Event

BUCKET = "aw-watcher-window_test"
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def event(at_s: float, **data: Any) -> Event:
    return Event(timestamp=BEGIN + timedelta(seconds=at_s), duration=0, data=data)


def wait_until_sent(client: aw_client.ActivityWatchClient) -> None:
    queue = client.request_queue
    while queue._persistqueue.qsize() or queue._current:
        queue.wait(0.05)


def status_of(work: Callable[[], object]) -> int:
    try:
        work()
    except requests.HTTPError as error:
        return int(error.response.status_code)
    return 200


def plain(events: Iterable[Event]) -> list[list[Any]]:
    return [
        [(one.timestamp - BEGIN).total_seconds(), one.duration.total_seconds(), dict(one.data)]
        for one in events
    ]


def main() -> None:
    client = aw_client.ActivityWatchClient("selflow-test", port=int(sys.argv[1]))
    client.create_bucket(BUCKET, "currentwindow")
    client.create_bucket(BUCKET, "currentwindow")  # 304
    with client:
        for at_s in range(30):
            state = {"app": "editor" if at_s < 20 else "browser", "title": "t"}
            client.heartbeat(
                BUCKET, event(at_s, **state), pulsetime=2, queued=True, commit_interval=5
            )
        client.heartbeat(BUCKET, event(100, app="end"), pulsetime=2, queued=True)
        wait_until_sent(client)
    found = {"info": client.get_info(), "queued": plain(client.get_events(BUCKET))}
    client.insert_events(BUCKET, [event(200, app="a"), event(210, app="b")])
    found["count"] = client.get_eventcount(BUCKET)
    found["ranged"] = plain(
        client.get_events(
            BUCKET, start=BEGIN + timedelta(seconds=5), end=BEGIN + timedelta(seconds=150)
        )
    )
    exported = client.export_all()
    found["without_force"] = status_of(lambda: client.delete_bucket(BUCKET))
    found["with_force"] = status_of(lambda: client.delete_bucket(BUCKET, force=True))
    found["buckets_left"] = list(client.get_buckets())
    for bucket in exported["buckets"].values():
        client.import_bucket(bucket)
        client.import_bucket(bucket)
    found["same_events"] = (
        client.export_all()["buckets"][BUCKET]["events"] == exported["buckets"][BUCKET]["events"]
    )
    client.set_setting("theme", "dark")
    found["setting"] = client.get_setting("theme")
    json.dump(found, sys.stdout)


main()

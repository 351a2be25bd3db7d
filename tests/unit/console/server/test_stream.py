"""The live stream: snapshots first, the newest alone for who is slow, and resuming."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from selflow.console.server.stream import Broadcast, Topic, sample, snapshot
from selflow.testing import ManualClock
from tests.unit.console.server.worlds import NOW_US, Console, at

LIVE: frozenset[Topic] = frozenset(("live",))
LIMIT_S = 10.0


def in_a_loop(story: Callable[[Broadcast], Awaitable[Any]]) -> Any:
    async def told() -> Any:
        return await asyncio.wait_for(story(Broadcast(ManualClock(NOW_US))), LIMIT_S)

    return asyncio.run(told())


async def take(reader: AsyncIterator[str], count: int) -> list[str]:
    return [await anext(reader) for _ in range(count)]


def parts(message: str) -> dict[str, str]:
    return dict(line.split(": ", 1) for line in message.strip().split("\n"))


def test_a_snapshot_comes_first_then_what_changes() -> None:
    async def story(broadcast: Broadcast) -> list[str]:
        broadcast.put("live", "1")
        reader = broadcast.read(LIVE, 0)
        first = await anext(reader)
        broadcast.put("live", "1")
        broadcast.put("live", "2")
        return [first, await anext(reader)]

    first, second = (parts(message) for message in in_a_loop(story))
    assert [first["data"], second["data"], first["event"]] == ["1", "2", "live"]
    assert int(first["id"]) < int(second["id"])


def test_a_stopped_reader_gets_the_newest_and_holds_up_nobody() -> None:
    async def story(broadcast: Broadcast) -> tuple[list[str], int]:
        stopped, lively = broadcast.read(LIVE, 0), broadcast.read(LIVE, 0)
        broadcast.put("live", "0")
        await asyncio.gather(anext(stopped), anext(lively))
        for number in range(1, 1_001):
            broadcast.put("live", str(number))
            seen = await anext(lively)
        return [seen, await anext(stopped)], len(broadcast.__dict__["_newest"])

    seen, kept = in_a_loop(story)
    assert [parts(message)["data"] for message in seen] == ["1000", "1000"]
    assert kept == 1


def test_fifty_readers_get_the_same() -> None:
    async def story(broadcast: Broadcast) -> list[list[str]]:
        readers = [broadcast.read(LIVE, 0) for _ in range(50)]
        waiting = [asyncio.create_task(take(reader, 2)) for reader in readers]
        broadcast.put("live", "a")
        await asyncio.sleep(0)
        while any(not task.done() for task in waiting):
            broadcast.put("live", "b")
            await asyncio.sleep(0)
        return [task.result() for task in waiting]

    told = in_a_loop(story)
    assert {parts(one[-1])["data"] for one in told} == {"b"}
    assert len(told) == 50


def test_who_comes_back_gets_what_changed_since_also_from_a_new_console() -> None:
    async def story(broadcast: Broadcast) -> list[str]:
        broadcast.put("live", "a")
        broadcast.put("runs", "b")
        both: frozenset[Topic] = frozenset(("live", "runs"))
        last = parts((await take(broadcast.read(both, 0), 2))[-1])
        broadcast.put("live", "c")
        resumed = await anext(broadcast.read(both, int(last["id"])))
        clock = ManualClock(NOW_US)
        clock.advance(1)
        restarted = Broadcast(clock)
        restarted.put("live", "c")
        last_id = int(parts(resumed)["id"])
        return [resumed, await anext(restarted.read(both, last_id, keep_alive_s=0.2))]

    assert [parts(message)["data"] for message in in_a_loop(story)] == ["c", "c"]


def test_a_comment_comes_where_nothing_changes() -> None:
    async def story(broadcast: Broadcast) -> str:
        return await anext(broadcast.read(LIVE, 0, keep_alive_s=0.01))

    assert in_a_loop(story) == ": still here\n\n"


@pytest.mark.slow
def test_nothing_is_looked_at_while_nobody_reads(console: Console) -> None:
    async def story(broadcast: Broadcast) -> tuple[list[bool], str]:
        work = asyncio.create_task(sample(console.model, broadcast))
        await asyncio.sleep(0)
        before = broadcast.has("live")
        reader = broadcast.read(LIVE, 0)
        message = await anext(reader)
        held = broadcast.has("live")
        await reader.aclose()  # type: ignore[attr-defined]
        work.cancel()
        return [before, held, broadcast.has("live")], message

    console.store([at(1)])
    looked, message = in_a_loop(story)
    assert looked == [False, True, False]
    data = json.loads(parts(message)["data"])
    assert data["full"] is True
    assert data["system"]["buffer"]["events"] == len(data["events"]) == 1


def test_a_catalog_that_cannot_be_read_is_told_in_the_stream(console: Console) -> None:
    console.catalog.close()
    console.root.catalog.write_bytes(b"no database" * 999)

    told = json.loads(snapshot(console.model, "runs"))
    assert told["full"] is False
    assert "cannot read the catalog" in told["problem"]


def test_an_unknown_topic_is_refused(console: Console) -> None:
    assert console.ask("GET", "/api/stream?topics=live,secrets").json()["code"] == "bad_request"


def test_who_comes_between_two_looks_does_not_wait_for_the_next(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("selflow.console.server.stream.TICK_S", 1e6)

    async def story(broadcast: Broadcast) -> str:
        sampling = asyncio.create_task(sample(console.model, broadcast))
        await asyncio.sleep(0)  # it has looked, and waits
        try:
            return await anext(broadcast.read(LIVE, 0))
        finally:
            sampling.cancel()

    assert parts(in_a_loop(story))["event"] == "live"

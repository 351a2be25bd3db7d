"""Buckets: made, described, deleted."""

import socket
from dataclasses import replace

from selflow.collect.activitywatch.exchange import bucket_document
from selflow.collect.activitywatch.log_events import source_of
from selflow.collect.activitywatch.reading import StoreReader
from selflow.collect.activitywatch.shapes import bad_request, parse_bucket
from selflow.collect.activitywatch.writing import StoreWriter
from selflow.console.server.activitywatch.calls import AwAnswer, Call, answer
from selflow.core.errors import ApiError
from selflow.core.selection import EventSelection

_OWN_HOST = "!local"
_DELETE_REFUSED = (
    "Deleting buckets is only permitted if the server is running in testing mode or if ?force=1"
)


async def list_buckets(call: Call) -> AwAnswer:
    """All of them, by id."""

    def work(reader: StoreReader) -> dict[str, object]:
        return {bucket.id: bucket_document(reader, bucket) for bucket in reader.buckets()}

    return answer(await call.service.read(work))


async def show_bucket(call: Call) -> AwAnswer:
    """One of them."""
    (name,) = call.names
    return answer(
        await call.service.read(lambda reader: bucket_document(reader, reader.bucket(name)))
    )


async def create_bucket(call: Call) -> AwAnswer:
    """Make one; 304 without a body if it is there."""
    (name,) = call.names
    raw = call.json()
    bucket = parse_bucket(name, raw, call.service.model.clock.now_us())
    if bucket.hostname == _OWN_HOST:
        device = await call.service.read(lambda reader: reader.device_id())
        data = {**bucket.data, "device_id": device}
        bucket = replace(bucket, hostname=socket.gethostname(), data=data)
    if await call.service.write(lambda writer: writer.create(bucket)):
        call.service.forget_bucket(name)
        return AwAnswer()
    return AwAnswer(b"", 304)


async def change_bucket(call: Call) -> AwAnswer:
    """Change what is given of its description."""
    (name,) = call.names
    raw = call.json()
    if not isinstance(raw, dict):
        raise bad_request("a bucket must be an object")

    def work(writer: StoreWriter) -> None:
        known = StoreReader(writer.connection).bucket(name)
        before = {
            "type": known.type,
            "client": known.client,
            "hostname": known.hostname,
            "name": known.name,
            "data": dict(known.data),
        }
        given = {key: value for key, value in raw.items() if key in before}
        bucket = parse_bucket(name, {**before, **given}, known.created_us)
        writer.change(bucket)

    await call.service.write(work)
    call.service.forget_bucket(name)
    return AwAnswer()


async def delete_bucket(call: Call) -> AwAnswer:
    """Delete it with its events, and queue the deletion of what was learned from them."""
    (name,) = call.names
    if not call.settings.testing and call.argument("force") != "1":
        raise ApiError(401, "DeleteBucketUnauthorized", _DELETE_REFUSED)

    def work(writer: StoreWriter) -> int:
        count = writer.connection.execute("SELECT count(*) FROM events").fetchone()[0]
        writer.delete_bucket(name)
        left = writer.connection.execute("SELECT count(*) FROM events").fetchone()[0]
        return int(count - left)

    await call.service.bucket(name)
    job = ""
    count = await call.service.write(work)
    call.service.forget_bucket(name)
    if count:
        selection = EventSelection(source=source_of(name))
        job = call.service.forget_in_log(selection, count, call.actor)
    return AwAnswer(headers=(("x-selflow-job", job),) if job else ())

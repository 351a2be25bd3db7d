"""What is about the whole store: who it is, exports, imports, settings of clients, queries."""

import asyncio
import codecs
import socket
import tempfile
from collections.abc import Callable, Iterator
from importlib.metadata import version
from typing import IO

from selflow.collect.activitywatch.exchange import ImportCount, Importer, export_text
from selflow.collect.activitywatch.reading import StoreReader
from selflow.collect.activitywatch.shapes import bad_request, canonical
from selflow.console.server.activitywatch.calls import AwAnswer, Call, answer
from selflow.core.errors import ApiError

MAX_IMPORT_BYTES = 1_000_000_000
_MAX_KEY_CHARS = 127
_MAX_PART_HEAD_BYTES = 65_536


async def info(call: Call) -> AwAnswer:
    """Who answers."""
    device = await call.service.read(lambda reader: reader.device_id())
    return answer(
        {
            "hostname": socket.gethostname(),
            "version": f"v{version('selflow')} (selflow)",
            "testing": call.settings.testing,
            "device_id": device,
        }
    )


async def export_all(call: Call) -> AwAnswer:
    """Everything, as a file."""

    def pieces(reader: StoreReader) -> Iterator[str]:
        return export_text(reader, reader.buckets())

    return _attachment(call.service.pieces(pieces), "aw-buckets-export.json")


async def export_bucket(call: Call) -> AwAnswer:
    """One bucket, as a file."""
    (name,) = call.names
    bucket = await call.service.bucket(name)
    plain = "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "_" for c in name)
    pieces = call.service.pieces(lambda reader: export_text(reader, [bucket]))
    return _attachment(pieces, f"aw-bucket-export_{plain}.json")


async def import_export(call: Call) -> AwAnswer:
    """Merge an export, as JSON or as a file of a form; it is never whole in memory."""
    is_form = call.media.startswith("multipart/form-data")
    with tempfile.TemporaryFile(dir=call.service.folder) as file:
        await _receive(call, file)
        file.seek(0)
        if is_form:
            await asyncio.to_thread(_skip_part_head, file)
        importer = Importer(
            call.service.commit, call.service.event_filter, call.service.model.clock
        )
        await asyncio.to_thread(importer.run, _texts(file), ImportCount())
    call.service.forget_buckets()
    return answer(None)


async def list_settings(call: Call) -> AwAnswer:
    """What clients keep here."""
    return answer(await call.service.read(lambda reader: reader.settings()))


async def show_setting(call: Call) -> AwAnswer:
    """One of them, or null."""
    (key,) = call.names
    settings = await call.service.read(lambda reader: reader.settings())
    return answer(settings.get(_key(key)))


async def set_setting(call: Call) -> AwAnswer:
    """Keep any JSON under a key."""
    (key,) = call.names
    value = call.json()
    await call.service.write(lambda writer: writer.set_setting(_key(key), canonical(value)))
    return answer(value)


async def delete_setting(call: Call) -> AwAnswer:
    """Forget it."""
    (key,) = call.names
    await call.service.write(lambda writer: writer.set_setting(_key(key), None))
    return AwAnswer()


async def log(_: Call) -> AwAnswer:
    """Nothing: our logs hold no content, and lie in ``log/`` below the state root."""
    return answer([])


def _attachment(pieces: Iterator[str], name: str) -> AwAnswer:
    disposition = ("content-disposition", f"attachment; filename={name}")
    return AwAnswer(headers=(disposition,), pieces=pieces)


def _key(key: str) -> str:
    if len(key) > _MAX_KEY_CHARS:
        raise bad_request(f"a key has at most {_MAX_KEY_CHARS} characters")
    return key


async def _receive(call: Call, file: IO[bytes]) -> None:
    """The body into a file that has no name.

    Raises:
        ApiError: 413; it is too large. 400; the client left.
    """
    size_bytes = 0
    while True:
        message = await call.receive()
        if message["type"] != "http.request":
            raise bad_request("the body is not complete")
        part = message.get("body", b"")
        size_bytes += len(part)
        if size_bytes > MAX_IMPORT_BYTES:
            raise ApiError(413, "", f"an import has at most {MAX_IMPORT_BYTES:,} bytes")
        file.write(part)
        if not message.get("more_body", False):
            return


def _skip_part_head(file: IO[bytes]) -> None:
    """To the first byte of a form's first file; what stands behind its JSON is not read."""
    begin = file.read(_MAX_PART_HEAD_BYTES)
    named = begin.find(b"filename=")
    end = begin.find(b"\r\n\r\n", named)
    if named < 0 or end < 0:
        raise bad_request("the form holds no file")
    file.seek(end + 4)


def _texts(file: IO[bytes]) -> Callable[[int], str]:
    decoder = codecs.getincrementaldecoder("utf-8")()

    def read(chars: int) -> str:
        while chunk := file.read(chars):
            try:
                text = decoder.decode(chunk)
            except UnicodeDecodeError as error:
                raise bad_request("the export is not UTF-8") from error
            if text:
                return text
        return ""

    return read

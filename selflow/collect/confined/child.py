"""What runs in the child: one file in, one JSON document out, under limits that it sets itself.

Started by ``selflow.collect.confined.runner`` as ``python -I -m selflow.collect.confined.child``;
the file is its standard input, so that it opens no path.
"""

import json
import os
import resource
import sys
from dataclasses import asdict
from typing import BinaryIO

from selflow.collect.confined.exchange import Answer, RefusedFileError, Request

MEMORY_BYTES = 1_000_000_000
"""Of address space, most of it the interpreter's and the libraries'."""
CPU_S = 10


def confine() -> None:
    """Give up what a file could misuse: memory, time, files, new processes."""
    os.nice(10)
    for limit, value in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, CPU_S),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (value, value))


def answer(file: BinaryIO, request: Request) -> Answer:
    """Read a file and answer."""
    try:
        if request.kind == "calendar":
            from selflow.collect.confined.calendar_file import read_calendar

            return read_calendar(file, request)
        from selflow.collect.confined.document_file import read_document

        return read_document(file, request)
    except RefusedFileError as error:
        return Answer(refusal=str(error))
    except (MemoryError, RecursionError):
        return Answer(refusal="needs more memory than is allowed")
    except Exception as error:  # noqa: BLE001  (parsers raise anything; the text may quote the file)
        return Answer(refusal=f"is damaged ({type(error).__name__})")


def run(arguments: list[str]) -> None:
    """Answer the request in the first argument on standard output."""
    request = Request(**json.loads(arguments[0]))
    confine()
    sys.stdout.write(json.dumps(asdict(answer(sys.stdin.buffer, request))))

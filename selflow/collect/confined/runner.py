"""Parsing of foreign files in a child process with limits: a hostile file cannot hurt."""

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from selflow.collect.confined.exchange import Answer, Request
from selflow.core.errors import StoreError

TIMEOUT_S = 120.0
"""Of the wall clock; the child's processor time is limited by itself."""
_START = "import sys; from selflow.collect.confined.child import run; run(sys.argv[1:])"


def read_confined(path: Path, request: Request) -> Answer:
    """What a child makes of a file. Cost: one interpreter, about 0.1 s.

    Raises:
        StoreError: The file is refused: damaged, too large, or it needs too much.
        OSError: It cannot be opened.
    """
    with path.open("rb") as file:
        try:
            ended = subprocess.run(  # noqa: S603  (our own interpreter and our own module)
                [sys.executable, "-I", "-c", _START, json.dumps(asdict(request))],
                stdin=file,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=TIMEOUT_S,
                check=False,
                cwd="/",
                env={"PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8"},
            )
        except subprocess.TimeoutExpired as error:
            raise _refusal(path, "takes longer than is allowed") from error
    if ended.returncode:
        why = "needs more time or memory than is allowed" if ended.returncode < 0 else "is damaged"
        raise _refusal(path, why)
    answer = Answer(**json.loads(ended.stdout))
    if answer.refusal:
        raise _refusal(path, answer.refusal)
    return answer


def _refusal(path: Path, why: str) -> StoreError:
    return StoreError(f"{path} {why}", "it is left out until it changes")

"""Keeps the index of the log up with the log, with at most a quarter of a core."""

import asyncio
import logging
import time

from selflow.console.server.read_model import ReadModel
from selflow.core.errors import StoreError
from selflow.search.follow import BATCH_EVENTS

IDLE_S = 1.0
"""Between two looks at a log in which nothing is new."""
RETRY_S = 10.0
"""After the disk refused."""
_REST = 3.0
"""Times as long as a batch took the next one waits."""
_log = logging.getLogger(__name__)


async def follow_log(model: ReadModel) -> None:
    """Take in what is new, until cancelled."""
    while True:
        try:
            taken, used_s = await asyncio.to_thread(take_in, model)
        except StoreError as error:
            _log.warning("the index of the console waits: %s", error)
            await asyncio.sleep(RETRY_S)
            continue
        await asyncio.sleep(used_s * _REST + 0.01 if taken else IDLE_S)


def take_in(model: ReadModel) -> tuple[int, float]:
    """One batch: how many events, and the processor's seconds that they took. At the end of the log
    its map is given back, whoever has read it: it counts as memory.
    """
    began_s = time.thread_time()
    with model.reading() as log:
        taken = model.index.follow(log) if log else 0
    if taken < BATCH_EVENTS:
        model.release_log()
    return taken, time.thread_time() - began_s

"""Hands what watchers sent to the collector's door: the log has each event once."""

from selflow.collect.activitywatch.handing import BATCH_SOURCE, HandedBatch, alone
from selflow.console.server.activitywatch.service import AwService
from selflow.core.codec import WireLimits
from selflow.core.errors import NotRunningError, RefusedError, SelFlowError, public_text
from selflow.core.session_files import read_endpoints

LIMIT_S = 20.0
_MAX_BATCHES = 50
"""In one pass; then the next second's work has its turn."""


def hand_over(service: AwService) -> str:
    """Send what is finished, and wait until the log has it; why the rest waits, empty if nothing
    does. For one thread at a time.
    """
    endpoints = read_endpoints(service.model.root)
    address = endpoints.ingest if endpoints else None
    now_us = service.model.clock.now_us()
    try:
        for _ in range(_MAX_BATCHES):
            with alone(service.folder):
                batch = service.handing.next(now_us)
                if batch is None:
                    return ""
                if address is None:
                    return "SelFlow is not running; the events wait"
                if batch.events:
                    _send(address, batch, _limits(service))
                service.handing.done(batch.number)
    except (NotRunningError, RefusedError) as error:
        return str(error)
    except SelFlowError as error:
        return public_text(error)
    return ""


def _send(address: str, batch: HandedBatch, limits: WireLimits) -> None:
    from selflow.sdk.ingest import IngestClient  # zmq: 6 MB that few consoles need

    with IngestClient(address, BATCH_SOURCE, limits=limits) as client:
        client.send_batch(batch.batch_id, batch.events)
        client.flush(LIMIT_S)


def _limits(service: AwService) -> WireLimits:
    ingest = service.model.settings().ingest
    return WireLimits(
        ingest.max_batch_bytes,
        ingest.max_batch_events,
        ingest.max_event_bytes,
        ingest.max_future_s,
    )

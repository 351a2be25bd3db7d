"""A replica put together, without Ray: catalog, artifacts, service, engine, gateway."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from selflow.core.access import Grant
from selflow.core.clock import Clock, SystemClock
from selflow.core.guard import Guard
from selflow.core.paths import Root
from selflow.core.ports import EventFeed, Redactor
from selflow.core.settings import PredictSettings, ServeSettings
from selflow.store.artifacts import ArtifactStore
from selflow.store.catalog import Catalog
from serve.checkpoints import Checkpoints
from serve.engine import Engine
from serve.gateway import make_gateway
from serve.meters import Meters
from serve.service import PredictionService


@dataclass(frozen=True, slots=True)
class AppArgs:
    """What a replica is made of: plain values, the log's feed and the redactor; all of it travels by cloudpickle.

    ``port`` is the port that Serve really listens on (a busy one moves up), for the Host rule; ``resources`` are
    Ray's placement options, empty on a cluster without ours.
    """

    root: Root
    serve: ServeSettings
    predict: PredictSettings
    catalog_url: str
    version: str
    port: int
    feed: EventFeed
    redactor: Redactor
    resources: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Replica:
    """The ASGI application and the engine below it."""

    gateway: Guard
    engine: Engine


def assemble(args: AppArgs, clock: Clock | None = None) -> Replica:
    """Open the catalog and put the rest together; the state is loaded once the engine starts.

    Raises:
        StoreError: The catalog cannot be opened; Serve tries again.
    """
    clock = clock or SystemClock()
    catalog = Catalog.open(args.root.catalog, args.catalog_url)
    meters = Meters()

    def make() -> PredictionService:
        checkpoints = Checkpoints(catalog, ArtifactStore(args.root.artifacts), args.predict, clock)
        return PredictionService(catalog, checkpoints, args.redactor, clock, meters, args.predict.checkpoint_steps)

    def verify(token: str) -> Grant | None:
        return catalog.tokens.verify(token, clock.now_us())

    engine = Engine(make, args.feed, clock, meters, args.version)
    return Replica(make_gateway(engine, args.serve, args.port, verify, clock, meters), engine)

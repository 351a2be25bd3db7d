"""A replica put together, without Ray: catalog, artifacts, registry, service, engine, gateway."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selflow.core.catalog_location import catalog_of_session
from selflow.core.clock import Clock, SystemClock
from selflow.core.grants import Grant
from selflow.core.paths import Root
from selflow.core.ports import EventFeed, Redactor
from selflow.core.settings import LmSettings, PredictSettings, RouterSettings, ServeSettings
from selflow.core.surfaces import LINE_SURFACES
from selflow.store.artifacts import ArtifactStore
from selflow.store.catalog import Catalog
from selflow.store.log import FillReader
from selflow.store.records import AgentVersion
from selflow.store.session_metrics import SessionMetrics
from selflow.text.byte_model import shipped_base
from selflow.web.bodies import App
from serve.checkpoints import Checkpoints
from serve.engine import Engine
from serve.gateway import make_app, make_gateway
from serve.line_agents import LineAgents
from serve.model_registry import ModelRegistry
from serve.openai import Texts
from serve.request_metrics import RequestMetrics
from serve.service import PredictionService
from serve.suggest_socket import SuggestSocket
from serve.suggestions import Suggestions
from serve.text_engine import TextEngine
from serve.text_state import LoadModel

if TYPE_CHECKING:
    from selflow.lm.host import AgentHost


@dataclass(frozen=True, slots=True)
class AppArgs:
    """What a replica is made of: plain values, the log's feed and the redactor; all of it travels
    by cloudpickle.

    ``port`` is the port that Serve really listens on (a busy one moves up), for the Host rule;
    ``resources`` are Ray's placement options, empty on a cluster without ours.
    """

    root: Root
    serve: ServeSettings
    predict: PredictSettings
    version: str
    config_hash: str
    port: int
    feed: EventFeed
    redactor: Redactor
    resources: Mapping[str, Any]
    lm: LmSettings
    router: RouterSettings


@dataclass(frozen=True, slots=True)
class Replica:
    """The ASGI application and the engine below it."""

    gateway: App
    engine: Engine


def assemble(
    args: AppArgs,
    clock: Clock | None = None,
    make_host: "Callable[[Path], AgentHost] | None" = None,
    seed: int | None = None,
    last_seq: Callable[[], int] | None = None,
    load_model: LoadModel = shipped_base,
) -> Replica:
    """Open the catalog and put the rest together; the state is loaded once the engine starts.

    Args:
        args: What it is made of.
        clock: The machine's, unless a test turns another.
        make_host: Loads a base folder, unless a test has none.
        seed: Where the router's chance comes from; None is the system's.
        last_seq: Number of the last stored event, unless it is read from the log.
        load_model: The language model of lines, unless a test has another.

    Raises:
        StoreError: The catalog cannot be opened; Serve tries again.
    """
    clock, location = clock or SystemClock(), catalog_of_session(args.root)
    catalog, log = Catalog.open(location), FillReader(args.root.events)
    artifacts, request_metrics = ArtifactStore(args.root.artifacts), RequestMetrics()
    request_metrics.register(SessionMetrics(location, log.fill))

    load = make_host or _loader(args.lm)
    registry = ModelRegistry(catalog, artifacts, load, args.router, clock, seed)
    suggestions = Suggestions(
        catalog, args.redactor, registry, clock, request_metrics, str(Path.home())
    )

    def make() -> PredictionService:
        at_rest = ArtifactStore(args.root.artifacts)  # anew: a disk that slept may be awake
        checkpoints = Checkpoints(catalog, at_rest, args.predict, clock, log.forgotten)
        return PredictionService(
            catalog,
            suggestions,
            checkpoints,
            args.redactor,
            registry,
            clock,
            request_metrics,
            args.predict.checkpoint_steps,
        )

    engine = Engine(
        make,
        args.feed,
        last_seq or log.last_seq,
        registry,
        _text_engine(args, catalog, suggestions, load_model, clock),
        clock,
        request_metrics,
        args.version,
        args.config_hash,
        args.root.path,
    )
    texts = Texts(registry, catalog, clock, request_metrics)
    return Replica(_gateway(args, engine, texts, catalog, clock, request_metrics), engine)


def _text_engine(
    args: AppArgs,
    catalog: Catalog,
    suggestions: Suggestions,
    load_model: LoadModel,
    clock: Clock,
) -> TextEngine:
    artifacts = ArtifactStore(args.root.artifacts)

    def champions() -> list[AgentVersion]:
        return [one for surface in LINE_SURFACES for one in catalog.agents.champions(surface)]

    learns = args.lm.adapter_learns
    agents = LineAgents(champions, artifacts, args.feed, load_model, clock, adapter_learns=learns)
    return TextEngine(args.feed, suggestions, agents, clock, args.predict.checkpoint_steps)


def _loader(settings: LmSettings) -> "Callable[[Path], AgentHost]":
    def load(folder: Path) -> "AgentHost":
        from selflow.lm.host import AgentHost  # torch stays out of a replica without agents

        return AgentHost(folder, settings.device)

    return load


def _gateway(
    args: AppArgs,
    engine: Engine,
    texts: Texts,
    catalog: Catalog,
    clock: Clock,
    request_metrics: RequestMetrics,
) -> App:
    def verify(token: str) -> Grant | None:
        return catalog.tokens.verify(token, clock.now_us())

    path = args.root.socket("suggest.sock")
    suggest_socket = SuggestSocket(path, args.serve, clock, request_metrics.answered)
    app = make_app(engine, texts, request_metrics, suggest_socket)
    return make_gateway(app, args.serve, args.port, verify, clock, request_metrics)

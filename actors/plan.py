"""The plan of a session: what has to exist, in plain values that travel to every service."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selflow.core.catalog_location import CatalogLocation, catalog_of_session
from selflow.core.config import collector_settings, config_hash
from selflow.core.paths import Root
from selflow.core.settings import RouterSettings, Settings

if TYPE_CHECKING:
    from selflow.store.catalog import Catalog

_GPU_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Plan:
    """All that the supervisor needs to make the services, and to see when one runs on other
    settings.
    """

    root: Root
    settings: Settings
    """As ``config.by_reference`` gives them."""
    version: str
    inference_port: int
    has_resources: bool
    """Whether the cluster has our custom resources; a plain ``ray start --head`` has none."""
    gpu_share: float
    """Of a GPU, for each process that runs a model; Ray hides GPUs from processes that ask for
    none.
    """

    @property
    def config_hash(self) -> str:
        """One hash of all settings."""
        return config_hash(self.settings)

    @property
    def catalog_location(self) -> CatalogLocation:
        """Where the catalog is: what the session recorded, so that no URL travels."""
        return catalog_of_session(self.root)

    def catalog(self) -> "Catalog":
        """The open catalog; the caller closes it. SQLAlchemy is imported only here."""
        from selflow.store.catalog import Catalog

        return Catalog.open(self.catalog_location)

    def placement(self, resource: str, share: float = 0.01) -> dict[str, Any]:
        """Ray options that put a service where ``resource`` is, on any cluster that has it."""
        return {"resources": {resource: share}} if self.has_resources else {}

    def accelerated(self) -> dict[str, Any]:
        """Ray options of a process that runs a model."""
        return {"num_gpus": self.gpu_share} if self.gpu_share else {}


def gpu_share(settings: Settings, resources: Mapping[str, float]) -> float:
    """A fifth where the cluster has a GPU and ``lm.device`` lets it be used: replica, trials and
    one stage fit in.
    """
    return _GPU_SHARE if resources.get("GPU", 0.0) > 0 and settings.lm.device != "cpu" else 0.0


@dataclass(frozen=True, slots=True)
class BufferSection:
    """What the buffer is made of."""

    events: Path
    budget_bytes: int
    credits: int
    version: str
    config_hash: str


@dataclass(frozen=True, slots=True)
class CollectorSection:
    """What the collector is made of."""

    root: Root
    settings: Settings
    version: str
    config_hash: str


def serve_hash(plan: Plan) -> str:
    """One hash of the settings that the Serve application is made of."""
    given = plan.settings
    privacy, store = given.privacy, given.store
    section = Settings(
        serve=given.serve,
        predict=given.predict,
        lm=given.lm,
        router=given.router,
        privacy=privacy,
        store=store,
    )
    return config_hash(section)


def buffer_section(plan: Plan) -> BufferSection:
    """The buffer's part of a plan."""
    section = plan.settings.buffer
    return BufferSection(
        plan.root.events, section.budget_bytes, section.credits, plan.version, config_hash(section)
    )


def collector_section(plan: Plan) -> CollectorSection:
    """The collector's part of a plan; sources, privacy and ingest settings make its hash."""
    section = collector_settings(plan.settings)
    return CollectorSection(plan.root, section, plan.version, config_hash(section))


@dataclass(frozen=True, slots=True)
class LearnerSection:
    """What a service that only launches is made of; each request brings its plan along."""

    version: str
    config_hash: str


@dataclass(frozen=True, slots=True)
class RouterSection:
    """What the router is made of."""

    root: Root
    router: RouterSettings
    version: str
    config_hash: str


def learner_section(plan: Plan) -> LearnerSection:
    """The same for clusterer, trainer and evaluator."""
    return LearnerSection(plan.version, plan.version)


def router_section(plan: Plan) -> RouterSection:
    """The router's part of a plan."""
    section = Settings(router=plan.settings.router, store=plan.settings.store)
    return RouterSection(plan.root, section.router, plan.version, config_hash(section))

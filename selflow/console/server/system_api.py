"""``/health``, ``/api/version`` and ``/api/system``: what runs, and when it learns next."""

from importlib.metadata import version

from selflow.console.server.read_model import Model
from selflow.console.server.routes import Routes
from selflow.console.server.system_view import system_document
from selflow.console.server.wire import SystemAnswer, VersionAnswer
from selflow.sdk.wire import HealthAnswer

API_VERSION = 1
routes = Routes()


@routes.get("/health", None)
def health() -> HealthAnswer:
    """That the console answers; no user data."""
    return HealthAnswer(status="ok", version=version("selflow"))


@routes.get("/api/version", "view")
def api_version(model: Model) -> VersionAnswer:
    """The versions of program, API and catalog."""
    return VersionAnswer(
        version=version("selflow"), api=API_VERSION, schema_version=model.catalog.schema_version()
    )


@routes.get("/api/system", "view")
def system(model: Model) -> SystemAnswer:
    """What runs, how full the buffer is, and when the next cycle starts."""
    return system_document(model)

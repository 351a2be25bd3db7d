"""``GET /api/tray``: the tray's picture in one document."""

from selflow.console.server.read_model import Model
from selflow.console.server.routes import Routes
from selflow.console.server.tray_view import tray_state
from selflow.console.tray.state import TrayState

routes = Routes()


@routes.get("/api/tray", "view")
def tray(model: Model) -> TrayState:
    """What the tray shows; a figure that nothing tells is null."""
    return tray_state(model)

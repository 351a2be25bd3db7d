"""The Unix socket by which shells ask for suggestions: the owner's alone, without a token."""

from pathlib import Path

from selflow.core.clock import Clock
from selflow.core.settings import ServeSettings
from selflow.web.guard import Observe
from selflow.web.owner_listener import OwnerListener
from serve.routes import policies

ROUTES = (("POST", "/v1/suggest"), ("POST", "/v1/feedback"))


class SuggestSocket(OwnerListener):
    """Listens while the replica serves, on two of its routes."""

    def __init__(self, path: Path, settings: ServeSettings, clock: Clock, observe: Observe) -> None:
        all_policies = policies(settings)
        super().__init__(path, {route: all_policies[route] for route in ROUTES}, clock, observe)

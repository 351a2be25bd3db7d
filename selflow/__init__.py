"""SelFlow: a private AI that grows on its owner's machine.

The public face: a few names, resolved on first use, so that ``import selflow`` stays light.
"""

from importlib import import_module
from importlib.metadata import version as _distribution_version

_FACE = {
    "Event": "selflow.core.events",
    "SelFlowError": "selflow.core.errors",
    "IngestClient": "selflow.sdk.ingest",
    "Client": "selflow.sdk.client",
}

__all__ = ["Client", "Event", "IngestClient", "SelFlowError", "__version__"]


def __getattr__(name: str) -> object:
    """Resolve a public name on first use (PEP 562)."""
    if name == "__version__":
        return _distribution_version("selflow")
    if name in _FACE:
        return getattr(import_module(_FACE[name]), name)
    raise AttributeError(f"module 'selflow' has no attribute {name!r}")

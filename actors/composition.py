"""The composition root, inside Ray: the catalog made ready, the plan, the supervisor."""

import threading
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayActorError

from actors.launch import RESOURCES, RaySession
from actors.plan import Plan
from actors.shell import ServiceRef
from actors.supervisor import SupervisorActor, SupervisorShell
from selflow.core.clock import SystemClock
from selflow.core.errors import NotRunningError
from selflow.core.paths import Root
from selflow.core.settings import Settings
from selflow.store.catalog import Catalog

_SUPERVISOR = ServiceRef("supervisor", SupervisorShell)
_END_LIMIT_S = 120.0


def make_plan(root: Root, settings: Settings, version: str, inference_port: int) -> Plan:
    """The plan for the cluster that this process is connected to."""
    has_resources = set(RESOURCES) <= set(ray.cluster_resources())
    return Plan(root, settings, version, inference_port, has_resources)

"""The composition root, inside Ray: the catalog made ready, the plan, the supervisor."""

import logging
import time
from contextlib import suppress
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayActorError, RayError

from actors.plan import Plan, gpu_share
from actors.ray_head import RESOURCES
from actors.services import RETIRE_LIMIT_S, deploy, withdraw
from actors.shell import ServiceRef
from actors.supervisor import SupervisorActor, SupervisorShell
from selflow.core.catalog_location import locate_catalog, record_catalog
from selflow.core.clock import SystemClock
from selflow.core.config import by_reference
from selflow.core.errors import NotRunningError, SelFlowError, StoreError, public_text
from selflow.core.paths import Root, write_private
from selflow.core.settings import Settings
from selflow.core.trigger_limits import TriggerLimits
from selflow.store.catalog import Catalog
from selflow.store.records import Service
from selflow.store.session_facts import SessionFacts

_SUPERVISOR = ServiceRef("supervisor", SupervisorShell)
_END_LIMIT_S = 120.0
_POLL_S = 0.1


def prepare_catalog(root: Root, settings: Settings, *, serving: bool) -> None:
    """Bring the catalog to this program's schema, note the session, and make the owner's token if
    there is none.
    """
    catalog = Catalog.open(locate_catalog(root, settings.store.catalog_url))
    try:
        now_us = SystemClock().now_us()
        record_catalog(root, settings.store.catalog_url)
        catalog.facts.begin(
            SessionFacts(
                is_serving=serving,
                budget_bytes=settings.buffer.budget_bytes,
                check_interval_s=settings.supervisor.check_interval_s,
                trigger=TriggerLimits.of(settings),
            ),
            now_us,
        )
        if not root.token.exists():
            write_private(root.token, catalog.tokens.renew_owner(now_us))
    finally:
        catalog.close()


def make_plan(root: Root, settings: Settings, version: str, inference_port: int) -> Plan:
    """The plan for the cluster that this process is connected to."""
    resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    has_resources, share = set(RESOURCES) <= set(resources), gpu_share(settings, resources)
    plain = by_reference(settings)
    return Plan(root, plain, version, inference_port, has_resources, share)


def open_serving(plan: Plan) -> str:
    """Deploy the inference service from this process, on a cluster that was just started.

    Deploying is the supervisor's work. But Serve's processes start one after another, and behind a
    supervisor that starts six more at the same time answers come 10 s later. What fails here is
    tried again by the supervisor, which finds no service.

    Returns:
        What failed, for the owner; empty if the service runs.
    """
    from ray import serve as ray_serve  # its import sets a logger up that writes to the terminal

    logging.getLogger(ray_serve.__name__).setLevel(logging.WARNING)
    try:
        deploy(plan)
    except (SelFlowError, RayError, RuntimeError, TimeoutError) as error:
        return public_text(error)
    return ""


def ensure_supervisor(
    plan: Plan, *, serving: bool, has_moved: bool = False, limit_s: float
) -> None:
    """Make the supervisor, or replace one that runs on other settings, and wait until every service
    answers.

    Args:
        plan: What is to run.
        serving: Whether Serve is part of it.
        has_moved: Whether the session listened on another port so far. Serve cannot move: it is
            ended, and the new supervisor deploys it at once, where it would else give it
            ``govern.serving.PATIENCE_S`` to answer on the new port.
        limit_s: How long to wait.

    Raises:
        StoreError: Something did not become ready in time; the message names it and its last error.
    """
    since_us = 0
    if not _is_as_requested(plan):
        since_us = _retired_at_us()
        if has_moved:
            with suppress(RayError):  # then the new supervisor ends it after its patience
                ray.get(withdraw.remote(), timeout=RETIRE_LIMIT_S)
    SupervisorActor.options(
        name="supervisor",
        lifetime="detached",
        get_if_exists=True,
        num_cpus=0,
        max_restarts=-1,
        **plan.placement("edge"),
    ).remote(plan)
    wait_ready(
        plan,
        {"supervisor", "buffer", "collector", *(["serve"] if serving else [])},
        limit_s,
        since_us,
    )


def wait_ready(plan: Plan, names: set[str], limit_s: float, since_us: int = 0) -> None:
    """Wait until the supervisor has seen each service answer; what was seen before ``since_us`` was
    another's.

    Raises:
        StoreError: Not in time.
    """
    catalog = plan.catalog()
    try:
        deadline_s = time.monotonic() + limit_s
        while late := names - {
            service.name
            for service in catalog.services.list_all()
            if service.state == "ok" and service.seen_at_us >= since_us
        }:
            if time.monotonic() > deadline_s:
                raise _late(late, catalog.services.list_all(), limit_s, plan.root)
            SystemClock().sleep(_POLL_S)
    finally:
        catalog.close()


def end_services() -> None:
    """Have the supervisor end every service gracefully, then end it."""
    with suppress(NotRunningError, RayError):
        ray.get(_SUPERVISOR.handle().withdraw.remote(), timeout=_END_LIMIT_S)
    _SUPERVISOR.kill()


def _is_as_requested(plan: Plan) -> bool:
    """Whether a supervisor runs on this plan."""
    with suppress(NotRunningError, RayActorError, GetTimeoutError):
        supervisor: Any = _SUPERVISOR.handle()
        health = ray.get(supervisor.health.remote(), timeout=10)
        return (health.version, health.config_hash) == (plan.version, plan.config_hash)
    return False


def _retired_at_us() -> int:
    """When the supervisor of another plan was gone. Killing is asynchronous: nobody may bear the
    name (0.1 s).
    """
    _SUPERVISOR.kill()
    deadline_s = time.monotonic() + 10
    with suppress(NotRunningError):
        while time.monotonic() < deadline_s:
            _SUPERVISOR.handle()
            SystemClock().sleep(_POLL_S)
    return SystemClock().now_us()


def _late(late: set[str], seen: list[Service], limit_s: float, root: Root) -> StoreError:
    errors = {service.name: service.last_error for service in seen}
    said = "; ".join(f"{name}: {errors.get(name) or 'no answer'}" for name in sorted(late))
    return StoreError(
        f"not ready within {limit_s:.0f} s: {said}", f"see selflow logs, or the files in {root.log}"
    )

"""The services as the supervisor sees them: look, make, retire, end. One form for actors and for
Ray Serve.
"""

import http.client
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from http import HTTPStatus
from typing import Any, Generic, Protocol, TypeVar

import ray
from ray.actor import ActorClass
from ray.exceptions import (
    ActorDiedError,
    ActorUnavailableError,
    GetTimeoutError,
    RayActorError,
    RayError,
)

from actors.buffer import BufferActor, BufferLink, BufferShell
from actors.collector import CollectorActor, CollectorShell
from actors.launchers import (
    ClustererActor,
    ClustererShell,
    EvaluatorActor,
    EvaluatorShell,
    TrainerActor,
    TrainerShell,
)
from actors.node_processes import serve_replica
from actors.plan import (
    Plan,
    buffer_section,
    collector_section,
    learner_section,
    router_section,
    serve_hash,
)
from actors.router import RouterActor, RouterShell
from actors.shell import ServiceRef
from selflow.core.clock import Clock, SystemClock
from selflow.core.errors import NotRunningError, StoreError
from selflow.core.health import Health
from selflow.core.processes import after_boot_us
from selflow.govern.serving import Reply, ServingWatch
from selflow.govern.supervise import Seen

T = TypeVar("T")
RETIRE_LIMIT_S = 30.0
DEPLOY_LIMIT_S = 120.0
_DEPLOY_POLL_S = 0.1
SERVE_APP = "selflow"


class Service(Protocol):
    """One thing that the supervisor keeps alive."""

    name: str
    version: str
    config_hash: str
    misses_allowed: int

    def look(self, timeout_s: float) -> Seen:
        """Ask for its health."""
        ...

    def create(self) -> None:
        """Make it; returns before it is ready."""
        ...

    def retire(self) -> None:
        """End it gracefully, by force after ``RETIRE_LIMIT_S``; its name is free afterwards."""
        ...

    def end(self) -> None:
        """End it at once."""
        ...


class ActorService(Generic[T]):
    """A detached, named actor."""

    def __init__(
        self,
        plan: Plan,
        name: str,
        actor: ActorClass[T],
        shell: type[T],
        section: Any,  # noqa: ANN401  (each actor has its own kind)
        resource: str,
    ) -> None:
        self.name = name
        self.version = section.version
        self.config_hash = section.config_hash
        self.misses_allowed = plan.settings.supervisor.misses
        self._ref = ServiceRef(name, shell)
        self._make: Callable[[], object] = lambda: actor.options(
            name=name,
            lifetime="detached",
            get_if_exists=True,
            num_cpus=0,
            max_restarts=0,
            max_pending_calls=64,
            **plan.placement(resource),
        ).remote(section)

    def look(self, timeout_s: float) -> Seen:
        """Ask the actor's own concurrency group, so that long calls do not look like death."""
        try:
            handle: Any = self._ref.handle()
            health: Health = ray.get(handle.health.remote(), timeout=timeout_s)
        except NotRunningError:
            return "absent"
        except ActorDiedError:
            return "dead"
        except (ActorUnavailableError, GetTimeoutError):
            return "silent"
        return health

    def create(self) -> None:
        """Ask Ray for the actor."""
        self._make()

    def retire(self) -> None:
        """Let it finish its queue and flush."""
        with suppress(NotRunningError, RayActorError, GetTimeoutError):
            handle: Any = self._ref.handle()
            ray.get(handle.__ray_terminate__.remote(), timeout=RETIRE_LIMIT_S)
        self.end()

    def end(self) -> None:
        """Kill it."""
        self._ref.kill()


class ServeService:
    """The Serve application. Serve heals itself; we deploy it, and deploy it again if it stays
    away.
    """

    name = "serve"

    def __init__(self, plan: Plan, clock: Clock) -> None:
        self.version = plan.version
        self.config_hash = serve_hash(plan)
        self.misses_allowed = 1  # the watch below has waited already
        self.last_error = ""
        self._plan = plan
        self._clock = clock
        self._deploying: Any = None
        self._watch = ServingWatch()

    def look(self, timeout_s: float) -> Seen:
        """Ask over HTTP, as a client would."""
        if self._is_deploying():
            return self._health(0, "starting", {})
        reply, answer = _get_health(self._plan, timeout_s)
        replica = serve_replica()
        state = self._watch.observe(
            reply, self._clock.monotonic_s(), has_replica=replica is not None
        )
        if state in {"absent", "silent"}:
            return state
        if state == "ok" and answer.get("status") != "ok":
            state = "degraded"
        if replica is None:
            return self._health(0, state, answer)
        rss_bytes = replica.memory_info().rss
        return replace(self._health(replica.pid, state, answer), rss_bytes=rss_bytes)

    def create(self) -> None:
        """Deploy from a task that exits: no resident actor holds a Serve handle."""
        self._watch.forget()
        self._deploying = _deploy_apart.remote(self._plan)

    def retire(self) -> None:
        """Withdraw the application, so that its replica saves what it has learned."""
        if self._watch.seen_s is None and self._deploying is None:
            return
        with suppress(RayError):
            ray.get(withdraw.remote(), timeout=RETIRE_LIMIT_S)

    def end(self) -> None:
        """Withdraw it; a wedged controller is shut down by the same call."""
        self.retire()

    def _is_deploying(self) -> bool:
        if self._deploying is None:
            return False
        ready, _ = ray.wait([self._deploying], timeout=0)
        if not ready:
            return True
        done, self._deploying = self._deploying, None
        try:
            ray.get(done)
            self.last_error = ""
            self._watch.expect(self._clock.monotonic_s())
        except RayError as error:
            self.last_error = f"deployment failed: {type(error).__name__}"
        return False

    def _health(
        self,
        pid: int,
        state: Any,  # noqa: ANN401  (what Serve says of the replica)
        answer: Mapping[str, Any],
    ) -> Health:
        """``answer`` names the version and the settings that really run; one that does not answer
        names none.
        """
        reasons = (self.last_error, self._watch.reason, str(answer.get("last_error", "")))
        return Health(
            name=self.name,
            version=answer.get("version", self.version),
            config_hash=answer.get("config_hash", self.config_hash),
            pid=pid,
            after_boot_us=after_boot_us(pid) or 0,
            state=state,
            lag_events=int(answer.get("lag_events", 0)),
            last_error="; ".join(filter(None, reasons))[:500],
            rss_bytes=0,
        )


def planned(plan: Plan) -> tuple[Service, ...]:
    """The actors of a plan, in the order in which they are made."""
    learner = learner_section(plan)
    return (
        ActorService(plan, "buffer", BufferActor, BufferShell, buffer_section(plan), "store"),
        ActorService(
            plan, "collector", CollectorActor, CollectorShell, collector_section(plan), "edge"
        ),
        ActorService(plan, "clusterer", ClustererActor, ClustererShell, learner, "edge"),
        ActorService(plan, "trainer", TrainerActor, TrainerShell, learner, "edge"),
        ActorService(plan, "evaluator", EvaluatorActor, EvaluatorShell, learner, "edge"),
        ActorService(plan, "router", RouterActor, RouterShell, router_section(plan), "edge"),
    )


def _get_health(plan: Plan, timeout_s: float) -> tuple[Reply, dict[str, Any]]:
    """What the health route says to the owner, who is told more than others."""
    connection = http.client.HTTPConnection("127.0.0.1", plan.inference_port, timeout=timeout_s)
    headers = {}
    with suppress(OSError):
        headers["Authorization"] = f"Bearer {plan.root.token.read_text(encoding='utf-8').strip()}"
    try:
        connection.request("GET", "/health", headers=headers)
        response = connection.getresponse()
        answer = json.loads(response.read())
    except ConnectionRefusedError:
        return "refused", {}
    except (OSError, ValueError, http.client.HTTPException):
        return "late", {}
    finally:
        connection.close()
    is_healthy = response.status == HTTPStatus.OK and isinstance(answer, dict)
    return response.status, answer if is_healthy else {}


def deploy(plan: Plan) -> None:
    """Start Ray Serve on loopback, deploy the application, and wait until it runs.

    Raises:
        StoreError: It does not run after ``DEPLOY_LIMIT_S``, or Serve has given it up.
        RayError: Serve has died.
    """
    from ray import serve as ray_serve

    from selflow.collect.redact import make_redactor
    from serve.app import AppArgs, build
    from serve.front_door import environment

    settings = plan.settings
    args = AppArgs(
        root=plan.root,
        serve=settings.serve,
        predict=settings.predict,
        lm=settings.lm,
        router=settings.router,
        version=plan.version,
        config_hash=serve_hash(plan),
        port=plan.inference_port,
        feed=BufferLink(),
        redactor=make_redactor(settings.privacy),
        resources={**plan.placement("serve_slot", 1), **plan.accelerated()},
    )
    ray_serve.start(
        proxy_location="HeadOnly",
        http_options={"host": "127.0.0.1", "port": plan.inference_port, "access_log": False},
        # On a cluster that the owner began, Serve may answer for other applications too
        controller_options={"runtime_env": {"env_vars": environment(settings.serve)}}
        if plan.has_resources
        else None,
    )
    target = ray_serve.RunTarget(build(args), name=SERVE_APP, route_prefix="/")
    ray_serve.run_many([target], wait_for_applications_running=False)
    _wait_running(SystemClock())


def _wait_running(clock: Clock) -> None:
    from ray import serve as ray_serve
    from ray.serve.schema import ApplicationStatus

    deadline_s = clock.monotonic_s() + DEPLOY_LIMIT_S
    while True:
        status = ray_serve.status().applications[SERVE_APP].status
        if status == ApplicationStatus.RUNNING:
            return
        if status == ApplicationStatus.DEPLOY_FAILED or clock.monotonic_s() > deadline_s:
            detail = f"the inference service does not run: {status.value}"
            raise StoreError(detail, "see selflow logs")
        clock.sleep(_DEPLOY_POLL_S)


_deploy_apart = ray.remote(num_cpus=0, max_retries=0, max_calls=1)(deploy)
"""``deploy`` in a task that exits."""


@ray.remote(num_cpus=0, max_retries=0, max_calls=1)
def withdraw() -> None:
    """Delete the application, so that its replica stops gracefully, and end Serve; Serve itself
    goes on if the owner of an attached cluster has applications of his own there.
    """
    from ray import serve as ray_serve

    ray_serve.delete(SERVE_APP)
    if not set(ray_serve.status().applications) - {SERVE_APP}:
        ray_serve.shutdown()  # type: ignore[no-untyped-call]

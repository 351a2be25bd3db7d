"""Heavy or heavy-importing steps, each a Ray task whose process exits and gives its memory back."""

from typing import Any

import ray

from actors.links import BufferLink
from actors.plan import Plan, serve_hash

SERVE_APP = "selflow"
READ_EVENTS = 500


@ray.remote(num_cpus=0, max_retries=0, max_calls=1)
def deploy(plan: Plan) -> None:
    """Start Ray Serve on loopback and deploy the application; returns without waiting for the
    replica.

    A Serve that listens on another port is ended first: it cannot move.
    """
    from ray import serve as ray_serve

    from selflow.collect.redact import make_redactor
    from selflow.core.listening import listens
    from serve.app import AppArgs, build
    from serve.front_door import environment

    settings = plan.settings
    args = AppArgs(
        root=plan.root,
        serve=settings.serve,
        predict=settings.predict,
        lm=settings.lm,
        router=settings.router,
        catalog_url=settings.store.catalog_url,
        version=plan.version,
        config_hash=serve_hash(plan),
        port=plan.inference_port,
        feed=BufferLink(),
        redactor=make_redactor(settings.privacy),
        resources={**plan.placement("serve_slot", 1), **plan.accelerated()},
    )
    if SERVE_APP in ray_serve.status().applications and not listens(
        f"127.0.0.1:{plan.inference_port}"
    ):
        _end_serve()
    ray_serve.start(
        proxy_location="HeadOnly",
        http_options={"host": "127.0.0.1", "port": plan.inference_port, "access_log": False},
        # On a cluster that the owner began, Serve may answer for other applications too
        controller_options={"runtime_env": {"env_vars": environment(settings.serve)}}
        if plan.has_resources
        else None,
    )
    ray_serve.run(build(args), name=SERVE_APP, route_prefix="/", blocking=False)


@ray.remote(num_cpus=0, max_retries=0, max_calls=1)
def withdraw() -> None:
    """Delete the application, so that its replica stops gracefully, and end Serve."""
    _end_serve()


@ray.remote(num_cpus=1, max_retries=1, max_calls=1)
def learn(plan: Plan) -> dict[str, Any]:
    """Learn everything in the log and save it as the champion.

    Returns:
        ``{"steps", "hit@1", "hit@5", "log_loss_bits", "ece", "upto_seq"}``: predicted first, then
        learned.
    """
    from selflow.core.clock import SystemClock
    from selflow.predict.grades import Tally
    from selflow.store.artifacts import ArtifactStore
    from selflow.store.catalog import Catalog
    from serve.checkpoints import Checkpoints

    settings, feed, tally = plan.settings, BufferLink(), Tally()
    catalog = Catalog.open(plan.root.catalog, settings.store.catalog_url)
    checkpoints = Checkpoints(
        catalog, ArtifactStore(plan.root.artifacts), settings.predict, SystemClock()
    )
    state, _ = checkpoints.open()
    state.seat({})  # agents speak in the replica only; it seats them again
    while events := feed.read(state.cursor, READ_EVENTS):
        for stored in events:
            for grade in state.learn(stored):
                tally.add(grade)
    checkpoints.save(state)
    catalog.close()
    return {**tally.figures(), "upto_seq": state.cursor}


def _end_serve() -> None:
    """Serve itself goes on if the owner of an attached cluster has applications of his own
    there.
    """
    from ray import serve as ray_serve

    ray_serve.delete(SERVE_APP)
    if not set(ray_serve.status().applications) - {SERVE_APP}:
        ray_serve.shutdown()  # type: ignore[no-untyped-call]

"""Heavy or heavy-importing steps, each a Ray task whose process exits and gives its memory back."""

import ray

from actors.buffer import BufferLink
from actors.plan import Plan, serve_hash

SERVE_APP = "selflow"


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
        catalog=plan.catalog_location,
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


def _end_serve() -> None:
    """Serve itself goes on if the owner of an attached cluster has applications of his own
    there.
    """
    from ray import serve as ray_serve

    ray_serve.delete(SERVE_APP)
    if not set(ray_serve.status().applications) - {SERVE_APP}:
        ray_serve.shutdown()  # type: ignore[no-untyped-call]

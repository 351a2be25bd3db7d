"""The Ray Serve application: one fused replica that holds gateway, predictor and agents."""

from ray import serve as ray_serve
from ray.serve.config import BackpressureConfig

from selflow.web.bodies import App
from serve.replica import AppArgs, assemble

__all__ = ["AppArgs", "build"]

DRAIN_S = 30.0
"""Longest time that a replica may take to save what it has learned before it is killed."""


@ray_serve.ingress()
class Inference:
    """The replica. Serve asks it for the ASGI application once it is made, and how it is from time
    to time.
    """

    def __init__(self, args: AppArgs) -> None:
        """Put the replica together; its state is loaded behind ``503 starting``."""
        self._replica = assemble(args)

    def __serve_build_asgi_app__(self) -> App:
        return self._replica.gateway

    def check_health(self) -> None:
        """Serve recreates a replica whose follower has died."""
        self._replica.engine.check()


def build(args: AppArgs) -> ray_serve.Application:
    """The application for ``ray_serve.run(build(args), name="selflow", route_prefix="/")``.

    The gateway refuses in its own envelope long before Serve's queue is full; Serve's limit is the
    fuse.
    """
    deployment = ray_serve.deployment(
        name="Inference",
        num_replicas=1,
        ray_actor_options={"num_cpus": 0, **args.resources},
        max_ongoing_requests=args.serve.running + args.serve.waiting + 24,
        max_queued_requests=16,
        backpressure_config=BackpressureConfig(status_code=429, retry_after_s=1),
        health_check_period_s=2,
        health_check_timeout_s=60,
        graceful_shutdown_wait_loop_s=0.2,
        graceful_shutdown_timeout_s=DRAIN_S,
    )
    return deployment(Inference).bind(args)

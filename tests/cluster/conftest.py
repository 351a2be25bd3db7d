"""One local Ray for the whole folder; each test gets a namespace-wide clean slate and a state root
of its own.
"""

import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from selflow.core.clock import SystemClock
from selflow.core.paths import Root
from selflow.core.settings import LmSettings, Settings, SupervisorSettings
from tests.waiting import PATIENCE

QUICK = SupervisorSettings(check_interval_s=0.2, health_timeout_s=5.0, misses=3)


@pytest.fixture(scope="session")
def ray_session(_session_home: None) -> Iterator[Any]:
    """Ray, started once; "local" joins no foreign cluster, and nothing listens beyond loopback."""
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["RAY_allow_out_of_band_object_ref_serialization"] = "0"  # noqa: SIM112  (Ray's own spelling)
    import ray

    folder = tempfile.mkdtemp(prefix="sf-", dir="/tmp")
    ray.init(
        address="local",
        _temp_dir=folder,
        num_cpus=2,
        include_dashboard=False,
        object_store_memory=100_000_000,
        namespace="selflow",
        runtime_env={"worker_process_setup_hook": "serve.loopback.keep_replicas_on_loopback"},
        log_to_driver=False,
    )
    yield ray
    ray.shutdown()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def root() -> Iterator[Root]:
    """A state root with a short path, for its sockets."""
    folder = Path(tempfile.mkdtemp(prefix="sf-", dir="/tmp"))
    made = Root(folder, folder)
    made.make()
    yield made
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def settings() -> Settings:
    """Quick checks, so that recovery takes less than a second."""
    return Settings(supervisor=QUICK, lm=LmSettings(base="tiny"))


@pytest.fixture
def compose(ray_session: Any, root: Root, settings: Settings) -> Iterator[Callable[..., Any]]:
    """Make the services of a plan, as ``selflow up`` does; they end with the test."""
    from actors import composition
    from actors.ray_head import free_ports

    def make(
        version: str = "test", *, serving: bool = False, wanted: Settings | None = None
    ) -> Any:
        chosen = wanted or settings
        composition.prepare_catalog(root, chosen, serving=serving)
        plan = composition.make_plan(root, chosen, version, free_ports(1)[0])
        composition.ensure_supervisor(plan, serving=serving, limit_s=150 * PATIENCE)
        return plan

    yield make
    composition.end_services()


def kill(pid: int) -> None:
    """kill -9."""
    os.kill(pid, signal.SIGKILL)


@pytest.fixture
def consent(root: Root) -> Callable[[str], None]:
    """Record the owner's consent for a kind of source, as ``selflow init`` does."""
    from selflow.store.catalog import Catalog

    def grant(kind: str) -> None:
        catalog = Catalog.open(root.catalog)
        catalog.consents.grant(kind, {}, SystemClock().now_us(), "owner")
        catalog.close()

    return grant

"""The services in a real Ray: made, found, watched, killed, recreated."""

from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

import psutil
import pytest

from selflow.core.codec import encode_record
from selflow.core.errors import StoreError
from selflow.core.events import Event
from selflow.core.paths import Root
from selflow.core.settings import BufferSettings, LearningSettings, Settings
from selflow.store.reading import CatalogReader
from selflow.store.records import Cycle
from tests.cluster.conftest import QUICK, kill
from tests.waiting import wait_until

Compose = Callable[..., Any]
RECORDS = [encode_record(Event(1_000_000 + i, "test", "file.modify", f"a{i}.py")) for i in range(3)]


def pid_of(name: str) -> int:
    import ray

    return int(ray.get(handle(name).health.remote(), timeout=60).pid)


def handle(name: str) -> Any:
    import ray

    return ray.get_actor(name)


def is_new(name: str, old_pid: int) -> bool:
    try:
        return pid_of(name) != old_pid
    except Exception:  # noqa: BLE001  (whatever Ray says while the service is away)
        return False


SEVEN = ["buffer", "clusterer", "collector", "evaluator", "router", "supervisor", "trainer"]


@pytest.mark.parametrize("name", SEVEN)
def test_a_killed_service_comes_back_by_itself(compose: Compose, name: str) -> None:
    compose()
    old_pid = pid_of(name)

    kill(old_pid)

    wait_until(lambda: is_new(name, old_pid), 90)
    assert not psutil.pid_exists(old_pid)


def test_what_was_appended_survives_the_buffer_and_a_repeat_stores_nothing(
    compose: Compose,
) -> None:
    from actors.buffer import BufferLink

    compose()
    link = BufferLink()
    first = link.append("test", 7, RECORDS)
    old_pid = pid_of("buffer")
    kill(old_pid)
    wait_until(lambda: is_new("buffer", old_pid))

    again = link.append("test", 7, RECORDS)

    assert (again.first_seq, again.last_seq, again.is_repeat) == (
        first.first_seq,
        first.last_seq,
        True,
    )
    assert [stored.seq for stored in link.read(0, 10)] == [1, 2, 3]


def test_an_append_without_a_buffer_is_refused_in_one_sentence(ray_session: Any) -> None:
    from actors.buffer import BufferLink

    with pytest.raises(StoreError, match="the buffer is unavailable"):
        BufferLink().append("test", 1, RECORDS)


@pytest.mark.setting(
    "supervisor.misses", "supervisor.health_timeout_s", "supervisor.check_interval_s"
)
def test_a_service_that_hangs_is_replaced_after_the_allowed_misses(compose: Compose) -> None:
    import os
    import signal

    compose(
        wanted=Settings(supervisor=QUICK.model_copy(update={"health_timeout_s": 0.5, "misses": 2}))
    )
    old_pid = pid_of("buffer")

    os.kill(old_pid, signal.SIGSTOP)

    wait_until(lambda: is_new("buffer", old_pid))


@pytest.mark.setting("buffer.credits")
def test_a_service_on_other_settings_or_of_another_version_is_made_anew(compose: Compose) -> None:
    compose()
    old_pid = pid_of("buffer")

    compose(wanted=Settings(supervisor=QUICK, buffer=BufferSettings(credits=3)))
    wait_until(lambda: is_new("buffer", old_pid))
    newer_pid = pid_of("buffer")
    compose("test-2", wanted=Settings(supervisor=QUICK, buffer=BufferSettings(credits=3)))

    wait_until(lambda: is_new("buffer", newer_pid))
    from actors.buffer import BufferLink

    assert BufferLink().append("test", 1, RECORDS).credits <= 3


def test_the_supervisor_writes_down_what_it_sees(compose: Compose, root: Root) -> None:
    compose()
    reader = CatalogReader(root.catalog)

    def seen() -> dict[str, Any]:
        return {each.name: each for each in reader.services()}

    wait_until(
        lambda: (
            {name: health.state for name, health in seen().items()} == dict.fromkeys(SEVEN, "ok")
        )
    )

    assert seen()["buffer"].pid == pid_of("buffer")
    recorded = {each.pid: each.name for each in reader.facts().processes}
    assert {pid_of(name) for name in SEVEN} <= set(recorded)
    assert "raylet" in recorded.values()


def test_a_killed_service_counts_as_a_restart(compose: Compose, root: Root) -> None:
    compose()
    old_pid = pid_of("buffer")
    reader = CatalogReader(root.catalog)

    kill(old_pid)

    wait_until(lambda: any(s.name == "buffer" and s.restarts == 1 for s in reader.services()))
    assert is_new("buffer", old_pid)


def test_services_at_rest_load_nothing_heavy_and_listen_on_loopback_only(compose: Compose) -> None:
    import ray

    compose()
    loaded = {
        module
        for name in SEVEN
        for module in ray.get(
            handle(name).__ray_call__.remote(lambda _: sorted(__import__("sys").modules)),
            timeout=100,
        )
    }
    raylet = psutil.Process(pid_of("buffer")).parent()
    assert raylet is not None
    listening = [
        ip_address(connection.laddr.ip)
        for process in [raylet, *raylet.children(recursive=True)]
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]

    assert not {"torch", "transformers", "peft", "sklearn", "pandas", "ray.serve"} & loaded
    assert listening
    assert [
        ip for ip in listening if not (ip.ipv4_mapped or ip if ip.version == 6 else ip).is_loopback
    ] == []


@pytest.mark.setting("learning.automatic")
@pytest.mark.parametrize("automatic", [True, False])
def test_a_cycle_begins_by_itself_when_enough_is_new_and_the_owner_lets_it(
    compose: Compose,
    root: Root,
    automatic: bool,  # noqa: FBT001  (a parameter of the test)
) -> None:
    from actors.buffer import BufferLink

    limits = BufferSettings(trigger_events=3)
    compose(
        wanted=Settings(
            supervisor=QUICK, buffer=limits, learning=LearningSettings(automatic=automatic)
        )
    )
    reader = CatalogReader(root.catalog)
    BufferLink().append("test", 1, RECORDS)
    if not automatic:
        began_us = next(each.seen_at_us for each in reader.services() if each.name == "supervisor")
        wait_until(
            lambda: any(each.seen_at_us > began_us + 6_000_000 for each in reader.services())
        )
        assert reader.learned(Cycle) == []
        return

    wait_until(lambda: any(each.finished_at_us for each in reader.learned(Cycle)))
    (cycle,) = reader.learned(Cycle)

    assert (cycle.trigger, cycle.state, cycle.upto_seq) == ("size", "failed", 3)
    assert "too few steps" in cycle.error


def test_a_deployment_that_fails_is_told_and_left_to_the_supervisor(
    compose: Compose, monkeypatch: pytest.MonkeyPatch
) -> None:
    from actors import composition

    def fail(plan: Any) -> None:
        raise StoreError(f"port {plan.inference_port} is taken", "choose another")

    plan = compose()
    monkeypatch.setattr(composition, "deploy", fail)

    assert composition.open_serving(plan).startswith(f"port {plan.inference_port} is taken")

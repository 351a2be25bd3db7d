"""A cycle in a real Ray: cancelled, and refused where there is too little."""

from collections.abc import Callable
from contextlib import closing
from typing import Any

from selflow.core.clock import SystemClock
from selflow.core.codec import encode_record
from selflow.core.events import Event
from selflow.core.paths import Root
from selflow.core.settings import BufferSettings, DiscoverSettings, Settings
from selflow.store.catalog import Catalog
from selflow.store.log import LogReader
from selflow.store.reading import CatalogReader
from selflow.store.records import Cycle, Stage
from tests.cluster.conftest import QUICK
from tests.cluster.test_services import is_new, pid_of
from tests.waiting import wait_until

Compose = Callable[..., Any]
MINUTE_US = 60_000_000


def ask(root: Root, records: list[bytes]) -> str:
    """Store these events and ask for a cycle; its id."""
    from actors.buffer import BufferLink

    BufferLink().append("test", 1, records)
    with closing(Catalog.open(root.catalog)) as catalog:
        return catalog.cycles.request("owner", SystemClock().now_us()).id


def steps(count: int) -> list[bytes]:
    return [
        encode_record(Event(MINUTE_US * i, "test", "task.run", f"job {i * i % 23}"))
        for i in range(1, count + 1)
    ]


def test_too_few_events_end_a_cycle_with_what_to_do(compose: Compose, root: Root) -> None:
    compose()
    reader = CatalogReader(root.catalog)
    cycle_id = ask(root, steps(5))

    wait_until(lambda: bool(reader.learned(Cycle, id=cycle_id)[0].finished_at_us))
    (cycle,) = reader.learned(Cycle)

    assert (cycle.state, cycle.upto_seq) == ("failed", 5)
    assert "too few steps" in cycle.error


def test_a_cancelled_cycle_ends_its_work_and_leaves_nothing(compose: Compose, root: Root) -> None:
    compose(wanted=Settings(supervisor=QUICK, discover=DiscoverSettings(bootstraps=2, null_sets=1)))
    reader = CatalogReader(root.catalog)
    trainer = pid_of("trainer")
    cycle_id = ask(root, steps(2_000))
    wait_until(lambda: bool(reader.learned(Stage, cycle_id=cycle_id, name="base")), 90)

    with closing(Catalog.open(root.catalog)) as catalog:
        assert catalog.cycles.cancel(cycle_id, SystemClock().now_us())

    wait_until(lambda: is_new("trainer", trainer))
    wait_until(lambda: list(root.work.iterdir()) == [])
    assert reader.learned(Cycle)[0].state == "cancelled"
    assert not reader.learned(Stage, cycle_id=cycle_id, name="base")[0].finished_at_us


def test_an_automatic_cycle_without_variety_leaves_the_buffer(compose: Compose, root: Root) -> None:
    from actors.buffer import BufferLink

    compose(wanted=Settings(supervisor=QUICK, buffer=BufferSettings(trigger_events=500)))
    reader, link = CatalogReader(root.catalog), BufferLink()
    link.append("test", 1, steps(500))
    wait_until(lambda: any(each.finished_at_us for each in reader.learned(Cycle)))
    (cycle,) = reader.learned(Cycle)
    after_cycle = link.fill()
    link.consume(500)

    assert (cycle.trigger, cycle.state) == ("size", "skipped")
    assert cycle.error == "12 of 200 labels; 1 of 3 days"
    assert (after_cycle.new_events, link.fill().new_events) == (500, 0)
    with closing(LogReader(root.events, 0)) as log:
        assert log.fill().new_events == 0


def test_a_new_cycle_gets_back_what_a_dead_search_held(compose: Compose, root: Root) -> None:
    import ray
    from ray.util.placement_group import placement_group

    from tune.leftovers import slot_name

    compose()
    held = placement_group([{"CPU": ray.cluster_resources()["CPU"]}], name=slot_name())
    ray.get(held.ready(), timeout=300)
    reader = CatalogReader(root.catalog)

    cycle_id = ask(root, steps(5))

    wait_until(lambda: bool(reader.learned(Cycle, id=cycle_id)[0].finished_at_us))
    assert "too few steps" in reader.learned(Cycle, id=cycle_id)[0].error, (
        "its first task got a core"
    )
    assert ray.util.placement_group_table(held)["state"] == "REMOVED"

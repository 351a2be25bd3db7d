"""New behaviour, from a program's events to the catalog, while the session runs."""

from collections.abc import Callable
from contextlib import closing
from typing import Any

from selflow.core.clock import SystemClock
from selflow.core.events import Event
from selflow.core.paths import Root
from selflow.core.steps import Step, event_label
from selflow.discover.usual import fit_usual
from selflow.sdk.ingest import IngestClient
from selflow.store.artifacts import ArtifactStore
from selflow.store.catalog import Catalog
from selflow.store.reading import CatalogReader
from selflow.store.records import Artifact
from tests.waiting import wait_until

MINUTE_US = 60_000_000
NEW_EVENTS = 30


def test_new_behaviour_is_noticed_while_the_session_runs(
    compose: Callable[..., Any], consent: Callable[[str], None], root: Root
) -> None:
    now_us = SystemClock().now_us()
    before_us = now_us - 3_000 * MINUTE_US
    past = [
        Step(before_us + i * MINUTE_US, (event_label("task.run", f"invoice {i * i % 23}"),))
        for i in range(2_000)
    ]
    usual = fit_usual(past, 7)
    assert usual is not None
    with closing(Catalog.open(root.catalog)) as catalog:
        cycle = catalog.cycles.begin(catalog.cycles.request("owner", 1).id, 0, 1)
        sha256 = ArtifactStore(root.artifacts).put(usual.files())
        model = Artifact(sha256, "cluster-model", 1, {})
        catalog.cycles.stage_done(cycle.id, "discover", model, [], {"patterns": []}, 2)
        catalog.cycles.finish(cycle.id, "done", "", 3)
    compose()
    consent("ingest")
    began_us = now_us - NEW_EVENTS * MINUTE_US
    with IngestClient(f"ipc://{root.socket('ingest.sock')}", "program") as client:
        client.send(
            [
                Event(began_us + i * MINUTE_US, "program", "note", f"zebra quagga {i % 3}")
                for i in range(NEW_EVENTS)
            ]
        )
        client.flush(20)
    reader = CatalogReader(root.catalog)
    wait_until(lambda: reader.behaviour_changes() != [], 60)
    (change,) = reader.behaviour_changes()

    assert (change.kind, change.cycle_id) == ("new", cycle.id)
    assert {"zebra", "quagga"} <= set(change.terms)

"""Every metric that has a subject today, with what the session has written down."""

import os
from collections.abc import Iterator

import pytest

from selflow.core.histogram import Histogram
from selflow.core.ingest_counts import IngestCounts
from selflow.core.processes import after_boot_us
from selflow.core.session_files import ProcessRecord
from selflow.store.log import EventLog
from selflow.store.session_facts import SessionFacts
from tests.unit.inference.agents import School
from tests.unit.inference.worlds import World

NAMES = {
    "selflow_events_total",
    "selflow_buffer_bytes",
    "selflow_buffer_budget_bytes",
    "selflow_ingest_seconds_count",
    "selflow_cycle_total",
    "selflow_cycle_stage_seconds_count",
    "selflow_verdict_total",
    "selflow_patterns",
    "selflow_behaviour_changes",
    "selflow_agents",
    "selflow_requests_total",
    "selflow_request_seconds_count",
    "selflow_tokens_total",
    "selflow_decisions_total",
    "selflow_feedback_total",
    "selflow_prediction_bits_count",
    "selflow_process_pss_bytes",
}
"""All of the interface but two: nothing pauses learning today (``selflow_paused``), and no part of
SelFlow opens a connection that could be blocked (``selflow_blocked_connections``).
"""


@pytest.fixture
def school(world: World) -> Iterator[School]:
    school = School(world)
    school.base()
    school.agent("coder", "make")
    world.catch_up()
    yield school
    school.close()


def test_every_metric_with_a_subject_is_there(school: School) -> None:
    world, durations, own = school.world, Histogram(), after_boot_us(os.getpid())
    assert own is not None
    durations.observe(0.002)
    now_us = world.clock.now_us()
    facts = school.catalog.facts
    facts.begin(SessionFacts(budget_bytes=64_000_000), now_us)
    facts.set_processes([ProcessRecord("raylet", os.getpid(), own)], now_us)
    facts.set_ingested(
        IngestCounts({"shell": {"accepted": 5, "lost": 2}}, durations.document()), now_us
    )
    EventLog(world.root.events, budget_bytes=64_000_000, credits=8).close()
    asked = world.predict(mode="routed")
    world.feedback(asked["decision_id"], "thumb", value=True)
    world.ask("POST", "/v1/completions", {"model": "rote", "prompt": "one two three"})
    world.look()

    text = world.ask("GET", "/metrics").text
    lines = set(text.splitlines())
    found = {line.partition("{")[0].partition(" ")[0] for line in lines if line[:1] != "#"}
    assert found >= NAMES
    assert {
        'selflow_events_total{outcome="accepted",source="shell"} 5.0',
        'selflow_events_total{outcome="lost",source="shell"} 2.0',
        "selflow_ingest_seconds_count 1.0",
        "selflow_buffer_budget_bytes 6.4e+07",
        'selflow_agents{status="champion"} 1.0',
        'selflow_verdict_total{decision="passed"} 1.0',
        "selflow_patterns 1.0",
        'selflow_behaviour_changes{kind="new"} 0.0',
        'selflow_tokens_total{direction="in"} 3.0',
        'selflow_decisions_total{agent="base",explored="0"} 1.0',
    } <= lines
    assert not any(word in text for word in (str(world.root.path), asked["decision_id"]))


def test_a_session_without_anything_has_metrics_too(fresh: World) -> None:
    fresh.catch_up()

    assert fresh.ask("GET", "/metrics").status_code == 200

"""What the console tells Prometheus: the session's figures, and its own answers."""

from selflow.core.grants import OWNER
from tests.unit.console.server.worlds import NOW_US, Console, at
from tests.unit.store.worlds import register


def test_metrics_tell_of_the_session_and_of_the_consoles_answers(console: Console) -> None:
    register(console.catalog, "a", now_us=NOW_US)
    console.store([at(1, subject="secret.md")])
    console.ask("GET", "/api/cycles/secret")
    console.ask("GET", "/api/cycles/other")
    answer = console.ask("GET", "/metrics")
    lines = answer.text.splitlines()

    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert 'selflow_agents{status="champion"} 1.0' in lines
    assert "selflow_patterns 1.0" in lines
    assert 'selflow_requests_total{code="404",route="/api/cycles/{cycle_id}"} 2.0' in lines
    assert 'selflow_request_seconds_count{route="/api/cycles/{cycle_id}"} 2.0' in lines
    assert any(line.startswith("selflow_buffer_bytes ") for line in lines)
    assert "secret" not in answer.text


def test_a_token_for_metrics_reads_nothing_else(console: Console) -> None:
    narrow = console.catalog.tokens.create("view", "m", NOW_US, OWNER, only=["metrics"])[0]
    headers = {"authorization": f"Bearer {narrow}"}

    assert console.ask("GET", "/metrics", None, headers).status_code == 200
    assert console.ask("GET", "/api/system", None, headers).status_code == 403

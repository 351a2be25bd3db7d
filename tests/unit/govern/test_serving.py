"""A busy Serve is not an ill one."""

from selflow.govern.serving import PATIENCE_S, Reply, ServingWatch


def watched(*replies: Reply, every_s: float = 0.5, has_replica: bool = True) -> list[str]:
    """States after an answer and these replies, one per round of the supervisor."""
    watch = ServingWatch()
    watch.observe(200, 0.0, has_replica=True)
    return [
        watch.observe(reply, index * every_s, has_replica=has_replica)
        for index, reply in enumerate(replies, 1)
    ]


def test_refusals_for_minutes_do_not_tear_a_busy_serve_down() -> None:
    assert set(watched(*[429] * 400)) == {"degraded"}


def test_late_answers_for_minutes_do_not_tear_serve_down() -> None:
    assert set(watched(*["late"] * 100, every_s=5.0)) == {"degraded"}


def test_a_killed_proxy_is_left_to_serve_for_a_while() -> None:
    rounds = round(PATIENCE_S / 0.5)
    states = watched(*["refused"] * rounds)

    assert states == ["degraded"] * (rounds - 1) + ["silent"]


def test_an_application_that_is_gone_is_deployed_again() -> None:
    assert watched(503, 503, every_s=PATIENCE_S, has_replica=False) == ["silent", "silent"]


def test_a_replica_that_loads_is_waited_for() -> None:
    assert set(watched(*[503] * 400)) == {"starting"}


def test_what_was_never_seen_is_deployed_for_the_first_time() -> None:
    assert ServingWatch().observe("refused", 9.0, has_replica=False) == "absent"


def test_a_new_supervisor_takes_over_a_serve_that_does_not_answer() -> None:
    watch = ServingWatch()

    assert watch.observe("refused", 9.0, has_replica=True) == "starting"
    assert watch.observe("refused", 10.0, has_replica=True) == "degraded"


def test_the_reason_is_told_and_gone_with_the_next_answer() -> None:
    watch = ServingWatch()
    watch.observe(200, 0.0, has_replica=True)
    watch.observe("refused", 12.0, has_replica=False)
    assert watch.reason == "unavailable for 12 s; Serve restarts its own parts"
    watch.observe(200, 13.0, has_replica=True)
    assert watch.reason == ""


def test_a_deployment_is_waited_for_and_then_repeated() -> None:
    watch = ServingWatch()
    watch.forget()
    watch.expect(100.0)

    assert watch.observe("refused", 101.0, has_replica=False) == "starting"
    assert watch.observe(503, 120.0, has_replica=False) == "starting"
    assert watch.observe(503, 100.0 + PATIENCE_S, has_replica=False) == "silent"

"""What a service says of itself when one of its threads is gone."""

from actors.shell import Pulse

DEADLINE_S = 10.0


def fail() -> None:
    raise KeyError("the owner's secret")


def test_a_service_whose_thread_fails_says_that_it_is_dead() -> None:
    pulse = Pulse("router", "1", "a")
    pulse.state = "ok"
    pulse.run(fail).join(DEADLINE_S)

    health = pulse.health()
    assert (health.state, health.last_error) == (
        "dead",
        "the router's thread has ended (KeyError)",
    )


def test_a_service_is_dead_once_a_part_of_it_is() -> None:
    faults = [""]
    pulse = Pulse("collector", "1", "a")
    pulse.state = "ok"
    pulse.watch(lambda: faults[0])
    assert pulse.health().state == "ok"
    faults[0] = "the ingest thread has ended (KeyError)"

    assert (pulse.health().state, pulse.health().last_error) == ("dead", faults[0])

"""The supervisor's rule under a clock turned by hand."""

from dataclasses import replace

from selflow.core.health import Health
from selflow.govern.supervise import DEATHS_TO_DEGRADE, LAST_BACKOFF_S, Watch


def health(version: str = "1", config_hash: str = "a") -> Health:
    return Health("buffer", version, config_hash, 42, 0, "ok", 0, "", 0)


def watch(misses_allowed: int = 3) -> Watch:
    return Watch("1", "a", misses_allowed)


def test_a_service_that_never_was_is_made_and_counts_no_restart() -> None:
    seen = watch()

    assert seen.observe("absent", 0.0) == "create"
    assert seen.restarts == 0


def test_a_healthy_service_is_kept() -> None:
    assert watch().observe(health(), 0.0) == "keep"


def test_a_service_that_lost_a_thread_is_replaced() -> None:
    seen = watch()
    seen.observe(health(), 0.0)

    assert seen.observe(replace(health(), state="dead"), 5.0) == "replace"


def test_a_service_of_another_version_is_retired() -> None:
    assert watch().observe(health(version="0"), 0.0) == "retire"


def test_a_service_on_other_settings_is_retired() -> None:
    assert watch().observe(health(config_hash="b"), 0.0) == "retire"


def test_silence_is_death_only_after_the_allowed_misses() -> None:
    seen = watch(misses_allowed=3)
    seen.observe(health(), 0.0)

    assert [seen.observe("silent", float(t)) for t in range(1, 4)] == ["keep", "keep", "replace"]


def test_one_answer_forgives_earlier_misses() -> None:
    seen = watch(misses_allowed=2)
    actions = [
        seen.observe("silent", 0.0),
        seen.observe(health(), 1.0),
        seen.observe("silent", 2.0),
    ]

    assert actions == ["keep", "keep", "keep"]


def test_a_dead_service_is_replaced_at_once_and_then_with_growing_pauses() -> None:
    seen = watch()
    seen.observe(health(), 0.0)
    made_at_s = [t / 10 for t in range(200) if seen.observe("dead", t / 10) == "replace"]

    assert made_at_s[:4] == [0.0, 1.0, 3.0, 7.0]


def test_a_service_that_keeps_dying_is_degraded_and_tried_once_a_minute() -> None:
    seen = watch()
    made_at_s = [float(t) for t in range(300) if seen.observe("dead", float(t)) == "replace"]

    assert seen.is_degraded(299.0)
    assert {
        later - earlier
        for earlier, later in zip(made_at_s[DEATHS_TO_DEGRADE:], made_at_s[6:], strict=False)
    } == {LAST_BACKOFF_S}


def test_old_deaths_are_forgotten() -> None:
    seen = watch()
    for t in range(DEATHS_TO_DEGRADE):
        seen.observe("dead", t * 100.0)

    assert not seen.is_degraded(5_000.0)

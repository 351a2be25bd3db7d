"""What is learned is a function of the log and the outcomes alone: kill the replica anywhere,
nothing differs.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from selflow.core.codec import encode_record
from selflow.core.errors import StoreError
from selflow.core.events import Event, Stored
from selflow.core.settings import PredictSettings
from selflow.store.artifacts import ArtifactStore
from selflow.store.catalog import Catalog
from selflow.store.records import Predictor
from serve.checkpoints import KEPT_STATES
from serve.learned_state import State
from tests.unit.inference.worlds import ROUND, SETTINGS, Template, World, context


def answers(world: World) -> list[dict[str, Any]]:
    """All that can be seen of the state; the clock stands still in between."""
    asked = [world.predict(top_k=50), world.predict(context=context(world, "make"), top_k=50)]
    return [
        {"predictions": answer["predictions"], "experts": answer["experts"]} for answer in asked
    ]


def checkpoints(world: World) -> list[Path]:
    return [path for path in world.root.artifacts.iterdir() if path.is_dir()]


def champion(world: World) -> Predictor:
    catalog = Catalog.open(world.root.catalog)
    found = catalog.predictors.champion()
    catalog.close()
    assert found is not None
    return found


def spoil(path: Path) -> None:
    file = path / "predictor.msgpack"
    file.chmod(0o600)
    file.write_bytes(b"not what it was")


@pytest.fixture
def worked(fresh: World) -> World:
    """Events and outcomes in turns, a checkpoint in the middle, and much that came after it."""
    for round_ in range(5):
        fresh.happen(1)
        fresh.catch_up()
        asked = fresh.predict(context=context(fresh, "make"))
        fresh.outcome(asked["decision_id"], f"make {round_ % 2}")
    burst = Event(fresh.clock.now_us(), "files", "file.modify", "app.py")
    fresh.feed.log.append("files", 1, [encode_record(burst)])
    fresh.catch_up()
    return fresh


def test_a_kill_between_checkpoints_changes_no_answer(worked: World) -> None:
    before = answers(worked)
    assert len(checkpoints(worked)) == 1
    worked.restart()
    worked.catch_up()

    assert answers(worked) == before


def test_a_replica_without_any_checkpoint_learns_the_same_from_log_and_outcomes(
    worked: World,
) -> None:
    before = answers(worked)
    for path in checkpoints(worked):
        shutil.rmtree(path)
    worked.restart()
    worked.catch_up()

    assert answers(worked) == before


@pytest.mark.slow
def test_the_order_of_kills_does_not_matter(
    worked: World, tmp_path: Path, template: Template
) -> None:
    """The same as in ``worked``, with a kill at every turn."""
    other = World(tmp_path / "other", template)
    for round_ in range(5):
        other.happen(1)
        other.catch_up()
        asked = other.predict(context=context(other, "make"))
        other.restart()
        other.catch_up()
        other.outcome(asked["decision_id"], f"make {round_ % 2}")
        other.restart()
        other.catch_up()
    other.feed.log.append(
        "files", 1, [encode_record(each.event) for each in worked.feed.log.read(20, 1)]
    )
    other.catch_up()

    assert answers(other) == answers(worked)


def test_a_graceful_end_saves_everything(worked: World) -> None:
    before = answers(worked)
    worked.stop()
    worked.restart()
    worked.catch_up()
    worked.feed.is_away = True

    assert answers(worked) == before


def test_a_restart_without_the_buffer_serves_from_the_checkpoint(worked: World) -> None:
    worked.stop()
    worked.feed.is_away = True
    worked.restart()
    worked.catch_up()

    assert len(worked.predict()["predictions"]) == 5
    assert worked.ask("GET", "/health").json()["status"] == "degraded"


def test_an_outcome_that_waits_for_its_place_survives_too(worked: World) -> None:
    asked = worked.predict(context=context(worked, "make"))
    worked.outcome(asked["decision_id"], "make late")
    before = answers(worked)
    worked.feed.is_away = True
    worked.restart()
    worked.catch_up()
    behind = worked.predict(context=context(worked, "make"))
    worked.outcome(behind["decision_id"], "make later")
    worked.feed.is_away = False
    worked.restart()
    worked.catch_up()
    after = answers(worked)
    worked.restart()
    worked.catch_up()

    assert after == answers(worked)
    assert after != before


def test_a_decision_that_has_taught_teaches_no_more_after_a_restart(worked: World) -> None:
    asked = worked.predict(context=context(worked, "make"))
    worked.outcome(asked["decision_id"], "make 0")
    before = answers(worked)
    worked.stop()
    worked.restart()
    worked.catch_up()
    worked.outcome(asked["decision_id"], "make 1")

    assert answers(worked) == before


def test_feedback_finds_its_decision_after_a_kill(worked: World) -> None:
    asked = worked.predict()
    worked.restart()
    worked.catch_up()

    assert worked.outcome(asked["decision_id"], asked["predictions"][0]["subject"])["hit_at_1"]


def test_a_spoiled_checkpoint_gives_way_to_the_one_before(worked: World) -> None:
    worked.stop()
    saved = sorted(checkpoints(worked), key=lambda path: path.stat().st_mtime_ns)
    before = len(saved)
    worked.restart()
    worked.catch_up()
    good = answers(worked)
    spoil(saved[-1])
    worked.restart()
    worked.catch_up()
    health = worked.ask("GET", "/health").json()

    assert before == 2
    assert answers(worked) == good
    assert health["status"] == "degraded"
    assert health["last_error"].startswith(f"predictor {saved[-1].name[:12]} cannot be read")


def test_when_every_checkpoint_is_spoiled_all_is_learned_again_and_saved(worked: World) -> None:
    good = answers(worked)
    worked.stop()
    for path in checkpoints(worked):
        spoil(path)
    worked.restart()
    worked.catch_up()

    assert answers(worked) == good
    worked.stop()
    worked.restart()
    worked.catch_up()
    assert worked.ask("GET", "/health").json()["status"] == "ok"


def test_each_checkpoint_names_what_it_was_made_from(worked: World) -> None:
    worked.stop()
    saved = champion(worked)
    catalog = Catalog.open(worked.root.catalog)
    parents = catalog.predictors.parents(saved.sha256)
    first = catalog.predictors.parents(
        next(parent.id for parent in parents if parent.kind == "artifact")
    )
    catalog.close()

    assert saved.upto_seq == 21
    spans = {parent.kind: (parent.first_seq, parent.last_seq) for parent in parents}
    before = {parent.kind: (parent.first_seq, parent.last_seq) for parent in first}
    assert spans.keys() == {"events", "feedback", "artifact"}
    assert before.keys() == {"events", "feedback"}
    assert (before["events"][0], spans["events"]) == (1, (before["events"][1] + 1, 21))
    assert (before["feedback"][0], spans["feedback"]) == (1, (before["feedback"][1] + 1, 5))


@pytest.mark.setting("predict.checkpoint_steps")
@pytest.mark.parametrize(("checkpoint_steps", "saved"), [(1_000, 0), (8, 1), (4, 3)])
def test_a_checkpoint_is_saved_after_so_many_steps(
    tmp_path: Path, template: Template, checkpoint_steps: int, saved: int
) -> None:
    world = World(
        tmp_path / "root",
        template,
        PredictSettings(use_prior=False, checkpoint_steps=checkpoint_steps),
    )
    for _ in range(3):
        world.happen(1)
        world.catch_up()

    assert len(checkpoints(world)) == saved


def test_nothing_new_is_no_checkpoint(worked: World) -> None:
    worked.stop()
    saved = champion(worked)
    worked.restart()
    worked.catch_up()
    worked.stop()

    assert champion(worked) == saved


@pytest.mark.setting("predict.share_alpha")
def test_another_share_is_learned_anew_from_the_log(worked: World) -> None:
    old = answers(worked)
    worked.stop()
    worked.settings = worked.settings.model_copy(update={"share_alpha": 0.2})
    worked.feed.is_away = True
    worked.restart()
    worked.catch_up()
    assert worked.predict()["predictions"] == []
    worked.feed.is_away = False
    worked.catch_up()
    new = answers(worked)

    assert [answer["predictions"][0]["subject"] for answer in new] == [
        answer["predictions"][0]["subject"] for answer in old
    ]
    assert new != old
    assert worked.ask("GET", "/health").json()["status"] == "ok"


@pytest.mark.setting("predict.burst_gap_s")
def test_a_longer_gap_makes_one_step_of_two() -> None:
    events = [Event(ts_us, "files", "file.modify", f"{ts_us}.py") for ts_us in (0, 10_000_000)]
    near, far = (
        PredictSettings(burst_gap_s=2.0, use_prior=False),
        PredictSettings(burst_gap_s=60.0, use_prior=False),
    )

    assert [len(State(settings).steps_of(events)) for settings in (near, far)] == [2, 1]


@pytest.mark.setting("predict.use_prior")
def test_the_prior_shows_from_the_first_steps() -> None:
    events = [Event(n * 60_000_000, "shell", "shell.command", ROUND[n % 4]) for n in range(12)]
    bits = []
    for use_prior in (True, False):
        state = State(PredictSettings(use_prior=use_prior))
        grades = [
            grade
            for seq, event in enumerate(events, 1)
            for grade in state.learn(Stored(seq, event))
        ]
        bits.append(sum(grade.log_loss_bits for grade in grades))

    assert bits[0] != bits[1]


class FullDisk(ArtifactStore):
    """A disk that refuses every write."""

    def put(self, content: Mapping[str, bytes] | Path) -> str:
        raise StoreError(
            f"cannot write an artifact of {len(str(content)):,} characters", "free some space"
        )


def test_a_disk_that_refuses_a_checkpoint_is_said_and_stops_nothing(
    fresh: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("serve.replica.ArtifactStore", FullDisk)
        fresh.restart()
        fresh.happen(4)
        fresh.catch_up()
        assert (
            fresh.ask("GET", "/health").json()["last_error"].startswith("cannot write an artifact")
        )
        before = answers(fresh)
    fresh.restart()
    fresh.catch_up()

    assert answers(fresh) == before
    assert fresh.ask("GET", "/health").json()["status"] == "ok"


@pytest.mark.slow
def test_old_checkpoints_do_not_pile_up(worked: World) -> None:
    for _ in range(KEPT_STATES + 3):
        worked.happen(SETTINGS.checkpoint_steps)
        worked.catch_up()
    names = {path.name for path in checkpoints(worked)}
    before = answers(worked)
    worked.restart()
    worked.catch_up()

    assert len(names) == KEPT_STATES
    assert champion(worked).sha256 in names
    assert answers(worked) == before

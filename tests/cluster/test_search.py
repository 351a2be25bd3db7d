"""The search for an agent's settings, with runs that train nothing: what is tried, what fails, what
goes on.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Lock
from typing import Any

import psutil
import pytest

from selflow.core.errors import ArtifactError
from selflow.core.paths import Root
from selflow.core.settings import LoraSettings, TuneSettings
from selflow.store.catalog import Catalog
from selflow.store.reading import CatalogReader
from selflow.store.run_recorder import RunPlace
from selflow.store.run_records import Run
from selflow.store.run_views import runs
from tests.cluster.conftest import kill
from tests.cluster.fake_run import BEST_RATE, FakeRun
from tests.waiting import PATIENCE, wait_until

WARM = ({"learning_rate": 2e-3, "rank": 4}, {"learning_rate": BEST_RATE, "rank": 16})
AT_BEST = 4 - 8 / 10
"""The fake's tune loss at the best rate after a whole run."""


class World:
    """A job in a folder of its own, what the search said and what the runs did."""

    def __init__(self, folder: Path, faults: Mapping[str, str] | None = None, **tune: Any) -> None:
        from tune.search import SearchJob

        rank, has_slot, gpu_share = (
            tune.pop("rank", 8),
            tune.pop("has_slot", False),
            tune.pop("gpu_share", 0.0),
        )
        self.data = folder / "data.json"
        self.data.write_text(json.dumps(faults or {}))
        self.root = Root(folder / "root", folder / "root")
        self.root.make()
        with Catalog.open(self.root.catalog) as catalog:
            cycle_id = catalog.cycles.request("owner", 1).id
        self.told: list[Any] = []
        self.lock = Lock()  # which nobody can pickle, like the catalog that a real search tells
        self.job = SearchJob(
            agent="writing",
            base=folder / "base",
            data=self.data,
            out=folder / "tune",
            lora=LoraSettings(rank=rank, alpha=2 * rank),
            tune=TuneSettings(**tune),
            warm=(*WARM, *WARM),
            seed=7,
            device="cpu",
            has_resources=has_slot,
            gpu_share=gpu_share,
            make_run=FakeRun,
            progress=RunPlace(self.root, cycle_id, "grow:writing", "writing"),
        )

    def search(self) -> "World":
        from tune.search import search

        self.found = search(self.job, self._hear)
        self.by_rank = {trial.config["rank"]: trial for trial in self.found.trials}
        return self

    def _hear(self, report: Any) -> None:
        with self.lock:
            self.told.append(report)

    def notes(self, kind: str) -> list[str]:
        """What came after a word in the runs' notes."""
        path = self.data.with_suffix(".notes")
        lines = path.read_text().splitlines() if path.exists() else []
        return [line.removeprefix(f"{kind} ") for line in lines if line.startswith(f"{kind} ")]

    def runs(self, rank: int) -> list[Run]:
        """How far the trials of a rank were, process by process."""
        return [run for run in runs(CatalogReader(self.root.catalog)) if run.config["rank"] == rank]


Make = Callable[..., World]


@pytest.fixture
def make(ray_session: Any, tmp_path: Path) -> Make:
    return lambda faults=None, **tune: World(tmp_path, faults, **tune)


@pytest.fixture(scope="module")
def plain(ray_session: Any, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Five samples, nothing goes wrong."""
    return World(tmp_path_factory.mktemp("plain"), num_samples=5).search()


@pytest.fixture(scope="module")
def troubled(ray_session: Any, tmp_path_factory: pytest.TempPathFactory) -> World:
    """One trial diverges, one stands still, one dies once in the middle."""
    faults = {"4": "nan", "16": "freeze", "8@3": "die-once"}
    return World(
        tmp_path_factory.mktemp("troubled"), faults, num_samples=3, step_limit_s=5.0
    ).search()


@pytest.mark.setting("tune.num_samples")
def test_all_samples_reach_the_rung_and_two_the_end(plain: World) -> None:
    states = sorted(trial.state for trial in plain.found.trials)

    assert states == ["finished", "finished", "rung", "rung", "rung"]
    assert [trial.state for trial in plain.told] == ["rung"] * 5 + ["finished"] * 2


def test_the_search_begins_with_the_last_winners_and_the_owners_settings_each_once(
    plain: World,
) -> None:
    asked = [*WARM, {"learning_rate": LoraSettings().learning_rate, "rank": 8}]

    assert [trial.config for trial in plain.told[:3]] == asked
    assert len({trial.config["learning_rate"] for trial in plain.told[:5]}) == 5


def test_the_best_is_found_and_its_adapter_is_the_one_of_its_last_eighth(plain: World) -> None:
    adapter = json.loads((plain.found.folder / "adapter.json").read_text())

    assert plain.found.config == WARM[1]
    assert plain.found.tune_bits == pytest.approx(AT_BEST)
    assert adapter == {**WARM[1], "eighths": 8}


def test_a_trial_that_is_kept_goes_on_from_the_rung_and_keeps_its_first_score(plain: World) -> None:
    best = next(trial for trial in plain.found.trials if trial.config == plain.found.config)

    assert [note for note in plain.notes("advance") if note.startswith("16 1")] == ["16 1 2"]
    assert plain.notes("advance").count("16 0 1") >= 1
    assert best.rung_bits == pytest.approx(4 - 1 / 10)
    assert json.loads(json.dumps(best.document()))["tune_bits"] == pytest.approx(AT_BEST)


@pytest.mark.setting("tune.max_concurrent")
def test_one_process_per_phase_loads_the_base_and_steps_back(plain: World) -> None:
    assert plain.notes("load") == ["base cpu 7 threads 1 nice 19"] * 2


def test_nothing_is_written_outside_the_jobs_folder(plain: World) -> None:
    from ray.train.constants import DEFAULT_STORAGE_PATH

    assert not Path(DEFAULT_STORAGE_PATH).exists()
    assert all(Path(folder).is_relative_to(plain.job.folder) for folder in plain.notes("save"))
    assert list(plain.job.out.iterdir()) == [plain.job.folder]


def test_a_track_keeps_its_last_state_and_its_best_adapter(plain: World) -> None:
    kept = {path.name for path in plain.found.folder.parent.iterdir()}

    assert kept == {"progress.json", "state-8", "adapter-8"}


def test_a_loss_that_is_no_number_is_named_and_the_others_finish(troubled: World) -> None:
    assert (troubled.by_rank[4].state, troubled.by_rank[4].error) == (
        "failed",
        "its tune loss is nan bits",
    )
    assert troubled.by_rank[4].tune_bits is None
    assert troubled.by_rank[8].state == "finished"


@pytest.mark.setting("tune.step_limit_s")
def test_a_hung_trial_is_ended_without_a_second_chance(troubled: World) -> None:
    assert (troubled.by_rank[16].state, troubled.by_rank[16].error) == (
        "failed",
        "reported nothing for 5 s",
    )
    assert troubled.notes("advance").count("16 0 1") == 1
    wait_until(lambda: not any(psutil.pid_exists(int(pid)) for pid in troubled.notes("pid")))


def test_a_trial_that_is_killed_goes_on_at_its_last_eighth(troubled: World) -> None:
    advanced = [note for note in troubled.notes("advance") if note.startswith("8 ")]

    assert advanced == [
        "8 0 1",
        "8 1 2",
        "8 2 3",
        *(f"8 {eighth - 1} {eighth}" for eighth in range(3, 9)),
    ]
    assert troubled.found.config["rank"] == 8


def test_each_trial_writes_how_far_it_is_and_a_killed_one_is_lost(troubled: World) -> None:
    rung, killed, *again = troubled.runs(8)

    assert (rung.state, list(rung.checks)) == ("rung", [[10, pytest.approx(4.0, abs=0.5)]])
    assert (killed.state, killed.step, again[-1].state) == ("lost", 20, "finished")
    assert [run.state for run in troubled.runs(16)] == ["lost"]
    assert "its tune loss is nan bits" in troubled.runs(4)[0].error


@pytest.mark.setting("tune.scheduler")
@pytest.mark.setting("tune.trial_cpus")
def test_asha_is_one_phase_and_says_nothing(make: Make, capfd: pytest.CaptureFixture[str]) -> None:
    world = make(scheduler="asha", num_samples=3, trial_cpus=2, rank=32).search()

    assert [trial.state for trial in world.found.trials] == ["finished", "finished", "rung"]
    assert world.notes("load") == ["base cpu 7 threads 2 nice 19"]
    assert world.by_rank[32].rung_bits is not None
    assert capfd.readouterr() == ("", "")


@pytest.mark.setting("tune.max_concurrent")
def test_trials_run_side_by_side(make: Make) -> None:
    world = make(
        {"4@1": "meet", "16@1": "meet"}, scheduler="asha", num_samples=2, max_concurrent=2
    ).search()

    assert len(world.notes("load")) == 2


def test_a_search_in_which_all_fail_says_how_many_and_the_last_reason(make: Make) -> None:
    with pytest.raises(
        ArtifactError,
        match="no adapter for writing: 2 of 2 trials failed, the last: failed for good",
    ) as e:
        make({"4": "named", "16": "unknown"}, num_samples=2).search()

    assert "ValueError" in str(e.value)
    assert "owner" not in str(e.value)


@pytest.mark.setting("tune.time_budget_s")
def test_the_time_budget_ends_a_search_with_what_it_has(make: Make) -> None:
    world = make({"4": "slow 5"}, scheduler="asha", num_samples=1, time_budget_s=25.0).search()

    assert [trial.state for trial in world.found.trials] == ["stopped"]
    assert 0 < json.loads((world.found.folder / "adapter.json").read_text())["eighths"] < 8


@pytest.mark.setting("tune.time_budget_s")
@pytest.mark.parametrize(
    "needed", [{"has_slot": True}, {"gpu_share": 0.2}], ids=["train_slot", "gpu"]
)
def test_trials_wait_for_what_this_session_lacks(make: Make, needed: dict[str, Any]) -> None:
    with pytest.raises(ArtifactError, match="no adapter for writing: the time was over"):
        make(**needed, num_samples=1, time_budget_s=1.0).search()


@pytest.mark.parametrize("scheduler", ["asha", "keep_two"])
def test_a_killed_search_goes_on_at_its_last_eighth_and_gets_its_cores_back(
    make: Make, ray_session: Any, scheduler: str
) -> None:
    import ray

    world = make(
        {"4@4": "slow 5"},
        scheduler=scheduler,
        num_samples=1,
        trial_cpus=2,
        time_budget_s=60.0 * PATIENCE,
    )
    pid_file = world.data.with_name("pid")
    running = ray.remote(num_cpus=0, max_retries=0)(_search_and_say_who).remote(world.job, pid_file)
    wait_until(lambda: "4 3 4" in world.notes("advance"), limit_s=90)

    kill(int(pid_file.read_text()))
    with pytest.raises(ray.exceptions.WorkerCrashedError):
        ray.get(running, timeout=90 * PATIENCE)
    wait_until(
        lambda: not any(psutil.pid_exists(int(pid)) for pid in world.notes("pid")), limit_s=90
    )
    world.search()

    assert [trial.state for trial in world.found.trials] == ["finished"]
    assert [int(note[-1]) for note in world.notes("advance")] == [1, 2, 3, 4, 4, 5, 6, 7, 8]


def test_a_search_is_told_again_what_it_did_whatever_became_of_tunes_own_files(make: Make) -> None:
    world = make(num_samples=6).search()
    advanced, before = world.notes("advance"), world.found
    for path in (world.job.folder / "tune").rglob("*state-*"):
        path.write_bytes(path.read_bytes()[:7])

    world.search()

    assert world.notes("advance") == advanced
    assert world.found == before


def _search_and_say_who(job: Any, pid_file: Path) -> None:
    from tune.search import search

    pid_file.write_text(str(psutil.Process().pid))
    search(job, lambda _: None)

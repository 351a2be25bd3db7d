"""What a replica learned from deleted events is never saved."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from selflow.core.errors import StoreError
from selflow.core.events import Event, Stored
from selflow.core.settings import PredictSettings
from selflow.store.artifacts import ArtifactStore
from selflow.store.catalog import Catalog
from selflow.testing import ManualClock
from serve.checkpoints import Checkpoints
from serve.learned_state import State
from tests.unit.store.worlds import START_US


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog.open(tmp_path / "catalog.db") as made:
        yield made


def learned(state: State, first_seq: int) -> State:
    for seq in range(first_seq, first_seq + 5):
        event = Event(START_US + seq * 60_000_000, "files", "file.modify", f"{seq}.py")
        state.learn(Stored(seq, event))
    return state


def test_what_deleted_events_taught_is_not_saved(tmp_path: Path, catalog: Catalog) -> None:
    forgotten = [0]
    settings, store = PredictSettings(), ArtifactStore(tmp_path / "artifacts")
    checkpoints = Checkpoints(catalog, store, settings, ManualClock(START_US), lambda: forgotten[0])
    state, _ = checkpoints.open()
    assert checkpoints.save(learned(state, 1))

    forgotten[0] = 3
    with pytest.raises(StoreError, match="events were deleted"):
        checkpoints.save(learned(state, 6))
    champion = catalog.predictors.champion()
    assert champion is not None
    assert champion.upto_seq == 5

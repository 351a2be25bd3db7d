"""What was learned, saved as artifacts with their lineage, and found again after a restart."""

import logging
from collections.abc import Callable

from selflow.core.clock import Clock
from selflow.core.errors import ArtifactError, ShapeError, StoreError
from selflow.core.settings import PredictSettings
from selflow.store.artifacts import ArtifactStore
from selflow.store.catalog import Catalog
from selflow.store.records import Artifact, Parent
from serve.learned_state import Position, State

KIND = "predictor"
_log = logging.getLogger(__name__)

KEPT_STATES = 3
"""States on disk at any time: the champion and those it was made from."""


class Checkpoints:
    """Saves states one after another, each the child of the one before it."""

    def __init__(
        self,
        catalog: Catalog,
        artifacts: ArtifactStore,
        settings: PredictSettings,
        clock: Clock,
        forgotten: Callable[[], int] = lambda: 0,
    ) -> None:
        """``forgotten`` tells how many events were ever deleted from the log."""
        self._catalog = catalog
        self._forgotten = forgotten
        self._forgotten_before = forgotten()
        self._artifacts = artifacts
        self._settings = settings
        self._clock = clock
        self._last_sha256 = ""
        self._saved = Position()

    def open(self) -> tuple[State, str]:
        """The newest state that can be read, and what kept the newer ones from it (empty if nothing
        did).

        A state that cannot be read gives way to the one it was made from, and in the end to a fresh
        one: what is missing is learned again from the log and the stored outcomes, with the same
        result.
        """
        champion = self._catalog.predictors.champion()
        sha256, passed, trouble = champion.sha256 if champion else "", set[str](), ""
        while sha256 and sha256 not in passed:
            passed.add(sha256)
            try:
                state = State.load(self._artifacts.get(sha256), self._settings)
            except (ArtifactError, ShapeError) as error:
                trouble = (
                    trouble
                    or f"predictor {sha256[:12]} cannot be read ({error.code}); learning it again"
                )
                _log.warning("predictor %s cannot be read: %s", sha256[:12], error)
                sha256 = self._before(sha256)
                continue
            if state is None:
                _log.info(
                    "predictor %s was learned under other settings; learning it again", sha256[:12]
                )
                break
            self._last_sha256, self._saved = sha256, state.position
            return state, trouble
        return State(self._settings), trouble

    def save(self, state: State) -> bool:
        """Save a state as the champion; False if nothing was learned since the last one.

        Raises:
            StoreError: Nothing was saved; what is learned stays and can be saved later, unless it
            holds events that were deleted meanwhile: this replica is ended and learns again.

        Cost: the whole state is written once, one fsync per file (4 files).
        """
        position = state.position
        if position == self._saved:
            return False
        if self._forgotten() != self._forgotten_before or self._is_released():
            raise StoreError(
                "events were deleted: what they taught is not saved", "it is restarted"
            )
        files = state.files()
        sha256 = self._artifacts.put(files)
        metrics = {"steps": state.predictor.steps_learned, "outcome_number": state.outcome_number}
        artifact = Artifact(sha256, KIND, sum(map(len, files.values())), {})
        self._catalog.predictors.promote(
            artifact, self._parents(position), state.cursor, metrics, self._clock.now_us()
        )
        self._last_sha256, self._saved = sha256, position
        self._remove_old(sha256)
        return True

    def _is_released(self) -> bool:
        """Whether a deletion has taken the state that this one goes on from out of service."""
        return bool(self._last_sha256) and self._catalog.predictors.champion() is None

    def _remove_old(self, sha256: str) -> None:
        """Keep the newest states, to fall back on; what an older one knew can be learned again from
        the log.
        """
        for _ in range(KEPT_STATES):
            sha256 = self._before(sha256)
        while sha256 and self._artifacts.remove(sha256):
            sha256 = self._before(sha256)

    def _parents(self, now: Position) -> list[Parent]:
        """The events and outcomes since the last checkpoint, and that checkpoint itself."""
        saved = self._saved
        learned = [(saved.events, now.events), (saved.text_events, now.text_events)]
        new = [span for span in learned if span[0] < span[1]]
        spans = [("feedback", saved.outcomes, now.outcomes)]
        if new:  # one range: lines may be learned behind the steps
            first, last = min(span[0] for span in new), max(span[1] for span in new)
            spans = [("events", first, last), *spans]
        made_from = [
            Parent(kind, "log", before + 1, after)
            for kind, before, after in spans
            if after > before
        ]
        return [*made_from, *([Parent("artifact", self._last_sha256)] if self._last_sha256 else [])]

    def _before(self, sha256: str) -> str:
        parents = self._catalog.predictors.parents(sha256)
        return next((parent.id for parent in parents if parent.kind == "artifact"), "")

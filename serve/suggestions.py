"""What ``POST /v1/suggest`` answers, what it remembers of that, and what the log says became of it.

Nothing here holds what was learned; the caller brings it. Two threads call: that of the lines and
that of the predictor, which suggests paths.
"""

from collections import OrderedDict
from collections.abc import Iterable
from threading import Lock
from typing import TYPE_CHECKING, Any

from selflow.collect.normalise import write_home
from selflow.collect.secret_patterns import DECISION_ID
from selflow.core.clock import Clock
from selflow.core.errors import ApiError
from selflow.core.events import Event, Json, Stored
from selflow.core.ids import new_id
from selflow.core.kept_share import kept_share
from selflow.core.ports import Redactor
from selflow.route.arms import POOL
from selflow.sdk.wire import SuggestAnswer, SuggestedText, SuggestRequest
from selflow.store.catalog import Catalog
from selflow.store.records import Decision
from selflow.text.completions import MAX_TYPED_BYTES
from selflow.text.examples import is_presentable
from serve.model_registry import ModelRegistry
from serve.request_metrics import RequestMetrics

if TYPE_CHECKING:
    from serve.text_state import TextState

PATH = "path"
MODE = "suggest"
"""The mode of a suggestion's decision."""
KEPT_DECISIONS = 4_096
"""The newest that are not in the catalog: some minutes of typing."""
MAX_PATHS = 5
MIN_PATH_P = 0.2
"""A path that is less likely is not offered."""
BUSY, UNLIKELY, HIDDEN, TOO_LONG = "busy", "unlikely", "not presentable", "too long"
"""Why a request is answered by no suggestion (docs/http.md#suggestions)."""


class DecisionMemory:
    """Decisions by id: those of the catalog, and before them the newest suggestions, which come
    with every keystroke and are stored only once somebody speaks of them. Safe for threads.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._lock = Lock()
        self._newest: OrderedDict[str, Decision] = OrderedDict()

    def keep(self, decision: Decision) -> None:
        """Remember one for a while."""
        with self._lock:
            self._newest[decision.id] = decision
            if len(self._newest) > KEPT_DECISIONS:
                self._newest.popitem(last=False)

    def find(self, decision_id: str) -> Decision | None:
        """The decision of an id."""
        with self._lock:
            return self._newest.get(decision_id) or self._catalog.decisions.find(decision_id)

    def settle(self, decision_id: str) -> Decision | None:
        """The decision of an id; it is in the catalog from now on.

        Raises:
            StoreError: It could not be stored, and is remembered as before.
        """
        with self._lock:
            decision = self._newest.get(decision_id)
            if decision is None:
                return self._catalog.decisions.find(decision_id)
            self._catalog.decisions.record(decision)
            del self._newest[decision_id]
            return decision


class Suggestions:
    """The rules around a completion.

    Args:
        catalog: Where decisions and feedback go.
        redactor: What it would change is never suggested.
        registry: Chooses the arm.
        clock: For moments and latencies.
        request_metrics: Counts.
        home: The owner's home folder, which stands as ``~`` in everything that was learned.
    """

    def __init__(
        self,
        catalog: Catalog,
        redactor: Redactor,
        registry: ModelRegistry,
        clock: Clock,
        request_metrics: RequestMetrics,
        home: str,
    ) -> None:
        self.decisions = DecisionMemory(catalog)
        """Shared with whoever takes feedback."""
        self._catalog = catalog
        self._redactor = redactor
        self._registry = registry
        self._clock = clock
        self._meters = request_metrics
        self._home = home

    def complete(
        self, request: SuggestRequest, state: "TextState", asked_s: float, *, is_stored: bool
    ) -> SuggestAnswer:
        """Complete a line by the arm that the router chooses."""
        routing = self._registry.choose(request.surface, state.versions(request.surface))
        prefix = write_home(request.prefix, self._home).encode()
        context = write_home(request.context, self._home).rstrip("\n").encode()
        if len(prefix) > MAX_TYPED_BYTES:
            return self._answer(request, [], TOO_LONG, routing, asked_s, is_stored=is_stored)
        best = state.suggest(request.surface, str(routing["arm"]), prefix, context)
        if best is None:
            return self._answer(request, [], UNLIKELY, routing, asked_s, is_stored=is_stored)
        # Bytes that are no text become a character that is not shown
        rest = best.text[len(prefix) :].decode("utf-8", "surrogateescape")
        text = SuggestedText.model_construct(
            text=request.prefix + rest, p=best.p, keys_saved=best.keys_saved
        )
        shown = [text] if self._may_show(text.text) else []
        reason = "" if shown else HIDDEN
        return self._answer(request, shown, reason, routing, asked_s, is_stored=is_stored)

    def paths(
        self,
        request: SuggestRequest,
        likely: Iterable[tuple[str, float]],
        other_p: float,
        asked_s: float,
        *,
        is_stored: bool,
    ) -> SuggestAnswer:
        """Complete a path by what the pool expects next.

        Args:
            request: The beginning of a path; a relative one lies in the folder ``context``.
            likely: Paths and their probabilities.
            other_p: The probability of all that is not listed; it counts as if all of it went on
                from the prefix, so that no probability is too high.
            asked_s: When it was asked.
            is_stored: Whether the decision is made durable.
        """
        routing = self._registry.choose(PATH, {POOL: ""})
        prefix = write_home(request.prefix, self._home)
        folder = write_home(request.context, self._home).rstrip("/")
        if folder and not prefix.startswith(("/", "~")):
            prefix = f"{folder}/{prefix}"
        sums: dict[str, float] = {}
        for path, p in likely:
            if path.startswith(prefix) and len(path) > len(prefix):
                sums[path] = sums.get(path, 0.0) + p
        total = sum(sums.values()) + other_p
        texts = [
            SuggestedText(
                text=request.prefix + path[len(prefix) :],
                p=p / total,
                keys_saved=p / total * (len(path) - len(prefix) - 1),
            )
            for path, p in sorted(sums.items(), key=lambda item: -item[1])[:MAX_PATHS]
        ]
        likely_enough = [text for text in texts if text.p >= MIN_PATH_P]
        shown = [text for text in likely_enough if self._may_show(text.text)]
        reason = "" if shown else HIDDEN if likely_enough else UNLIKELY
        return self._answer(request, shown, reason, routing, asked_s, is_stored=is_stored)

    def abstain(self, request: SuggestRequest, reason: str) -> SuggestAnswer:
        """No suggestion, and no decision to speak of."""
        self._meters.suggested(request.surface, "abstained")
        return SuggestAnswer(
            decision_id=new_id("dec"), suggestions=[], abstained=True, reason=reason
        )

    def rate(self, stored: Stored) -> None:
        """Store what a shell says became of a suggestion, once for each event; nothing where nobody
        looked at it, or if the decision is not known any more.

        Raises:
            StoreError: Nothing was stored; asked again it will be.
        """
        said: Any = stored.event.data.get("suggestion")
        if not isinstance(said, dict):
            return
        # Anybody may have written the event: what would fail here would fail at every start
        decision_id, metric = str(said.get("decision_id")), str(said.get("outcome"))
        if metric not in {"accepted", "edited"} or DECISION_ID.fullmatch(decision_id) is None:
            return
        decision = self.decisions.settle(decision_id)
        if decision is None or decision.mode != MODE or not decision.predictions:
            return
        value = _value(decision, stored.event, metric)
        key = f"event {stored.seq} {decision.id} {metric}"
        now_us = self._clock.now_us()
        try:
            self._catalog.feedback.record(decision.id, metric, value, {}, now_us, key)
        except ApiError:
            return  # too late: the log is learned again long after
        self._meters.rated(metric)
        self.count(decision, metric)

    def count(self, decision: Decision, metric: str) -> None:
        """Count a word on a suggestion."""
        if decision.mode == MODE and metric in {"accepted", "edited"} and decision.routing:
            self._meters.suggested(str(decision.routing["surface"]), metric)

    def _may_show(self, text: str) -> bool:
        return (
            is_presentable(text)
            and self._redactor.redact(Event(0, MODE, MODE, text)).subject == text
        )

    def _answer(
        self,
        request: SuggestRequest,
        shown: list[SuggestedText],
        reason: str,
        routing: dict[str, Json],
        asked_s: float,
        *,
        is_stored: bool,
    ) -> SuggestAnswer:
        latency_s = self._clock.monotonic_s() - asked_s
        decision = Decision(
            id=new_id("dec"),
            at_us=self._clock.now_us(),
            mode=MODE,
            upto_seq=0,
            predictions=[
                text.model_dump() | {"text": write_home(text.text, self._home)} for text in shown
            ],
            experts=[],
            routing=routing | {"latency_s": latency_s, "tokens": 0},
        )
        if is_stored:
            self._catalog.decisions.record(decision)
        elif shown:
            self.decisions.keep(decision)
        self._meters.suggested(request.surface, "shown" if shown else "abstained")
        if shown:
            self._meters.decided(str(routing["arm"]), explored=bool(routing["explored"]))
        return SuggestAnswer(
            decision_id=decision.id, suggestions=shown, abstained=not shown, reason=reason
        )


def _value(decision: Decision, event: Event, outcome: str) -> bool | float:
    """True for what was accepted as it was; of an edited one the share of its characters that
    stand at the beginning and the end of the line.
    """
    if outcome == "accepted":
        return True
    first: Any = decision.predictions[0]
    return kept_share(str(first["text"]), event.subject)

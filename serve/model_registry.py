"""Who may answer: the base and its agents as the catalog wants them, loaded; and who does, by the
router's beliefs.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from selflow.core.clock import Clock
from selflow.core.errors import ApiError, SelFlowError, location_of, public_text
from selflow.core.events import Json
from selflow.core.scores import BASE_EXPERT, NextScorer
from selflow.core.settings import RouterSettings
from selflow.route.arms import BASE, text_arms
from selflow.route.bandit import Beliefs, Choice, policy_from
from selflow.sdk.wire import Model, ModelNotes, PartNotes
from selflow.store.artifacts import ArtifactStore
from selflow.store.catalog import Catalog
from selflow.store.records import AgentVersion, Base, version_of

if TYPE_CHECKING:
    from selflow.lm.host import AgentHost

ROUTED = ("selflow", "auto", "selflow-router")
NAMED = "named"
"""The policy of a caller who asks for one model by its name; what is said of such an answer trains
no router.
"""
PREDICT, TEXT = "predict", "text"
"""Surfaces: what is believed of an arm on one says nothing of it on the other."""
RETRY_S = 5.0
"""What could not be loaded is tried again after this time, or as soon as the catalog says something
else.
"""
_LEAST_DIGITS = 8
_log = logging.getLogger(__name__)

Speakers = Mapping[str, tuple[str, NextScorer]]
"""By agent name: the version that serves, and who speaks for it."""


@dataclass(frozen=True, slots=True)
class LoadedModels:
    """What is loaded: the current base, the versions that serve, by agent name, and by its hash the
    host of each base that one of them stands on.

    For a while after a new base was made some agents stand on the one before it.
    """

    base: Base | None = None
    hosts: "Mapping[str, AgentHost]" = field(default_factory=dict)
    champions: Mapping[str, AgentVersion] = field(default_factory=dict)

    @property
    def host(self) -> "AgentHost | None":
        """The current base's, if it is loaded."""
        return self.hosts.get(self.base.sha256) if self.base else None

    def speakers(self) -> Speakers:
        """Who speaks in the pool: each agent, and the base alone beside them (the judge's pool has
        it too, so that an agent is credited only with what it adds).
        """
        scorers_by_name: dict[str, tuple[str, NextScorer]] = {}
        for sha256, host in self.hosts.items():
            on_it = {
                n: version for n, version in self.champions.items() if version.base_sha256 == sha256
            }
            if not on_it:
                continue
            ids: dict[str, str | None] = {name: version.id for name, version in on_it.items()}
            is_current = self.base is not None and sha256 == self.base.sha256
            if is_current or BASE_EXPERT not in scorers_by_name:
                ids[BASE_EXPERT] = None
            scorers = host.scorers(ids)
            versions = {name: version.version for name, version in on_it.items()}
            versions[BASE_EXPERT] = version_of(sha256)
            scorers_by_name |= {name: (versions[name], scorer) for name, scorer in scorers.items()}
        return scorers_by_name


@dataclass(frozen=True, slots=True)
class Target:
    """Who makes a text: an adapter on a host (None: the base alone), and how that was decided."""

    base: Base
    host: "AgentHost"
    adapter: str | None
    folder: Path | None
    routing: dict[str, Json]


class ModelRegistry:
    """Follows the catalog; torch is loaded only once there is something to load. Safe for
    threads.
    """

    def __init__(
        self,
        catalog: Catalog,
        artifacts: ArtifactStore,
        make_host: "Callable[[Path], AgentHost]",
        router: RouterSettings,
        clock: Clock,
        seed: int | None,
    ) -> None:
        self._catalog = catalog
        self._artifacts = artifacts
        self._make_host = make_host
        self._policy = policy_from(router)
        self._clock = clock
        self._rng = np.random.default_rng(seed)
        self._following, self._drawing = Lock(), Lock()
        self._now = LoadedModels()
        self._beliefs = (0, Beliefs.load_state({}))
        self._wanted: object = None
        self._is_seated = False
        self._retry_s = 0.0
        self.last_error = ""

    def step(self, seat: Callable[[Speakers], None]) -> None:
        """Load what the catalog wants, then hand the new roster to ``seat``, then unload what it no
        longer wants.

        Never raises: what cannot be loaded is said in ``last_error``, and what served before goes
        on.
        """
        try:
            with self._following:
                self._follow(seat)
        except Exception as error:  # noqa: BLE001  (answers depend on no model; the log has the place)
            self.last_error = _load_error(error)
        if (
            not self._is_seated
        ):  # a saved state remembers agents; without their model they have no say
            self._is_seated = True
            seat({})

    @property
    def fault(self) -> str:
        """What ended the model's thread against its will; empty if nothing did."""
        return self._now.host.fault if self._now.host is not None else ""

    @property
    def base_name(self) -> str:
        """The base that is loaded; empty if none is."""
        return self._now.base.name if self._now.base else ""

    def choose(self, surface: str, arms: Mapping[str, str]) -> dict[str, Json]:
        """Draw one of these arms, each with its version, by the newest beliefs: what a decision
        keeps of it.
        """
        number, beliefs = self._beliefs
        with self._drawing:
            choice = self._policy.choose(beliefs, surface, arms, self._rng)
        return _routing_record(choice, surface, arms[choice.arm], number)

    def resolve(self, model: str) -> Target:
        """Who answers to a model's id; loads the base if nobody has yet.

        Raises:
            ApiError: 404 ``model_not_found``, 503 ``engine_unavailable``.
        """
        roster = self._now if self._now.host is not None else self._open()
        base, host = roster.base, roster.host
        if base is None or host is None:
            raise ApiError(
                503, "engine_unavailable", "there is no base model yet", "run `selflow learn` first"
            )
        if model in ROUTED:
            agents = {name: champion.version for name, champion in roster.champions.items()}
            routing = self.choose(TEXT, text_arms(base.version, agents))
            version = roster.champions.get(str(routing["arm"]))
        else:
            version = (
                None
                if model == base.name
                else self._named(model.removeprefix(f"{base.name}:"), roster, base)
            )
            arm, digits = (version.agent, version.version) if version else (BASE, base.version)
            choice = Choice(arm, 1.0, explored=False, policy=NAMED)
            routing = _routing_record(choice, TEXT, digits, self._beliefs[0])
        if version is None:
            return Target(base, host, None, None, routing)
        host = roster.hosts[version.base_sha256]
        return Target(base, host, version.id, self._artifacts.get(version.sha256), routing)

    def models(self) -> list[Model]:
        """Everything that can be asked for by its id, the router first."""
        base, known = self._catalog.bases.current(), self._catalog.agents.versions()
        router = Model(id=ROUTED[0], selflow=ModelNotes(kind="router", aliases=ROUTED[1:]))
        of_lines = [self._line_agent(version) for version in known if version.surface != "next"]
        if base is None:
            return [router, *of_lines]
        notes, root = ModelNotes(kind="base"), f"sha256:{base.sha256}"
        itself = Model(
            id=base.name, created=base.created_at_us // 1_000_000, root=root, selflow=notes
        )
        of_steps = [
            _model(base, version)
            for version in known
            if version.surface == "next"
            and (version.base_sha256 == base.sha256 or version.status == "champion")
        ]
        return [router, itself, *of_steps, *of_lines]

    def model(self, model_id: str) -> Model:
        """One of them, by its id or an alias.

        Raises:
            ApiError: 404 ``model_not_found``.
        """
        for model in self.models():
            if model_id == model.id or model_id in model.selflow.aliases:
                return model
        raise _unknown()

    def close(self) -> None:
        """Let go of the model."""
        for host in self._now.hosts.values():
            host.close()

    def _line_agent(self, version: AgentVersion) -> Model:
        """An agent that completes lines: it stands on the model of lines, not on the base here."""
        notes = _notes(version, (version.agent,) if version.status == "champion" else ())
        said = self._catalog.verdicts.parts(version)
        parts = {name: PartNotes.model_validate(part) for name, part in said.items()}
        created, root = version.created_at_us // 1_000_000, f"sha256:{version.sha256}"
        return Model(
            id=version.id,
            created=created,
            root=root,
            selflow=notes.model_copy(update={"parts": parts}),
        )

    def _follow(self, seat: Callable[[Speakers], None]) -> None:
        snapshot = self._catalog.routing.snapshot()
        if snapshot is not None and snapshot.number != self._beliefs[0]:
            self._beliefs = (snapshot.number, Beliefs.load_state(snapshot.beliefs))
        base, champions = self._catalog.bases.current(), tuple(self._catalog.agents.champions())
        wanted, now_s = (base, champions), self._clock.monotonic_s()
        if wanted == self._wanted and (not self.last_error or now_s < self._retry_s):
            return
        self._wanted, self._retry_s, before = wanted, now_s + RETRY_S, self._now
        loaded = dict(before.hosts)
        served, troubles = self._load(loaded, champions)
        used = {version.base_sha256 for version in served.values()} | (
            {base.sha256} if base else set()
        )
        hosts = {sha256: host for sha256, host in loaded.items() if sha256 in used}
        after = LoadedModels(base, hosts, served)
        self._now, self._is_seated = after, True
        seat(after.speakers())
        for sha256, host in hosts.items():
            host.keep([version.id for version in served.values() if version.base_sha256 == sha256])
        for sha256, host in loaded.items():
            if sha256 not in hosts:
                host.close()
        self.last_error = troubles

    def _load(
        self,
        hosts: "dict[str, AgentHost]",
        champions: Sequence[AgentVersion],
    ) -> tuple[dict[str, AgentVersion], str]:
        """By agent the champion, or the version before it if that cannot be loaded, and what kept
        it from that. Bases that are missing in ``hosts`` are loaded into it.
        """
        served: dict[str, AgentVersion] = {}
        troubles = dict[str, None]()
        for sha256 in sorted({version.base_sha256 for version in champions} - set(hosts)):
            try:
                hosts[sha256] = self._make_host(self._artifacts.get(sha256))
            except Exception as error:  # noqa: BLE001  (as in step: what serves goes on)
                ids = ", ".join(
                    version.id for version in champions if version.base_sha256 == sha256
                )
                troubles[f"{ids}: base {sha256[:12]}: {_load_error(error)}"] = None
        before = {n: v for n, v in self._now.champions.items() if v.base_sha256 in hosts}
        for version in champions:
            try:
                if version.base_sha256 in hosts:
                    hosts[version.base_sha256].load(version.id, self._artifacts.get(version.sha256))
                    served[version.agent] = version
                    continue
            except SelFlowError as error:
                troubles[str(error)] = None
            served |= {version.agent: before[version.agent]} if version.agent in before else {}
        return served, "; ".join(troubles)

    def _open(self) -> LoadedModels:
        """The roster with its base loaded, if there is one."""
        with self._following:
            base = self._catalog.bases.current()
            if self._now.host is None and base is not None:
                try:
                    host = self._make_host(self._artifacts.get(base.sha256))
                    hosts = {**self._now.hosts, base.sha256: host}
                    self._now = LoadedModels(base, hosts, self._now.champions)
                except Exception as error:
                    raise ApiError(
                        503, "engine_unavailable", _load_error(error), "see selflow status"
                    ) from error
            return self._now

    def _named(self, model_id: str, roster: LoadedModels, base: Base) -> AgentVersion:
        """The version that answers to ``AGENT`` or ``AGENT@VERSION``. What never passed answers to
        all its digits.
        """
        agent, at, digits = model_id.partition("@")
        known = [version for version in self._catalog.agents.versions() if version.agent == agent]
        if any(version.surface != "next" for version in known):
            raise _unknown(f"{agent} completes lines: it answers to POST /v1/suggest alone")
        matches = [version for version in known if version.version == digits]
        if not at and agent in roster.champions:
            matches = [roster.champions[agent]]
        elif not matches and len(digits) >= _LEAST_DIGITS:
            passed = [version for version in known if version.status in {"champion", "retired"}]
            matches = [version for version in passed if version.version.startswith(digits)]
        if len(matches) != 1 or matches[0].base_sha256 not in {base.sha256, *roster.hosts}:
            raise _unknown(_foreign(matches[0], base) if len(matches) == 1 else "")
        return matches[0]


def _routing_record(choice: Choice, surface: str, version: str, snapshot: int) -> dict[str, Json]:
    """What a decision remembers of how it was routed."""
    more = {
        "surface": surface,
        "version": version,
        "snapshot": snapshot,
        "forced": choice.policy == NAMED,
    }
    return {**asdict(choice), **more}


def _load_error(error: Exception) -> str:
    """For people; of a fault that is not ours only its kind, as its text may hold the
    owner's data.
    """
    if isinstance(error, SelFlowError):
        return str(error)
    _log.error("the agents cannot be loaded: %s", location_of(error))
    return f"the agents cannot be loaded ({public_text(error)})"


def _unknown(why: str = "") -> ApiError:
    return ApiError(
        404,
        "model_not_found",
        why or "there is no model of this id",
        "GET /v1/models lists all of them",
    )


def _foreign(version: AgentVersion, base: Base) -> str:
    return (
        f"{version.id} was made for base {version.base_sha256[:12]}; the base that serves is "
        f"{base.sha256[:12]}"
    )


def _model(base: Base, version: AgentVersion) -> Model:
    is_champion = version.status == "champion"
    short = (f"{base.name}:{version.agent}", version.agent) if is_champion else ()
    created, root = version.created_at_us // 1_000_000, f"sha256:{version.sha256}"
    return Model(
        id=f"{base.name}:{version.id}",
        created=created,
        root=root,
        parent=base.name,
        selflow=_notes(version, (version.id, *short)),
    )


def _notes(version: AgentVersion, aliases: tuple[str, ...]) -> ModelNotes:
    return ModelNotes(
        kind="agent",
        status=version.status,
        version=version.version,
        aliases=aliases,
        pattern_id=version.pattern_id,
        surface=version.surface,
    )

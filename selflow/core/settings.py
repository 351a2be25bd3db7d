"""Every setting: its type, unit, bounds and what it means, each explained under itself
(docs/settings.md#layers).
"""

import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from selflow.core.catalog_location import locate_catalog
from selflow.core.desktop_settings import NotificationSettings, TraySettings
from selflow.core.errors import ConfigError
from selflow.core.listener_settings import AwSettings, ConsoleSettings
from selflow.core.paths import Root
from selflow.core.ray_knobs import LAPTOP_KNOBS
from selflow.core.section import Section
from selflow.core.source_settings import AddedSource, PolledSection

FileChange = Literal["create", "modify", "delete", "move"]


class FileSource(Section):
    """Changes of files below some folders."""

    type: Literal["file_system"]
    paths: Annotated[tuple[str, ...], Field(min_length=1)]
    """Folders to watch, with everything below them."""
    include: tuple[str, ...] = ()
    """Only paths that match one of these globs; empty means all."""
    exclude: tuple[str, ...] = ()
    """Never paths that match one of these globs, besides the built-in list (VCS internals, caches,
    build output).
    """
    events: tuple[FileChange, ...] = ("create", "modify", "delete", "move")
    """Kinds of changes to store."""
    coalesce_s: Annotated[float, Field(gt=0, le=60)] = 0.5
    """Changes of one path within this time are one event."""


class MetricsSource(PolledSection):
    """The machine's own load: processor, memory, disk, network, battery, temperature."""

    type: Literal["system_metrics"]


class ShellHistorySource(PolledSection):
    """Commands from shell history files, read again whenever they grow."""

    type: Literal["shell_history"]
    paths: tuple[str, ...] = ()
    """History files; empty means those of bash, zsh and fish in the home folder."""


class ShellCompanionSource(Section):
    """Finished commands, from the hooks that ``selflow shell install`` puts into shells."""

    type: Literal["shell_companion"]
    sample_interval_s: Annotated[float, Field(ge=0.1, le=86_400)] = 2.0
    """Seconds between two looks at what the hooks wrote."""


DataSource = Annotated[
    FileSource | MetricsSource | ShellHistorySource | ShellCompanionSource | AddedSource,
    Field(discriminator="type"),
]


RedactKind = Literal["phone", "national_id", "public_address", "seed_phrase"]
"""Kinds of personal data that redaction may replace besides secrets, e-mail addresses and cards."""


class PrivacySettings(Section):
    """What never enters the log. Exclusions of all layers are united."""

    exclude_paths: tuple[str, ...] = ()
    """Globs (as in .gitignore) of paths whose events are dropped."""
    exclude_apps: tuple[str, ...] = ()
    """Programs whose events are dropped, by name, case-insensitive."""
    anonymize: bool = True
    """Replace secrets, tokens, e-mail addresses and card numbers by typed slots before an event is
    stored.
    """
    redact_patterns: tuple[str, ...] = ()
    """Regular expressions of your own; with ``anonymize`` each match becomes ``<SECRET>``."""
    redact_kinds: tuple[RedactKind, ...] = ("national_id", "phone", "seed_phrase")
    """Kinds of personal data that are replaced too: ``phone`` numbers, ``national_id`` (identity,
    tax and insurance numbers of twelve countries), ``public_address`` (IP addresses that can be
    reached from everywhere), ``seed_phrase`` (the words of a wallet). Your own settings file may
    name fewer than the default; other layers only add.
    """

    @model_validator(mode="after")
    def _every_pattern_can_match(self) -> Self:
        for index, pattern in enumerate(
            self.redact_patterns
        ):  # named by place: the pattern may tell what is secret
            try:
                is_empty_too = re.compile(pattern).match("") is not None
            except re.error as error:
                raise ValueError(
                    f"privacy.redact_patterns[{index}] is not a regular expression: {error.msg}"
                ) from error
            if is_empty_too:
                raise ValueError(f"privacy.redact_patterns[{index}] matches the empty text")
        return self


class StoreSettings(Section):
    """The disk."""

    catalog_url: str = "sqlite"
    """``sqlite`` for ``<root>/catalog.db``, or the URL of an SQLite file or a PostgreSQL database
    (the extra ``postgres``); each state root needs a database of its own.
    """

    @field_validator("catalog_url")
    @classmethod
    def _names_a_catalog(cls, url: str) -> str:
        try:
            locate_catalog(Root(Path(), Path()), url)
        except ConfigError as error:
            raise ValueError(f"{error}; {error.hint}") from error
        return url


class BufferSettings(Section):
    """What the next learning cycle has not consumed yet."""

    budget_bytes: Annotated[int, Field(ge=1_000_000)] = 64_000_000
    """Size that ``selflow status`` and the metrics measure the buffer against."""
    credits: Annotated[int, Field(ge=1, le=64)] = 8
    """Batches that one sender may have in flight."""
    trigger_fraction: Annotated[float, Field(gt=0, le=1)] = 0.9
    """A cycle is due once the events that no cycle has consumed fill this part of the budget."""
    trigger_events: Annotated[int, Field(ge=1)] = 20_000
    """A cycle is due once this many events are new."""
    min_templates: Annotated[int, Field(ge=1)] = 200
    """A cycle starts by itself only with this many different labels."""
    min_days: Annotated[int, Field(ge=1)] = 3
    """A cycle starts by itself only with events of this many days."""


class IngestSettings(Section):
    """The ZeroMQ ingest."""

    tcp_port: Annotated[int | None, Field(ge=1024, le=65_535)] = None
    """Also listen on ``tcp://127.0.0.1:PORT``; None keeps the ipc socket alone."""
    max_batch_bytes: Annotated[int, Field(ge=1_024, le=10_000_000)] = 102_400
    """Largest batch."""
    max_batch_events: Annotated[int, Field(ge=1, le=10_000)] = 500
    """Most events in a batch."""
    max_event_bytes: Annotated[int, Field(ge=256)] = 16_384
    """Largest single event, encoded."""
    max_future_s: Annotated[float, Field(ge=0)] = 300.0
    """How far ahead of this machine's clock an event may be."""
    flush_interval_s: Annotated[float, Field(gt=0, le=60)] = 0.5
    """Longest time that the collector's own sources keep an event before they send it."""

    @model_validator(mode="after")
    def _an_event_fits_a_batch(self) -> Self:
        if self.max_event_bytes > self.max_batch_bytes:
            raise ValueError(
                f"ingest.max_event_bytes ({self.max_event_bytes}) exceeds ingest.max_batch_bytes "
                f"({self.max_batch_bytes})"
            )
        return self


class PredictSettings(Section):
    """Predictions of the next step."""

    share_alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.01
    """Share of the pool's weight that is spread over all experts after each step."""
    burst_gap_s: Annotated[float, Field(ge=0, le=600)] = 2.0
    """File events closer than this are one step."""
    checkpoint_steps: Annotated[int, Field(ge=1)] = 2_000
    """Steps after which a serving replica saves what it has learned."""
    use_prior: bool = True
    """Start without history from the shipped prior."""


class LearningSettings(Section):
    """The learning cycle."""

    automatic: bool = True
    """Start cycles when they are due; ``selflow learn`` starts one in any case."""
    keep_agents: Annotated[int, Field(ge=1, le=64)] = 5
    """Agents that live at the same time."""
    new_agents: Annotated[int, Field(ge=1, le=16)] = 2
    """Agents that one cycle may grow for patterns without one."""
    seed: Annotated[int, Field(ge=0)] = 7
    """Seed of all random numbers in a cycle."""


class DiscoverSettings(Section):
    """How patterns are found."""

    bootstraps: Annotated[int, Field(ge=2, le=50)] = 10
    """Partitions of each of the five families."""
    null_sets: Annotated[int, Field(ge=0, le=100)] = 20
    """Data sets without any pattern that the same procedure is measured on, where there is enough
    agreement for them to matter."""
    min_agreement: Annotated[float, Field(ge=0, le=1)] = 0.75
    """Agreement from which on a cluster may have an agent."""
    min_cycles: Annotated[int, Field(ge=1, le=2)] = 2
    """Cycles in a row that must have found a cluster before it may have an agent; in the first one
    the halves of its days count as two."""
    new_behaviour_windows: Annotated[int, Field(ge=5, le=1_000)] = 20
    """Unusual windows within an hour that are shown as new behaviour."""


class LmSettings(Section):
    """The language model under all agents."""

    base: str = "auto"
    """``auto``: a SmolLM2 whose weights are on this machine, else ``tiny``; or ``tiny``, a folder,
    or an id in the
    local Hugging Face cache."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Device that runs it."""
    base_epochs: Annotated[int, Field(ge=1, le=20)] = 2
    """Passes of the embedded base over its training data."""
    base_budget_s: Annotated[float, Field(gt=0)] = 600.0
    """Longest time that making the base may take; at least one epoch is always finished."""
    adapter_learns: bool = True
    """Whether the adapter of an agent of lines goes on learning from each line while it serves;
    where it does, the gate judges it so too."""


class LoraSettings(Section):
    """An agent's adapter."""

    rank: Literal[4, 8, 16, 32] = 8
    """Rank of the update; where the search starts."""
    alpha: Annotated[int, Field(ge=1)] = 16
    """Scale of the update at that rank; the search keeps the ratio."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Dropout of the adapter; also a measure of privacy."""
    layers: Literal["top_third", "all"] = "top_third"
    """Layers that are adapted."""
    learning_rate: Annotated[float, Field(gt=0, lt=1)] = 5e-4
    """First value that the search tries."""
    batch_size: Annotated[int, Field(ge=1, le=256)] = 8
    """Sequences per optimiser step."""
    epochs: Annotated[int, Field(ge=1, le=20)] = 3
    """Passes over the agent's data."""


class TuneSettings(Section):
    """The search for an agent's settings."""

    scheduler: Literal["keep_two", "asha"] = "keep_two"
    """``keep_two``: all to an eighth of the budget, the best two to the end. ``asha``: for many
    trials side by side.
    """
    num_samples: Annotated[int, Field(ge=1, le=64)] = 8
    """Configurations tried in one search."""
    time_budget_s: Annotated[float, Field(gt=0)] = 900.0
    """Longest time of one search."""
    max_concurrent: Annotated[int, Field(ge=1, le=64)] = 1
    """Trials side by side; each holds its own copy of the base."""
    trial_cpus: Annotated[int, Field(ge=1)] = 1
    """Cores of one trial."""
    step_limit_s: Annotated[float, Field(gt=0)] = 300.0
    """A trial that reports nothing for this long is ended."""

    @model_validator(mode="after")
    def _every_slot_has_a_sample(self) -> Self:
        if self.max_concurrent > self.num_samples:
            raise ValueError(
                f"tune.max_concurrent ({self.max_concurrent}) exceeds tune.num_samples "
                f"({self.num_samples})"
            )
        return self


class GateSettings(Section):
    """What a candidate must show before it serves."""

    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    """Probability of a false pass at the first opening of a gate set."""
    spend: Literal["ledger", "strict"] = "ledger"
    """``ledger``: alpha/k at the k-th opening; ``strict``: alpha/(k(k+1)), below alpha in sum."""
    min_events: Annotated[int, Field(ge=20)] = 300
    """Fewer gate steps than this give no verdict."""
    min_lines: Annotated[int, Field(ge=100)] = 100
    """The same of an agent that completes lines; a line has about ten times the bits of a step."""
    min_gain_bits: Annotated[float, Field(ge=0)] = 0.05
    """Least mean gain on the agent's own slice."""


class RouterSettings(Section):
    """How the router chooses an arm."""

    policy: Literal["thompson", "epsilon_greedy"] = "thompson"
    """``thompson`` forgets by ``discount``; ``epsilon_greedy`` explores in ``epsilon`` of all
    requests.
    """
    epsilon: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """Share of requests in which the epsilon-greedy policy explores."""
    floor: Annotated[float, Field(ge=0, le=0.1)] = 0.02
    """Least probability of every eligible arm."""
    discount: Annotated[float, Field(gt=0.5, le=1)] = 0.995
    """Factor on an arm's counts after each feedback on that arm."""
    metrics: tuple[str, ...] = ()
    """The owner's own feedback metrics that are rewards."""


class RaySettings(Section):
    """The Ray session."""

    address: str | None = None
    """A running cluster to attach to; None is the one that RAY_ADDRESS names, else our own."""
    attach_without_token: bool = False
    """Attach also to a cluster without token authentication: others can run code in it."""
    dashboard: bool = True
    """Ray's dashboard, on loopback behind Ray's token. ``--lean`` turns it off."""
    dashboard_port: Annotated[int, Field(ge=1024, le=65_535)] = 8265
    """The port; the next free one if it is busy."""
    num_cpus: Annotated[int | None, Field(ge=1)] = None
    """Cores that tasks may use; None is the physical cores less one, at least two."""
    object_store_bytes: Annotated[int, Field(ge=80_000_000)] = 268_435_456
    """Ray's shared memory."""
    knobs: dict[Annotated[str, Field(pattern=r"^RAY_\w+$")], str] = Field(
        default_factory=LAPTOP_KNOBS.copy
    )
    """Environment of the Ray processes."""


class ServeSettings(Section):
    """The HTTP inference port."""

    port: Annotated[int, Field(ge=1024, le=65_535)] = 7731
    """The port; the next free one if it is busy."""
    running: Annotated[int, Field(ge=1, le=256)] = 8
    """Requests that are answered at the same time."""
    waiting: Annotated[int, Field(ge=0, le=1_024)] = 32
    """Requests that may wait; the next one is answered 429."""
    rate_per_min: Annotated[int, Field(ge=1)] = 60
    """Inference requests per minute and token; the owner's admin token has no rate."""
    max_body_bytes: Annotated[int, Field(ge=1_024, le=10_000_000)] = 1_000_000
    """Largest request body."""


class SupervisorSettings(Section):
    """Health checks of the services."""

    check_interval_s: Annotated[float, Field(ge=0.1, le=60)] = 5.0
    """Seconds between two health checks of each service."""
    health_timeout_s: Annotated[float, Field(gt=0, le=60)] = 5.0
    """An answer later than this is a miss."""
    misses: Annotated[int, Field(ge=1, le=20)] = 3
    """Misses in a row after which a service is killed and recreated."""


class Settings(Section):
    """All of them. A service receives its own section, never this."""

    data_sources: tuple[DataSource, ...] = ()
    """What the collector watches, once ``selflow init`` has recorded the owner's consent."""
    privacy: PrivacySettings = PrivacySettings()
    """What never enters the log."""
    store: StoreSettings = StoreSettings()
    """The disk."""
    buffer: BufferSettings = BufferSettings()
    """The part of the log that waits for a learning cycle."""
    ingest: IngestSettings = IngestSettings()
    """The ZeroMQ ingest."""
    predict: PredictSettings = PredictSettings()
    """Predictions of the next step."""
    learning: LearningSettings = LearningSettings()
    """The learning cycle."""
    discover: DiscoverSettings = DiscoverSettings()
    """How patterns are found."""
    lm: LmSettings = LmSettings()
    """The language model under all agents."""
    lora: LoraSettings = LoraSettings()
    """An agent's adapter."""
    tune: TuneSettings = TuneSettings()
    """The search for an agent's settings."""
    gate: GateSettings = GateSettings()
    """What a candidate must show before it serves."""
    router: RouterSettings = RouterSettings()
    """How the router chooses an arm."""
    ray: RaySettings = RaySettings()
    """The Ray session."""
    serve: ServeSettings = ServeSettings()
    """The HTTP inference port."""
    console: ConsoleSettings = ConsoleSettings()
    """The web page and its API."""
    aw: AwSettings = AwSettings()
    """The port of ActivityWatch's watchers."""
    tray: TraySettings = TraySettings()
    """The icon in the desktop's tray."""
    notifications: NotificationSettings = NotificationSettings()
    """What SelFlow tells by itself."""
    supervisor: SupervisorSettings = SupervisorSettings()
    """Health checks of the services."""

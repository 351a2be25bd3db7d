"""The inference API's own models (docs/http.md): what the gateway checks and what the
client returns.

Requests refuse unknown fields by name (those of OpenAI's routes name and ignore them); answers may
grow, so readers ignore fields that they do not know.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

MAX_CONTEXT_EVENTS = 2_000
"""Most events in one context; the live tail is shorter."""
KEPT_PREDICTIONS = 50
"""Ranked events that a decision remembers; the rest of the probability is ``none of these``."""

MAX_OUTCOME_LABELS = 2_000
"""Most events of one outcome."""
MAX_PROMPT_CHARACTERS = 200_000
"""Of a prompt or a whole chat: more than any context here holds."""
MAX_STOP_CHARACTERS = 256
"""Of one stop text."""

Label = Annotated[str, Field(max_length=4_096)]
Id = Annotated[str, Field(max_length=100)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_.-]{0,63}$")]


class Request(BaseModel):
    """Something that a caller sends."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Answer(BaseModel):
    """Something that a caller receives."""

    model_config = ConfigDict(frozen=True)


class PredictRequest(Request):
    """``POST /v1/predict``. Events of the context are checked by ``selflow.core.codec``, one by
    one.
    """

    context: (
        Annotated[list[dict[str, Any]], Field(min_length=1, max_length=MAX_CONTEXT_EVENTS)] | None
    ) = None
    horizon: Literal[1] = 1
    top_k: Annotated[int, Field(ge=1, le=KEPT_PREDICTIONS)] = 5
    kinds: (
        Annotated[list[Annotated[str, Field(max_length=64)]], Field(min_length=1, max_length=64)]
        | None
    ) = None
    mode: Literal["pool", "routed"] = "pool"


class Share(Answer):
    """One expert's part in a prediction, or its weight in the pool."""

    id: str
    weight: float


class Guess(Answer):
    """One possible next event. ``experts``: who put it there and how much, largest first."""

    kind: str
    subject: str
    p: float
    experts: list[Share] = []


class PredictAnswer(Answer):
    """Ranked next events. ``other_p`` is the probability of everything that is not listed.

    ``sorted_by``: ``early_hit`` is the order that makes it likeliest that an early one comes; the
    probabilities need not fall along it. An event that mostly comes together with one above it
    stands lower than its own probability would put it.
    """

    decision_id: str
    at: str
    predictions: list[Guess]
    sorted_by: Literal["early_hit"] = "early_hit"
    other_p: float
    experts: list[Share]


MAX_PREFIX_CHARACTERS, MAX_SUGGEST_CONTEXT_CHARACTERS = 1_024, 4_096
Surface = Literal["shell", "commit", "path"]


class SuggestRequest(Request):
    """``POST /v1/suggest``. ``context`` is the folder of a shell line or of a relative path, and
    the changed paths of a commit, one in a line.
    """

    surface: Surface
    prefix: Annotated[str, Field(max_length=MAX_PREFIX_CHARACTERS)]
    context: Annotated[str, Field(max_length=MAX_SUGGEST_CONTEXT_CHARACTERS)] = ""


class SuggestedText(Answer):
    """A text that begins with the prefix; ``keys_saved`` are expected."""

    text: str
    p: float
    keys_saved: float


class SuggestAnswer(Answer):
    """Completions, the likeliest first; none if it ``abstained``, and then ``reason`` says why."""

    decision_id: str
    suggestions: list[SuggestedText]
    abstained: bool
    reason: str


Value = (
    bool
    | Annotated[int, Field(ge=-(2**53), le=2**53)]
    | Annotated[float, Field(allow_inf_nan=False)]
    | Annotated[str, Field(max_length=8_192)]
    | Annotated[list[Any], Field(max_length=10_000)]
    | None
)
"""What feedback may say; which metric takes what, in words, is ``serve.ratings``'s to check."""


class FeedbackRequest(Request):
    """``POST /v1/feedback``: exactly one id, one metric, its value."""

    inference_id: Id | None = None
    decision_id: Id | None = None
    episode_id: Id | None = None
    metric_name: Name
    value: Value
    tags: Annotated[dict[Name, Label], Field(max_length=32)] = {}
    dryrun: bool = False

    @model_validator(mode="after")
    def _exactly_one_id(self) -> Self:
        given = [
            name
            for name in ("inference_id", "decision_id", "episode_id")
            if getattr(self, name) is not None
        ]
        if len(given) != 1:
            raise ValueError("exactly one of decision_id, inference_id and episode_id")
        return self


class OutcomeLabel(Request):
    """One event that really came next."""

    kind: Annotated[str, Field(min_length=1, max_length=64)]
    subject: Label = ""


class FeedbackAnswer(Answer):
    """What was stored (no id after a dry run) and, for the metric ``outcome``, how good the
    decision was.
    """

    feedback_id: str | None
    hit_at_1: bool | None = None
    hit_at_5: bool | None = None
    log_loss_bits: float | None = None


class HealthAnswer(Answer):
    """``GET /health``; no user data.

    ``lag_events`` are stored and not learned from yet; ``config_hash`` is that of the settings it
    runs on.
    """

    status: Literal["ok", "degraded"]
    version: str
    config_hash: str = ""
    lag_events: int = 0
    last_error: str = ""


class PartNotes(Answer):
    """What one part of an agent saves on the gate part, in bits per step of its slice, with the p
    of "nothing"; ``is_met``: whether it earned its place.
    """

    gain_bits: float
    p: float
    is_met: bool


class ModelNotes(Answer):
    """What OpenAI's shape has no place for. ``aliases`` answer alike."""

    kind: Literal["router", "base", "agent"]
    status: str = ""
    version: str = ""
    aliases: Sequence[str] = ()
    pattern_id: str | None = None
    surface: str = ""
    """Of an agent: where its answers are used."""
    parts: Mapping[str, PartNotes] = {}
    """Of an agent that has several: what the gate said of each."""


class Model(Answer):
    """One id of ``GET /v1/models``."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str = "selflow"
    root: str = ""
    parent: str | None = None
    selflow: ModelNotes


class ModelList(Answer):
    """``GET /v1/models``."""

    object: Literal["list"] = "list"
    data: list[Model]


UNSUPPORTED: dict[str, tuple[object, ...]] = {
    "n": (1,),
    "best_of": (1,),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "presence_penalty": (0,),
    "frequency_penalty": (0,),
    "echo": (False,),
    "suffix": ("",),
    "tools": ([],),
    "functions": ([],),
    "response_format": ({"type": "text"},),
    "modalities": (["text"],),
    "audio": (),
}
"""What OpenAI's routes do not offer, with the values that ask for nothing."""
Prompt = Annotated[str, Field(min_length=1, max_length=MAX_PROMPT_CHARACTERS)]
Stop = Annotated[str, Field(min_length=1, max_length=MAX_STOP_CHARACTERS)]
TokenLimit = Annotated[int, Field(ge=1, le=1_000_000)]


class StreamOptions(Request):
    """What a stream shall also tell."""

    include_usage: bool = False


class TextRequest(BaseModel):
    """What ``POST /v1/completions`` and ``POST /v1/chat/completions`` share. Null is as good as
    absent.
    """

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)

    model: Annotated[str, Field(min_length=1, max_length=300)]
    max_tokens: TokenLimit | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] = 1.0
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    stop: Annotated[list[Stop], Field(max_length=4)] = []
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    stream: bool = False
    stream_options: StreamOptions = StreamOptions()
    user: Annotated[str, Field(max_length=512)] = ""

    @model_validator(mode="before")
    @classmethod
    def _only_what_is_offered(cls, raw: Any) -> Any:  # noqa: ANN401
        if not isinstance(raw, dict):
            return raw
        given = {name: value for name, value in raw.items() if value is not None}
        for name in UNSUPPORTED.keys() & given.keys():
            if given.pop(name) not in UNSUPPORTED[name]:
                raise PydanticCustomError(
                    "unsupported_parameter", "{param} is not supported", {"param": name}
                )
        if isinstance(given.get("stop"), str):
            given["stop"] = [given["stop"]]
        return given


class CompletionRequest(TextRequest):
    """``POST /v1/completions``: one text, or up to eight."""

    prompt: Prompt | Annotated[list[Prompt], Field(min_length=1, max_length=8)]


class Part(Request):
    """A part of a message; there are no others than text."""

    type: Literal["text"]
    text: Annotated[str, Field(max_length=MAX_PROMPT_CHARACTERS)]

    @field_validator("type", mode="before")
    @classmethod
    def _only_text(cls, raw: Any) -> Any:  # noqa: ANN401
        if raw != "text":
            raise PydanticCustomError(
                "unsupported_parameter", "only text is supported", {"param": "messages"}
            )
        return raw


class Message(Request):
    """One turn of a chat."""

    role: Literal["system", "user", "assistant"]
    content: (
        Annotated[str, Field(max_length=MAX_PROMPT_CHARACTERS)]
        | Annotated[list[Part], Field(max_length=100)]
    )

    @property
    def text(self) -> str:
        """All of it."""
        return (
            self.content
            if isinstance(self.content, str)
            else "".join(part.text for part in self.content)
        )


class ChatRequest(TextRequest):
    """``POST /v1/chat/completions``."""

    messages: Annotated[list[Message], Field(min_length=1, max_length=1_000)]
    max_completion_tokens: TokenLimit | None = None

    @model_validator(mode="after")
    def _fits_any_context(self) -> Self:
        if sum(len(message.text) for message in self.messages) > MAX_PROMPT_CHARACTERS:
            raise ValueError(f"messages hold at most {MAX_PROMPT_CHARACTERS:,} characters in all")
        return self

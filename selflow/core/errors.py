"""Every error of SelFlow: one root, one level below it.

Each class passes all its arguments to ``super().__init__`` so that it survives pickling between
processes, and makes its text when asked. No message ever quotes the owner's data: names, ids,
sizes and limits only.
"""

import errno
import traceback
from dataclasses import dataclass

STORAGE_FULL = "storage_full"
CATALOG_LOCKED = "catalog_locked"
CATALOG_NEWER = "catalog_newer"
_NOT_NOW = frozenset({STORAGE_FULL, CATALOG_LOCKED, CATALOG_NEWER})
_SHOWN_CHARS = 500


class SelFlowError(Exception):
    """The root. ``code`` is the wire's word for it, ``status`` the HTTP answer, ``exit_code`` the
    CLI's.

    Seen by: nobody; a subclass is always raised.
    """

    code = "internal"
    status = 500
    exit_code = 1

    @property
    def hint(self) -> str:
        """What the reader can do next; empty if there is nothing to say."""
        return ""


class _DetailedError(SelFlowError):
    """An error that is one sentence and one next step."""

    def __init__(self, detail: str, next_step: str = "") -> None:
        super().__init__(detail, next_step)
        self.detail = detail
        self.next_step = next_step

    def __str__(self) -> str:
        return self.detail

    @property
    def hint(self) -> str:
        """What the reader can do next."""
        return self.next_step


class ConfigError(_DetailedError):
    """A setting is unknown, out of bounds or contradictory. Seen by: the owner."""

    code = "validation_failed"
    status = 400
    exit_code = 2


class UsageError(_DetailedError):
    """A command or a call was used wrongly. Seen by: the owner."""

    code = "bad_request"
    status = 400
    exit_code = 2


class NotRunningError(_DetailedError):
    """SelFlow, or the part that is asked for, is not running or not reachable. Seen by: the
    owner.
    """

    code = "ray_down"
    status = 503
    exit_code = 3


class RefusedError(_DetailedError):
    """A policy refuses: scope, privacy, network. Seen by: the owner."""

    code = "refused_by_policy"
    status = 403
    exit_code = 4


class StoreError(_DetailedError):
    """The disk, the log or the catalog cannot do what was asked.

    Its status is 503 where that ends without a restart: the disk is full or read-only
    (``storage_full``), another process holds the catalog (``catalog_locked``), or a newer SelFlow
    wrote it (``catalog_newer``). Seen by: the owner, the log.
    """

    status = 500

    def __init__(self, detail: str, next_step: str = "", code: str = "store_failed") -> None:
        super().__init__(detail, next_step)
        self.args = (detail, next_step, code)
        self.code = code
        self.status = 503 if code in _NOT_NOW else 500


class WireError(SelFlowError):
    """A message from outside does not follow its schema; nothing of it was stored. Seen by: a
    caller.
    """

    status = 400

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return self.message


class ShapeError(_DetailedError):
    """An array or a record has the wrong shape. Seen by: a caller."""

    code = "bad_request"
    status = 400


class ArtifactError(_DetailedError):
    """An artifact is missing or its content does not match its hash. Seen by: the owner,
    the log.
    """

    code = "artifact_not_found"
    status = 404


class ProcessEndedError(_DetailedError):
    """A process that was started for a part of the work ended without its result. Seen by: the
    owner.
    """


class TrainingDivergedError(SelFlowError):
    """A training loss is NaN, or far above its first value. Seen by: the owner, the log."""

    def __init__(self, what: str, configuration: str) -> None:
        super().__init__(what, configuration)
        self.what = what
        self.configuration = configuration

    def __str__(self) -> str:
        return f"training {self.what} diverged with {self.configuration}"

    @property
    def hint(self) -> str:
        """What to try."""
        return "a smaller learning rate helps; the search goes on without this configuration"


class ApiError(SelFlowError):
    """The API refused a request. Seen by: a caller of the SDK, the owner."""

    def __init__(
        self, status: int, code: str, detail: str, hint: str = "", request_id: str = ""
    ) -> None:
        super().__init__(status, code, detail, hint, request_id)
        self.status = status
        self.code = code
        self.detail = detail
        self._hint = hint
        self.request_id = request_id

    def __str__(self) -> str:
        return f"{self.status} {self.code}: {self.detail}"

    @property
    def hint(self) -> str:
        """What the server proposes to do next."""
        return self._hint

    @property
    def exit_code(self) -> int:  # type: ignore[override]
        """4 for a refusal, 3 for a service that is unavailable, else 1."""
        if self.status in {401, 403}:
            return 4
        return 3 if self.status == 503 else 1


def storage_code(*, is_full: bool) -> str:
    """The code of a StoreError."""
    return STORAGE_FULL if is_full else "store_failed"


def is_storage_full(error: OSError) -> bool:
    """Whether a write failed because the disk, or the owner's part of it, takes nothing more."""
    return error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG}


@dataclass(frozen=True, slots=True)
class Rejected:
    """One event of a batch that was not stored: its place in the batch and why."""

    index: int
    code: str


def public_text(error: BaseException) -> str:
    """What may be stored and shown of an error: the sentence of one of ours; of a foreign one its
    kind alone, because its text may quote the owner's data.
    """
    if isinstance(error, SelFlowError):
        return str(error)[:_SHOWN_CHARS]
    if isinstance(error, OSError) and error.strerror:
        return f"{type(error).__name__}: {error.strerror}"
    return type(error).__name__


def location_of(error: BaseException) -> str:
    """Which error and where, for the log; never its text, which may hold the owner's data."""
    frames = traceback.extract_tb(error.__traceback__)
    location = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "unknown"
    return f"{type(error).__name__} at {location}"

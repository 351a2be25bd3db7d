"""What the hook post-commit writes, as ``commit.message`` events (docs/shell.md#commits).

A record is one of ``records``; its shell is ``git``, its folder the repository, its suggestion the
decision. Its text holds lines: the commit's hash, the first line of its message, the suggestion
that was shown, and the changed paths.
"""

from collections.abc import Collection, Iterator, Sequence

from selflow.collect.companion.records import MAX_COMMAND_CHARS
from selflow.core.events import COMMIT_MESSAGE, MAX_COMMIT_PATHS, Event, Json
from selflow.core.kept_share import kept_share

GIT = b"git"
_SHORT_HASH_CHARS = 10
_MAX_PATH_CHARS = 16_000
"""Of all paths of a commit, so that an event stays small."""
_MIN_KEPT_SHARE = 0.5
"""A message that keeps less of a suggestion was written without it."""


def commit_events(
    records: Sequence[tuple[bytes, ...]], newest_us: int, folders: Collection[str]
) -> Iterator[Event | None]:
    """The event of each record; None for one that is not stored: of a repository that is not in
    ``folders``, without a message, with a longer one than ``MAX_COMMAND_CHARS``, or dated after
    ``newest_us``.
    """
    for _, ts, program, folder, _, _, decision, text in records:
        repository = folder.decode("utf-8", "replace")
        commit_hash, *lines = text.decode("utf-8", "replace").split("\n")
        subject, shown, *paths = [*lines, "", ""]
        is_allowed = program == GIT and repository in folders
        if not is_allowed or not subject.strip() or len(subject) > MAX_COMMAND_CHARS:
            yield None
            continue
        if int(ts) > newest_us:
            yield None
            continue
        data: dict[str, Json] = {
            "step": commit_hash[:_SHORT_HASH_CHARS],
            "folder": repository,
            "paths": list(_first(paths)),
        }
        if decision and shown:
            outcome = _outcome(shown, subject)
            named = decision.decode("ascii", "replace")
            data["suggestion"] = {"decision_id": named, "outcome": outcome}
        yield Event(int(ts), "git", COMMIT_MESSAGE, subject, "git", data=data)


def _first(paths: Sequence[str]) -> Iterator[str]:
    """As many paths as an event holds."""
    chars = 0
    for path in [path for path in paths if path][:MAX_COMMIT_PATHS]:
        chars += len(path)
        if chars > _MAX_PATH_CHARS:
            return
        yield path


def _outcome(shown: str, subject: str) -> str:
    """What became of a suggestion."""
    if subject == shown:
        return "accepted"
    return "edited" if kept_share(shown, subject) >= _MIN_KEPT_SHARE else "ignored"

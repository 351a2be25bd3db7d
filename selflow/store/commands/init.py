"""``selflow init``: the owner's consent, by kind and folder, written into the catalog."""

import os
import shutil
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from selflow.core.clock import SystemClock, rfc3339
from selflow.core.config import by_reference, collector_settings, config_hash
from selflow.core.errors import UsageError
from selflow.core.events import Json
from selflow.core.grants import ACTIVITYWATCH, COMMITS, IMPORT, OWNER
from selflow.core.invocation import Invocation, table
from selflow.core.paths import private_folder, write_private
from selflow.core.session_files import read_request
from selflow.store.commands.commit_consent import remove_commit_spool
from selflow.store.commands.opening import open_catalog
from selflow.store.reading import CatalogReader

FILES = "file_system"
COMPANION = "shell_companion"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of source, and what consent to it means."""

    name: str
    collected: str
    never: str
    is_watched: bool = True
    """Whether the collector watches it by itself: it then stands in ``data_sources``."""


KINDS = (
    Kind(
        FILES,
        "that a file below the folders you name was created, changed, moved or deleted: "
        "its path and the time",
        "what is in a file; anything in version control internals, caches, build output "
        "and your excluded paths",
    ),
    Kind(
        "system_metrics",
        "the load of processor, memory, disk, network and battery, once a minute",
        "which programs run, what they show, where data goes",
    ),
    Kind(
        "shell_history",
        "the commands in your shell's history files, with secrets replaced before they are stored",
        "what commands print, passwords that are typed, commands that your shell does not keep",
    ),
    Kind(
        "ingest",
        "events that your programs send over the local socket, with secrets replaced "
        "before they are stored",
        "anything that a program does not send by itself",
        is_watched=False,
    ),
    Kind(
        ACTIVITYWATCH,
        "what ActivityWatch's watchers send to the port that you set as aw.port: windows, idle "
        "times, tabs, files that are edited; with secrets replaced before they are stored",
        "private windows; anything while aw.port is not set",
        is_watched=False,
    ),
    Kind(
        COMPANION,
        "each command that a shell with the hook of `selflow shell install` has finished: the "
        "line, its folder, exit status and duration, and what became of a suggestion; with "
        "secrets replaced before they are stored",
        "lines that begin with a space, what commands print, passwords that are typed",
    ),
)
_BY_NAME = {kind.name: kind for kind in KINDS}


@dataclass(frozen=True, slots=True)
class Change:
    """What one call allows and takes back: kinds, and folders of ``file_system``."""

    granted: Sequence[Kind] = ()
    folders: tuple[str, ...] = ()
    """Without any, those that the settings watch are meant."""
    revoked: Sequence[str] = ()
    revoked_folders: tuple[str, ...] = ()


def init(  # noqa: PLR0913  (one for each option)
    ctx: typer.Context,
    grant: Annotated[
        list[str] | None, typer.Option(metavar="KIND", help="Allow this kind; may be repeated.")
    ] = None,
    revoke: Annotated[
        list[str] | None, typer.Option(metavar="KIND", help="Revoke this kind; may be repeated.")
    ] = None,
    watch: Annotated[
        list[Path] | None,
        typer.Option(metavar="DIR", help="Allow file_system for this folder; may be repeated."),
    ] = None,
    unwatch: Annotated[
        list[Path] | None,
        typer.Option(metavar="DIR", help="Revoke this folder; may be repeated."),
    ] = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Allow every kind.")] = False,
    list_all: Annotated[
        bool, typer.Option("--list", help="Show the consents, and change nothing.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be recorded, and record nothing.")
    ] = False,
) -> None:
    """Record what SelFlow may collect, source by source.

    Without options it explains each kind and asks. Kinds: file_system, system_metrics,
    shell_history, ingest, shell_companion. Nothing is collected before this.
    """
    call: Invocation = ctx.obj
    for name in [*(grant or ()), *(revoke or ())]:
        if name not in _BY_NAME and not (name in {IMPORT, COMMITS} and name in (revoke or ())):
            if name == COMMITS:
                raise UsageError(
                    "commits are allowed one repository at a time",
                    "in each: selflow git install --record",
                )
            raise UsageError(f"unknown kind of source: {name}", f"kinds: {', '.join(_BY_NAME)}")
    if list_all:
        _list(call)
        return
    folders = [_folder(call, path) for path in watch or ()]
    wanted = [
        kind
        for kind in KINDS
        if yes or kind.name in (grant or ()) or (kind.name == FILES and folders)
    ]
    ended = _allowed_in(call, unwatch or ())
    if not (wanted or revoke or unwatch):
        wanted, folders = _ask(call)
    change = Change(wanted, tuple(folders), revoke or (), ended)
    _record(call, change, is_dry=dry_run, is_sweeping=yes)


def _given(call: Invocation) -> dict[str, Any]:
    """Every consent by its kind; makes no catalog where there is none."""
    reader = CatalogReader(call.catalog_location())
    return {consent.source: consent for consent in reader.consents()}


def _list(call: Invocation) -> None:
    given = _given(call)
    items = [
        {
            "source": name,
            "is_granted": name in given and given[name].revoked_at_us is None,
            "granted_at": rfc3339(given[name].granted_at_us) if name in given else None,
            "revoked_at": _moment(given[name].revoked_at_us) if name in given else None,
            "details": dict(given[name].details) if name in given else {},
        }
        for name in [*_BY_NAME, *sorted(given.keys() - _BY_NAME)]
    ]
    rows = [
        [i["source"], "yes" if i["is_granted"] else "no", i["granted_at"], i["revoked_at"]]
        for i in items
    ]
    call.show({"items": items}, table(["source", "allowed", "since", "revoked"], rows))


def _ask(call: Invocation) -> tuple[list[Kind], list[str]]:
    """Explain each kind and ask for it; needs a person."""
    if not sys.stdin.isatty():
        raise UsageError(
            "selflow init needs a terminal for its questions",
            "use --yes, --grant KIND or --watch DIR; --list shows the consents",
        )
    wanted, folders = [], []
    for kind in KINDS:
        call.err.write(f"\n{kind.name}\n  collected: {kind.collected}\n  never: {kind.never}\n")
        if _answer(call, "  allow? [y/N] ").lower() not in {"y", "yes"}:
            continue
        if kind.name == FILES:
            folders = [
                _folder(call, Path(text))
                for text in _answer(call, "  folders, separated by :  ").split(":")
                if text
            ]
        wanted.append(kind)
    return wanted, folders


def _answer(call: Invocation, question: str) -> str:
    call.err.write(question)
    call.err.flush()
    return sys.stdin.readline().strip()


def _record(call: Invocation, change: Change, *, is_dry: bool, is_sweeping: bool) -> None:
    """Write consents and, if the owner has none yet, the settings file; show what was done."""
    sources, wanted = _sources(call), change.granted
    folders = _folders(call, change.folders or sources.get(FILES, ()), change.revoked_folders)
    if not folders and any(kind.name == FILES for kind in wanted):
        if not is_sweeping:
            raise UsageError("file_system needs a folder", "add --watch DIR")
        call.note("file_system was skipped: it needs a folder (--watch DIR)")
        wanted = [kind for kind in wanted if kind.name != FILES]
    if not is_dry:
        _write(call, replace(change, granted=wanted, folders=folders))
    missing = _missing(wanted, sources, folders)
    settings = {"file": str(_settings_file(call)), **_settle(call, missing, is_dry=is_dry)}
    document = {
        "granted": [{"source": kind.name, "details": _details(kind, folders)} for kind in wanted],
        "revoked": list(change.revoked),
        "revoked_folders": list(change.revoked_folders),
        "settings": settings,
        "effect": _effect(call, is_waiting=bool(missing)) if wanted and not is_dry else "",
        "dry_run": is_dry,
    }
    call.show(document, _lines(document, wanted))


def _folders(call: Invocation, more: Iterable[str], less: Collection[str]) -> tuple[str, ...]:
    """The folders that are allowed already, and ``more``, without ``less``."""
    candidates = dict.fromkeys([*_allowed_folders(call), *more])
    return tuple(folder for folder in candidates if folder not in less)


def _allowed_folders(call: Invocation) -> tuple[str, ...]:
    before = _given(call).get(FILES)
    return before.folders if before is not None and before.revoked_at_us is None else ()


def _allowed_in(call: Invocation, paths: Iterable[Path]) -> tuple[str, ...]:
    """The allowed folders that are one of ``paths`` or lie below one.

    Raises:
        UsageError: A folder above it is allowed: a part of a consent cannot be revoked.
    """
    allowed = {name: Path(os.path.realpath(name)) for name in _allowed_folders(call)}
    matches: list[str] = []
    for path in paths:
        folder = Path(os.path.realpath(Path(call.cwd, path.expanduser())))
        inside = [name for name, real in allowed.items() if real.is_relative_to(folder)]
        above = [name for name, real in allowed.items() if folder.is_relative_to(real)]
        if not inside and above:
            raise UsageError(
                f"{folder} is allowed as a part of {above[0]}",
                f"use --unwatch {above[0]}, or exclude it: privacy.exclude_paths",
            )
        if not inside:
            call.note(f"{folder} was not allowed before")
        matches += inside
    return tuple(dict.fromkeys(matches))


def _effect(call: Invocation, *, is_waiting: bool) -> str:
    """When collecting starts: within seconds, if the running collector knows the settings."""
    request = read_request(call.root)
    if request is None:
        return "to start collecting: selflow up"
    seen = {service.name: service for service in CatalogReader(call.catalog_location()).services()}
    wanted = config_hash(collector_settings(by_reference(request.settings(call.root))))
    if is_waiting or "collector" not in seen or seen["collector"].config_hash != wanted:
        return "the running session does not watch this yet; to apply it: selflow up"
    return "the running session starts collecting within seconds"


def _write(call: Invocation, change: Change) -> None:
    now_us = SystemClock().now_us()
    with open_catalog(call) as catalog:
        catalog.consents.revoke_folders(FILES, change.revoked_folders, now_us, OWNER)
        for kind in change.granted:
            catalog.consents.grant(kind.name, _details(kind, change.folders), now_us, OWNER)
        for name in change.revoked:
            if not catalog.consents.revoke(name, now_us, OWNER):
                call.note(f"{name} was not allowed")
    _settle_spool(call, change)


def _settle_spool(call: Invocation, change: Change) -> None:
    """The hooks write where this folder is, and nowhere else: it stands for the consent."""
    if any(kind.name == COMPANION for kind in change.granted):
        private_folder(call.root.shell_spool)
    if COMPANION in change.revoked:
        shutil.rmtree(call.root.shell_spool, ignore_errors=True)
    if COMMITS in change.revoked:
        remove_commit_spool(call)


def _details(kind: Kind, folders: tuple[str, ...]) -> dict[str, Json]:
    return {"paths": list(folders)} if kind.name == FILES else {}


def _sources(call: Invocation) -> dict[str, tuple[str, ...]]:
    """The kinds that the settings watch already, with their folders."""
    sources: dict[str, tuple[str, ...]] = {}
    for source in call.settings().settings.data_sources:
        paths = tuple(str(Path(path).expanduser()) for path in getattr(source, "paths", ()))
        sources[source.type] = sources.get(source.type, ()) + paths
    return sources


def _missing(
    wanted: Iterable[Kind], sources: Mapping[str, tuple[str, ...]], folders: tuple[str, ...]
) -> list[dict[str, Any]]:
    """The entries of ``data_sources`` that the chosen kinds need and the settings lack."""
    needed: list[dict[str, Any]] = []
    for kind in wanted:
        watched = sources.get(FILES, ())
        new = [
            folder for folder in folders if not any(Path(folder).is_relative_to(w) for w in watched)
        ]
        if kind.name == FILES and new:
            needed.append({"type": FILES, "paths": new})
        elif kind.is_watched and kind.name != FILES and kind.name not in sources:
            needed.append({"type": kind.name})
    return needed


def _settle(call: Invocation, missing: list[dict[str, Any]], *, is_dry: bool) -> dict[str, Any]:
    """Write the first settings file; never touch one that exists."""
    if not missing:
        return {"written": False, "to_add": ""}
    import yaml

    text = yaml.safe_dump({"data_sources": missing}, sort_keys=False, allow_unicode=True)
    path = _settings_file(call)
    if path.exists() or is_dry:
        return {"written": False, "to_add": text}
    private_folder(path.parent)
    write_private(path, f"# What SelFlow watches. selflow config check checks it.\n{text}")
    return {"written": True, "to_add": ""}


def _settings_file(call: Invocation) -> Path:
    return call.config_file or call.root.user_settings


def _lines(document: Mapping[str, Any], wanted: Iterable[Kind]) -> Iterator[str]:
    verb = "would be allowed" if document["dry_run"] else "allowed"
    details = {item["source"]: item["details"] for item in document["granted"]}
    for kind in wanted:
        yield f"{kind.name}: {verb}\n  collected: {kind.collected}\n  never: {kind.never}"
        yield from (f"  folder: {path}" for path in details[kind.name].get("paths", ()))
    for name in [*document["revoked"], *document["revoked_folders"]]:
        yield f"{name}: {'would be revoked' if document['dry_run'] else 'revoked'}"
    settings = document["settings"]
    if settings["written"]:
        yield f"written: {settings['file']}"
    if settings["to_add"]:
        yield f"add this to {settings['file']}, which SelFlow does not rewrite:"
        yield settings["to_add"].rstrip()
    if document["effect"]:
        yield document["effect"]


def _folder(call: Invocation, path: Path) -> str:
    folder = Path(call.cwd, path.expanduser())
    if not folder.is_dir():
        raise UsageError(f"folder not found: {folder}", "give a folder that exists")
    return str(folder)


def _moment(ts_us: int | None) -> str | None:
    return None if ts_us is None else rfc3339(ts_us)

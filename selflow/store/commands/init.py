"""``selflow init``: the owner's consent, by kind and folder, written into the catalog."""

import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from selflow.core.clock import SystemClock, rfc3339
from selflow.core.config import by_reference, collector_settings, config_hash
from selflow.core.errors import UsageError
from selflow.core.events import Json
from selflow.core.grants import COMMITS, IMPORT, OWNER
from selflow.core.invocation import Invocation, table
from selflow.core.paths import private_folder, write_private
from selflow.core.session_files import read_request
from selflow.store.commands.commit_consent import remove_commit_spool
from selflow.store.commands.finding_listing import document_of, find_all, lines_of
from selflow.store.commands.opening import open_catalog
from selflow.store.commands.source_kinds import COMPANION, FILES, KINDS, Kind
from selflow.store.reading import CatalogReader

_BY_NAME = {kind.name: kind for kind in KINDS}
_FOLDERED = tuple(kind for kind in KINDS if kind.has_folders)


@dataclass(frozen=True, slots=True)
class Change:
    """What one call allows and takes back: kinds, and folders of those that have folders."""

    granted: Sequence[Kind] = ()
    folders: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By kind; without any, those that the settings watch are meant."""
    revoked: Sequence[str] = ()
    revoked_folders: tuple[str, ...] = ()


def init(  # noqa: PLR0913  (one for each option)
    ctx: typer.Context,
    grant: Annotated[
        list[str] | None,
        typer.Option(metavar="KIND[=DIR]", help="Allow this kind (below DIR); may be repeated."),
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
    find: Annotated[
        bool, typer.Option("--find", help="Show what this machine has, with counts, and stop.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be recorded, and record nothing.")
    ] = False,
) -> None:
    """Record what SelFlow may collect, source by source.

    Without options it explains each kind and asks. Kinds: file_system, system_metrics,
    shell_history, ingest, shell_companion, browser_history, application_usage, calendar,
    documents, git_activity. Nothing is collected before this.
    """
    call: Invocation = ctx.obj
    named = [(text.partition("=")[0], text.partition("=")[2]) for text in grant or ()]
    _check_kinds([name for name, _ in named], revoke or ())
    if list_all:
        _list(call)
        return
    if find:
        findings = find_all()
        call.show(document_of(findings), lines_of(findings))
        return
    folders = _named_folders(call, [*named, *((FILES, str(path)) for path in watch or ())])
    names = {*(name for name, _ in named), *folders}
    wanted = [kind for kind in KINDS if yes or kind.name in names]
    ended = _allowed_in(call, unwatch or ())
    if not (wanted or revoke or unwatch):
        wanted, folders = _ask(call)
    change = Change(wanted, folders, revoke or (), ended)
    _record(call, change, is_dry=dry_run, is_sweeping=yes)


def _check_kinds(granted: Sequence[str], revoked: Sequence[str]) -> None:
    for name in [*granted, *revoked]:
        if name in _BY_NAME or (name in {IMPORT, COMMITS} and name in revoked):
            continue
        if name == COMMITS:
            raise UsageError(
                "commits are allowed one repository at a time",
                "in each: selflow git install --record",
            )
        raise UsageError(f"unknown kind of source: {name}", f"kinds: {', '.join(_BY_NAME)}")


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


def _named_folders(
    call: Invocation, named: Iterable[tuple[str, str]]
) -> dict[str, tuple[str, ...]]:
    """The folders that options name, by kind."""
    folders: dict[str, tuple[str, ...]] = {}
    for name, text in named:
        if not text:
            continue
        if not _BY_NAME[name].has_folders:
            raise UsageError(f"{name} has no folders", f"use --grant {name}")
        folders[name] = (*folders.get(name, ()), _folder(call, Path(text), name))
    return folders


def _ask(call: Invocation) -> tuple[list[Kind], dict[str, tuple[str, ...]]]:
    """Explain each kind and ask for it; needs a person."""
    if not sys.stdin.isatty():
        raise UsageError(
            "selflow init needs a terminal for its questions",
            "use --yes, --grant KIND or --watch DIR; --list shows the consents",
        )
    wanted: list[Kind] = []
    folders: dict[str, tuple[str, ...]] = {}
    findings = find_all()
    for kind in KINDS:
        call.err.write(f"\n{kind.name}\n  collected: {kind.collected}\n  never: {kind.never}\n")
        for finding in findings:
            if finding.kind == kind.name:
                call.err.write(f"  found: {finding}\n")
        if _answer(call, "  allow? [y/N] ").lower() not in {"y", "yes"}:
            continue
        if kind.has_folders:
            texts = _answer(call, "  folders, separated by :  ").split(":")
            folders[kind.name] = tuple(
                _folder(call, Path(text), kind.name) for text in texts if text
            )
        wanted.append(kind)
    return wanted, folders


def _answer(call: Invocation, question: str) -> str:
    call.err.write(question)
    call.err.flush()
    return sys.stdin.readline().strip()


def _record(call: Invocation, change: Change, *, is_dry: bool, is_sweeping: bool) -> None:
    """Write consents and, if the owner has none yet, the settings file; show what was done."""
    sources, wanted = _sources(call), list(change.granted)
    folders = {kind.name: _folders(call, kind.name, change, sources) for kind in _FOLDERED}
    for kind in [one for one in wanted if one.has_folders and not folders[one.name]]:
        if not is_sweeping:
            raise UsageError(f"{kind.name} needs a folder", f"add {kind.folder_option}")
        call.note(f"{kind.name} was skipped: it needs a folder ({kind.folder_option})")
        wanted.remove(kind)
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


def _folders(
    call: Invocation, name: str, change: Change, sources: Mapping[str, tuple[str, ...]]
) -> tuple[str, ...]:
    """The folders of a kind: allowed already, named or else watched, without those revoked."""
    more = change.folders.get(name) or sources.get(name, ())
    less = change.revoked_folders if name == FILES else ()
    candidates = dict.fromkeys([*_allowed_folders(call, name), *more])
    return tuple(folder for folder in candidates if folder not in less)


def _allowed_folders(call: Invocation, name: str) -> tuple[str, ...]:
    before = _given(call).get(name)
    return before.folders if before is not None and before.revoked_at_us is None else ()


def _allowed_in(call: Invocation, paths: Iterable[Path]) -> tuple[str, ...]:
    """The allowed folders that are one of ``paths`` or lie below one.

    Raises:
        UsageError: A folder above it is allowed: a part of a consent cannot be revoked.
    """
    allowed = {name: Path(os.path.realpath(name)) for name in _allowed_folders(call, FILES)}
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


def _details(kind: Kind, folders: Mapping[str, tuple[str, ...]]) -> dict[str, Json]:
    return {"paths": list(folders[kind.name])} if kind.has_folders else {}


def _sources(call: Invocation) -> dict[str, tuple[str, ...]]:
    """The kinds that the settings watch already, with their folders."""
    sources: dict[str, tuple[str, ...]] = {}
    for source in call.settings().settings.data_sources:
        paths = tuple(str(Path(path).expanduser()) for path in getattr(source, "paths", ()))
        sources[source.type] = sources.get(source.type, ()) + paths
    return sources


def _missing(
    wanted: Iterable[Kind],
    sources: Mapping[str, tuple[str, ...]],
    folders: Mapping[str, tuple[str, ...]],
) -> list[dict[str, Any]]:
    """The entries of ``data_sources`` that the chosen kinds need and the settings lack."""
    needed: list[dict[str, Any]] = []
    for kind in wanted:
        watched = sources.get(kind.name, ())
        new = [
            folder
            for folder in folders.get(kind.name, ())
            if not any(Path(folder).is_relative_to(root) for root in watched)
        ]
        if new:
            needed.append({"type": kind.name, "paths": new})
        elif kind.is_watched and not kind.has_folders and kind.name not in sources:
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


def _folder(call: Invocation, path: Path, name: str) -> str:
    folder = Path(call.cwd, path.expanduser())
    if not (folder.is_file() and name == "calendar") and not folder.is_dir():
        raise UsageError(f"folder not found: {folder}", "give a folder that exists")
    return str(folder)


def _moment(ts_us: int | None) -> str | None:
    return None if ts_us is None else rfc3339(ts_us)

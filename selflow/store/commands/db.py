"""``selflow db``: whether everything that is kept is whole."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import typer

from selflow.core.errors import ArtifactError, StoreError
from selflow.core.invocation import Invocation, printable, table
from selflow.store.commands.audit import FAULT_EXIT
from selflow.store.commands.opening import open_catalog
from selflow.store.reading import CatalogReader
from selflow.store.records import AgentVersion
from selflow.store.sqlite_check import check_file

app = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True)
_MAX_NAMED = 10


@dataclass(frozen=True, slots=True)
class _Checked:
    """A part of what is kept: how many items were read, and what is wrong with them."""

    part: str
    items: int
    unit: str
    faults: list[str]


@app.callback()
def db() -> None:
    """Check that everything that is kept is whole."""


@app.command()
def check(ctx: typer.Context) -> None:
    """Read every event, the catalog, the audit log and every artifact; exit code 5 if something is
    damaged.

    It mends nothing, and may run while SelFlow does.
    """
    call: Invocation = ctx.obj
    checked = list(_checked(call))
    faults = [one for one in checked if one.faults]
    rows = [
        [
            "fail" if one.faults else "ok",
            one.part,
            f"{one.items:,} {one.unit}",
            printable("; ".join(one.faults)),
        ]
        for one in checked
    ]
    call.show(
        {"ok": not faults, "parts": [asdict(one) for one in checked]},
        table(("", "part", "read", "found"), rows),
    )
    if faults:
        raise typer.Exit(FAULT_EXIT)


def _checked(call: Invocation) -> Iterator[_Checked]:
    if (call.root.events / "data.mdb").exists():
        from selflow.store.log_check import check_log

        call.note("reading the event log")
        try:
            events, faults = check_log(call.root.events)
        except StoreError as error:
            events, faults = 0, [str(error)]
        yield _Checked("event log", events, "events", faults)
    location = call.catalog_location()
    if isinstance(location, Path):
        if not location.exists():
            return
        rows, faults = check_file(location)
        yield _Checked("catalog", rows, "rows", faults)
        if faults:
            return  # nothing that it says of others can be relied on
    call.note("reading the audit log and the artifacts")
    with open_catalog(call) as catalog:
        chain = catalog.audit.verify()
    yield _Checked("audit log", chain.entries, "entries", [chain.fault] if chain.fault else [])
    yield _artifacts(call)


def _artifacts(call: Invocation) -> _Checked:
    """Whether every artifact is what was put in, and those that serve are there. Of what was
    retired or forgotten the catalog keeps the row and not the folder.
    """
    from selflow.store.artifacts import ArtifactStore

    reader = CatalogReader(call.catalog_location())
    champions = reader.learned(AgentVersion, status="champion")
    predictor = reader.champion()
    needed = {version.sha256 for version in champions} | (
        {predictor.sha256} if predictor else set()
    )
    there = {path.name for path in call.root.artifacts.glob("[0-9a-f]*") if path.is_dir()}
    store = ArtifactStore(call.root.artifacts)
    faults = []
    for sha256 in sorted(needed | there):
        try:
            store.get(sha256)
        except ArtifactError as error:
            faults.append(str(error))
    more = [f"and {len(faults) - _MAX_NAMED:,} more"] if len(faults) > _MAX_NAMED else []
    return _Checked("artifacts", len(there), "folders", [*faults[:_MAX_NAMED], *more])

"""Agents' versions and the gate's ledger: who may serve, by which verdict, and who served
before.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy.engine import Connection

from selflow.core.errors import RefusedError, StoreError, UsageError
from selflow.core.events import Json
from selflow.core.ids import new_id
from selflow.core.surfaces import Surface
from selflow.store.audit import chain
from selflow.store.cycles import journal
from selflow.store.database import Database, find, find_one, put
from selflow.store.models import why_base_stays, why_version_stays
from selflow.store.records import AgentVersion, Base, Opening, Verdict, version_of

_KEPT_VERSIONS = 3


class Verdicts:
    """The ledger of gate openings; a verdict without its entry cannot be registered."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open_gate(
        self,
        count: Callable[[Sequence[Opening]], tuple[str, int] | None],
        span_us: tuple[int, int],
        candidate: str,
        cycle_id: str,
        now_us: int,
    ) -> Opening | None:
        """Note that the steps in a span of time are about to be looked at; None if they may not.

        A cycle that comes back with the same candidate opens nothing again.

        Args:
            count: The ledger's rule: from all entries so far, the gate set and the number of this.
            span_us: When the first and the last of the steps were.
            candidate: The adapter's hash.
            cycle_id: The cycle that looks.
            now_us: When.
        """
        with self._database.write() as connection:
            entries = find(connection, Opening)
            for entry in entries:
                if (entry.cycle_id, entry.candidate) == (cycle_id, candidate):
                    return entry
            look = count(entries)
            if look is None:
                return None
            return put(connection, Opening(*look, candidate, cycle_id, *span_us, now_us))

    def parts(self, version: AgentVersion) -> Mapping[str, Any]:
        """What the gate said of each part of a version, by the part's name; empty if it is one
        whole.
        """
        verdicts = self._database.records(Verdict, id=version.verdict_id)
        parts: Any = verdicts[0].numbers.get("parts", {}) if verdicts else {}
        return dict(parts)


class Agents:
    """Every version that was judged; of each agent at most one is the champion, which serves."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def register(  # noqa: PLR0913  (a version is known by all of these)
        self,
        *,
        agent: str,
        sha256: str,
        base_sha256: str,
        pattern_id: str | None,
        cycle_id: str,
        verdict: Verdict,
        stage: str,
        now_us: int,
        surface: Surface = "next",
    ) -> AgentVersion:
        """Version, verdict, promotion if it passed, and the stage's journal entry: all in one
        transaction, or nothing.

        This is the only door to serving. A version that was registered before keeps its status
        unless it passes now, or waited for a verdict.

        Raises:
            StoreError: The cycle has ended; the artifact, the pattern or the gate's opening is not
            in the catalog; the opening has a verdict already; or a verdict was given without one.
        """
        if verdict.opening is None and verdict.decision != "no_verdict":
            raise StoreError(
                f"{agent} was judged without an entry in the gate's ledger",
                "open the gate first",
            )
        version = version_of(sha256)
        said = replace(
            verdict,
            id=new_id("vrd"),
            version_id=f"{agent}@{version}",
            cycle_id=cycle_id,
            at_us=now_us,
        )
        status = "champion" if verdict.decision == "passed" else verdict.decision
        registered = AgentVersion(
            said.version_id,
            agent,
            version,
            sha256,
            base_sha256,
            pattern_id,
            cycle_id,
            status,
            said.id,
            now_us,
            surface=surface,
        )
        with self._database.write() as connection:
            registered = _settle(connection, registered, now_us)
            put(connection, said)
            result: dict[str, Json] = {"version": registered.id, "decision": verdict.decision}
            journal(connection, cycle_id, stage, sha256, result, now_us)
        return registered

    def champions(self, surface: Surface = "next") -> list[AgentVersion]:
        """The version that serves on a surface, of each agent that has one, by name."""
        return sorted(
            self._database.records(AgentVersion, status="champion", surface=surface),
            key=lambda version: version.agent,
        )

    def waiting(self) -> list[AgentVersion]:
        """Of each agent of the next step the oldest version that waits for a verdict, unless a
        newer one serves.
        """
        versions = [version for version in self.versions() if version.surface == "next"]
        newest = (_waiting([v for v in versions if v.agent == name]) for name in _names(versions))
        return [version for version in newest if version is not None]

    def versions(self) -> list[AgentVersion]:
        """Every version, newest first."""
        return sorted(
            self._database.records(AgentVersion), key=lambda version: -version.created_at_us
        )

    def rollback(self, agent: str, now_us: int, actor: str) -> AgentVersion | None:
        """Let the champion's predecessor serve again, or none if it was the first; audited in the
        same transaction.

        Raises:
            UsageError: No version of this agent serves. RefusedError: The predecessor stood on
            another base, or is not kept any more.
        """
        with self._database.write() as connection:
            champion, versions = _serving(connection, agent)
            before = next(
                (version for version in versions if version.id == champion.previous_id), None
            )
            if before is not None and (
                before not in _retained(versions) or before.base_sha256 != champion.base_sha256
            ):
                message = f"no version that served on its base before {champion.id} is kept"
                raise RefusedError(message, f"to stop serving it: selflow agents retire {agent}")
            put(connection, replace(champion, status="retired"))
            details: dict[str, Json] = {"from": champion.id, "to": before.id if before else None}
            chain(connection, now_us, actor, "agent.rollback", agent, details)
            return put(connection, replace(before, status="champion")) if before else None

    def retire(self, agent: str, now_us: int, actor: str, reason: str) -> AgentVersion:
        """Let no version of this agent serve any more; audited in the same transaction.

        Raises:
            UsageError: No version of this agent serves.
        """
        with self._database.write() as connection:
            champion, _ = _serving(connection, agent)
            details: dict[str, Json] = {"from": champion.id, "reason": reason}
            chain(connection, now_us, actor, "agent.retire", agent, details)
            return put(connection, replace(champion, status="retired"))

    def promote(self, version_id: str, now_us: int, actor: str) -> AgentVersion:
        """Let a version serve that served before; audited in the same transaction.

        Raises:
            UsageError: There is no such version, or it serves already. RefusedError: Its verdict is
            not a pass, it stood on another base than what serves, or it is not kept any more.
        """
        with self._database.write() as connection:
            version = find_one(connection, AgentVersion, id=version_id)
            if version is None:
                raise UsageError("there is no such version", "selflow agents lists the versions")
            if version.status == "champion":
                raise UsageError(f"{version_id} serves already", "selflow agents lists who serves")
            versions = find(connection, AgentVersion, agent=version.agent)
            bases = {other.base_sha256 for other in versions if other.status == "champion"}
            if version.status != "retired" or version not in _retained(versions):
                raise RefusedError(
                    f"{version_id} has no passed verdict, or is not kept any more",
                    "selflow agents show tells its verdict",
                )
            if not bases <= {version.base_sha256}:
                raise RefusedError(
                    f"{version_id} stood on another base than the version that serves",
                    f"to stop serving that one: selflow agents retire {version.agent}",
                )
            return _promote(connection, replace(version, status="champion"), now_us, actor)

    def delete(self, version_id: str, now_us: int, actor: str) -> list[str]:
        """Give up a version that does not serve; audited in the same transaction. Its verdict
        stays.

        Returns:
            The hash that nothing needs any more, for the caller to remove; empty if another does.

        Raises:
            UsageError: There is no such version. RefusedError: It serves, or is deleted already.
        """
        with self._database.write() as connection:
            version = find_one(connection, AgentVersion, id=version_id)
            if version is None:
                raise UsageError("there is no such version", "selflow models lists them")
            if reason := why_version_stays(version):
                raise RefusedError(f"{version_id} stays: {reason}", "selflow models says why")
            put(connection, replace(version, status="deleted"))
            chain(connection, now_us, actor, "model.delete", version_id)
            same = find(connection, AgentVersion, sha256=version.sha256)
            bases = find(connection, Base, sha256=version.sha256)
            is_needed = bases or any(other.status != "deleted" for other in same)
            return [] if is_needed else [version.sha256]

    def delete_base(self, sha256: str, now_us: int, actor: str) -> list[str]:
        """Give up a base on which nothing stands and nothing new is grown; audited in the same
        transaction.

        Returns:
            Its hash, for the caller to remove.

        Raises:
            UsageError: There is no such base. RefusedError: It is needed.
        """
        with self._database.write() as connection:
            base = find_one(connection, Base, sha256=sha256)
            if base is None:
                raise UsageError("there is no such base", "selflow models lists them")
            on_it = find(connection, AgentVersion, base_sha256=sha256)
            standing = [version for version in on_it if version.status != "deleted"]
            if reason := why_base_stays(base, standing):
                raise RefusedError(f"the base stays: {reason}", "selflow models says why")
            chain(connection, now_us, actor, "model.delete", sha256)
            return [sha256]

    def surplus(self) -> list[str]:
        """Hashes of adapters that may be removed: of each agent the last three that served, the
        last three, and the one that waits for a verdict stay.
        """
        versions = self.versions()
        retained = {
            version.sha256
            for name in _names(versions)
            for version in _retained([v for v in versions if v.agent == name])
        }
        return sorted({version.sha256 for version in versions} - retained)


def _serving(connection: Connection, agent: str) -> tuple[AgentVersion, list[AgentVersion]]:
    """The champion of an agent, and all its versions."""
    versions = find(connection, AgentVersion, agent=agent)
    champion = next((version for version in versions if version.status == "champion"), None)
    if champion is None:
        raise UsageError(f"no version of {agent!r} serves", "selflow agents lists the agents")
    return champion, versions


def _settle(connection: Connection, version: AgentVersion, now_us: int) -> AgentVersion:
    """Write a judged version; one that waited becomes what the verdict says, others that were
    judged before change only by passing.
    """
    known = next(iter(find(connection, AgentVersion, id=version.id)), None)
    if known is not None and known.status == "no_verdict":
        version = replace(known, status=version.status, verdict_id=version.verdict_id)
    elif known is not None and (known.status == "champion" or version.status != "champion"):
        return known
    return (
        _promote(connection, version, now_us, "cycle")
        if version.status == "champion"
        else put(connection, version)
    )


def _promote(
    connection: Connection, version: AgentVersion, now_us: int, actor: str
) -> AgentVersion:
    before = next(
        iter(find(connection, AgentVersion, agent=version.agent, status="champion")), None
    )
    if before is not None:
        put(connection, replace(before, status="retired"))
    chain(
        connection,
        now_us,
        actor,
        "agent.promote",
        version.agent,
        {"to": version.id, "verdict": version.verdict_id},
    )
    return put(connection, replace(version, previous_id=before.id if before else None))


def _names(versions: list[AgentVersion]) -> list[str]:
    return sorted({version.agent for version in versions})


def _waiting(versions: list[AgentVersion]) -> AgentVersion | None:
    """Of one agent's versions; newest first."""
    newest = None
    for version in versions:
        if version.status == "champion":
            break
        newest = version if version.status == "no_verdict" else newest
    return newest


def _retained(versions: list[AgentVersion]) -> list[AgentVersion]:
    """Of one agent's versions; newest first."""
    present = [version for version in versions if version.status != "deleted"]
    newest = sorted(present, key=lambda version: -version.created_at_us)
    served = [version for version in newest if version.status in {"champion", "retired"}]
    waiting = _waiting(newest)
    return [*newest[:_KEPT_VERSIONS], *served[:_KEPT_VERSIONS], *([waiting] if waiting else [])]

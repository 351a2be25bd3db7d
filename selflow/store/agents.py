"""Agents' versions and the gate's ledger: who may serve, by which verdict, and who served
before.
"""

from dataclasses import replace

from sqlalchemy.engine import Connection

from selflow.core.errors import RefusedError, UsageError
from selflow.core.ids import new_id
from selflow.store.audit import chain
from selflow.store.cycles import journal
from selflow.store.database import Database
from selflow.store.records import AgentVersion, Opening, Verdict
from selflow.store.rows import find, put

VERSION_CHARS = 12
"""Of the adapter's hash (``interfaces.md`` 5)."""
_KEPT_VERSIONS = 3


class Verdicts:
    """The ledger of gate openings; a verdict without its entry cannot be registered."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open_gate(self, gate_set: str, candidate: str, cycle_id: str, now_us: int) -> int:
        """Note that a gate set is about to be looked at; returns for the how manieth time, from 1
        on.

        A cycle that comes back with the same candidate opens nothing anew.
        """
        with self._database.write() as connection:
            entries = find(connection, Opening, gate_set=gate_set)
            for entry in entries:
                if (entry.cycle_id, entry.candidate) == (cycle_id, candidate):
                    return entry.opening
            return put(
                connection, Opening(gate_set, len(entries) + 1, candidate, cycle_id, now_us)
            ).opening


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
        pattern_id: str,
        cycle_id: str,
        verdict: Verdict,
        stage: str,
        now_us: int,
    ) -> AgentVersion:
        """Version, verdict, promotion if it passed, and the stage's journal entry: all in one
        transaction, or nothing.

        This is the only door to serving. A version that was registered before keeps its status
        unless it passes now.

        Raises:
            StoreError: The cycle has ended; the artifact, the pattern or the gate's opening is not
            in the catalog; or
                the opening has a verdict already.
        """
        version = sha256[:VERSION_CHARS]
        said = replace(
            verdict,
            id=new_id("vrd"),
            version_id=f"{agent}@{version}",
            cycle_id=cycle_id,
            at_us=now_us,
        )
        status = "champion" if verdict.decision == "passed" else verdict.decision
        made = AgentVersion(
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
        )
        with self._database.write() as connection:
            known = next(iter(find(connection, AgentVersion, id=made.id)), None)
            if status == "champion" and (known is None or known.status != status):
                made = _promote(connection, made, now_us)
            else:
                made = put(connection, known or made)
            put(connection, said)
            journal(
                connection,
                cycle_id,
                stage,
                sha256,
                {"version": made.id, "decision": verdict.decision},
                now_us,
            )
        return made

    def champions(self) -> list[AgentVersion]:
        """The version that serves, of each agent that has one, by name."""
        return sorted(
            self._database.records(AgentVersion, status="champion"), key=lambda each: each.agent
        )

    def versions(self) -> list[AgentVersion]:
        """Every version, newest first."""
        return sorted(self._database.records(AgentVersion), key=lambda each: -each.created_at_us)

    def rollback(self, agent: str, now_us: int, actor: str) -> AgentVersion:
        """Let the champion's predecessor serve again; audited in the same transaction.

        Raises:
            UsageError: No version of this agent serves. RefusedError: None served on its base
            before it, or that one is not kept any more.
        """
        with self._database.write() as connection:
            versions = find(connection, AgentVersion, agent=agent)
            champion = next((each for each in versions if each.status == "champion"), None)
            if champion is None:
                raise UsageError(f"no version of {agent!r} serves", "selflow agents lists them")
            before = next((each for each in versions if each.id == champion.previous_id), None)
            if (
                before is None
                or before not in _kept(versions)
                or before.base_sha256 != champion.base_sha256
            ):
                told = f"no version that served on its base before {champion.id} is kept"
                raise RefusedError(told, f"the last {_KEPT_VERSIONS} that served are")
            put(connection, replace(champion, status="retired"))
            chain(
                connection,
                now_us,
                actor,
                "agent.rollback",
                agent,
                {"from": champion.id, "to": before.id},
            )
            return put(connection, replace(before, status="champion"))

    def surplus(self) -> list[str]:
        """Hashes of adapters that may be removed: of each agent the last three that served and the
        last three stay.
        """
        versions = self.versions()
        kept = {
            each.sha256
            for name in {v.agent for v in versions}
            for each in _kept([v for v in versions if v.agent == name])
        }
        return sorted({each.sha256 for each in versions} - kept)


def _promote(connection: Connection, made: AgentVersion, now_us: int) -> AgentVersion:
    before = next(iter(find(connection, AgentVersion, agent=made.agent, status="champion")), None)
    if before is not None:
        put(connection, replace(before, status="retired"))
    chain(
        connection,
        now_us,
        "cycle",
        "agent.promote",
        made.agent,
        {"to": made.id, "verdict": made.verdict_id},
    )
    return put(connection, replace(made, previous_id=before.id if before else None))


def _kept(versions: list[AgentVersion]) -> list[AgentVersion]:
    """Of one agent's versions."""
    newest = sorted(versions, key=lambda each: -each.created_at_us)
    served = [each for each in newest if each.status in {"champion", "retired"}]
    return [*newest[:_KEPT_VERSIONS], *served[:_KEPT_VERSIONS]]

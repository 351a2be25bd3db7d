"""``selflow token``, ``selflow agents beliefs`` and the router in ``selflow status``."""

from collections.abc import Iterator

import pytest

from selflow.core.clock import SystemClock
from selflow.core.paths import Root
from selflow.route.bandit import Arm, Beliefs
from selflow.store.catalog import Catalog
from selflow.store.permission import ingest_grant
from tests.unit.console.conftest import Cli

HOUR_US = 3_600_000_000


@pytest.fixture
def catalog(root: Root) -> Iterator[Catalog]:
    opened = Catalog.open(root.catalog)
    yield opened
    opened.close()


def test_a_created_token_is_shown_once_and_works(cli: Cli, catalog: Catalog) -> None:
    options = ("--scope", "view", "--only", "metrics", "--label", "grafana")
    ended = cli("token", "create", *options)
    grant = catalog.tokens.verify(ended.out.strip(), SystemClock().now_us())

    assert grant is not None
    assert (grant.scope, grant.only, grant.is_owner) == ("view", {"metrics"}, False)
    assert ended.out.strip() not in cli("token", "list", "--json").out


def test_a_token_for_ingest_can_be_narrowed_to_sources(cli: Cli, root: Root) -> None:
    made = cli("token", "create", "--only", "ingest", "--source", "b", "--source", "a")
    grant = ingest_grant(root.catalog, SystemClock(), made.out.strip())

    assert grant is not None
    assert grant.sources == {"a", "b"}
    assert cli("token", "list", "--json").document["items"][0]["sources"] == ["a", "b"]


@pytest.mark.parametrize(("end", "hours"), [("90m", 1.5), ("2h", 2), ("1d", 24)])
def test_a_token_expires_after_the_given_duration(
    cli: Cli, catalog: Catalog, end: str, hours: float
) -> None:
    secret = cli("token", "create", "--expires", end).out.strip()
    now_us = SystemClock().now_us()

    assert catalog.tokens.verify(secret, now_us + int((hours - 0.1) * HOUR_US)) is not None
    assert catalog.tokens.verify(secret, now_us + int(hours * HOUR_US) + 1) is None


def test_a_revoked_token_is_refused_and_no_longer_listed(cli: Cli, catalog: Catalog) -> None:
    created = cli("token", "create", "--json").document
    dry = cli("token", "revoke", created["id"], "--dry-run")
    standing = catalog.tokens.verify(created["token"], SystemClock().now_us())
    ended = cli("token", "revoke", created["id"])

    assert "would be revoked" in dry.out
    assert standing is not None
    assert ended.code == 0
    assert catalog.tokens.verify(created["token"], SystemClock().now_us()) is None
    assert cli("token", "list", "--json").document["items"] == []
    (item,) = cli("token", "list", "--all", "--json").document["items"]
    assert (item["id"], item["state"]) == (created["id"], "revoked")


def test_the_owners_token_cannot_be_revoked(cli: Cli, catalog: Catalog) -> None:
    secret = catalog.tokens.renew_owner(SystemClock().now_us())
    (owner,) = cli("token", "list", "--json").document["items"]
    ended = cli("token", "revoke", owner["id"])

    assert ended.code == 4
    assert "selflow up replaces it" in ended.err
    assert catalog.tokens.verify(secret, SystemClock().now_us()) is not None


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("create", "--scope", "root"), "unknown scope: root"),
        (("create", "--only", "kitchen"), "unknown area 'kitchen'"),
        (("create", "--source", "a"), "only a token for ingest can be restricted to sources"),
        (("create", "--expires", "soon"), "invalid end: soon"),
        (("create", "--expires", "2020-01-01"), "the expiry is in the past"),
        (("create", "--label", "owner"), "reserved for the owner's own token"),
        (("revoke", "tok_nobody"), "unknown token: tok_nobody"),
    ],
)
def test_what_a_token_cannot_be_is_named(cli: Cli, args: tuple[str, ...], message: str) -> None:
    ended = cli("token", *args)

    assert ended.code == 2
    assert message in ended.err


def test_beliefs_are_shown_with_their_intervals(cli: Cli, catalog: Catalog) -> None:
    before = cli("agents", "beliefs")
    arm = Arm()
    arm.learn("dec_1/thumb", 1.0, 0.25, 1.0)
    beliefs = Beliefs(7, {"predict": {"pool": arm}})
    document = {**beliefs.state(), "summary": beliefs.summary()}
    catalog.routing.save(document, 7, SystemClock().now_us())
    shown = cli("--json", "agents", "beliefs")
    (item,) = shown.document["items"]

    assert "no feedback on routed answers yet" in before.err
    assert (item["surface"], item["arm"], item["pulls"]) == ("predict", "pool", 1)
    assert item["low"] < item["success"] < item["high"]
    assert cli("--json", "status").document["router"]["items"] == [item]
    assert "router: pool 0.67" in cli("status").out

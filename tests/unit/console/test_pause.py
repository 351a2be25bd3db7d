"""``selflow pause`` and ``selflow resume``, and who tells of a pause."""

from selflow.core.paths import Root
from selflow.store.catalog import Catalog
from tests.unit.console.conftest import Cli


def test_a_pause_is_told_by_status_and_ended_by_resume(cli: Cli, root: Root) -> None:
    Catalog.open(root.catalog).close()
    paused = cli("pause", "1h")
    told = cli("status", "--json").document["pause"]

    assert paused.out.startswith("collection is paused until ")
    assert told["until"] is not None
    assert told["by"] == "owner"
    assert "selflow resume" in cli("status").out
    assert cli("resume", "--json").document == {"was_paused": True}
    assert cli("status", "--json").document["pause"] is None
    assert cli("resume").out == "collection was not paused\n"


def test_without_an_end_a_pause_lasts_until_it_is_resumed(cli: Cli, root: Root) -> None:
    Catalog.open(root.catalog).close()

    assert cli("pause").out == "collection is paused until you resume\n"
    assert cli("pause", "--json").document["until"] is None


def test_a_wrong_end_pauses_nothing(cli: Cli, root: Root) -> None:
    Catalog.open(root.catalog).close()
    refused = cli("pause", "soon")

    assert refused.code == 2
    assert "invalid end: soon" in refused.err
    assert cli("status", "--json").document["pause"] is None


def test_before_anything_is_collected_there_is_nothing_to_pause(cli: Cli) -> None:
    refused = cli("pause")

    assert refused.code == 2
    assert "selflow init" in refused.err

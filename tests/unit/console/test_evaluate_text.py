"""``selflow eval text``: a file of lines alone, nothing running, nothing written."""

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest

from selflow.console.cli import evaluate
from selflow.core.paths import Root
from selflow.text import byte_model
from tests.unit.console.conftest import Cli
from tests.unit.text.models import write_model

ROWS = [(s, f"u{s % 2}", f"/d{s % 3}", f"git checkout {'ab'[s % 2]}") for s in range(24)]
COLUMNS = ("--time", "when", "--text", "what")


@pytest.fixture
def table(tmp_path: Path) -> str:
    lines = ["when,who,where,what", *(f"{1_700_000_000 + s},{u},{d},{w}" for s, u, d, w in ROWS)]
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n")
    return str(tmp_path / "t.csv")


@pytest.mark.slow
def test_the_document_names_every_expert_and_figure(cli: Cli, table: str) -> None:
    experts = cli("eval", "text", table, *COLUMNS, "--json").document["experts"]

    assert list(experts) == ["fish", "frecency", "history", "ppm", "mix", "mix_base"]
    assert list(experts["mix"]) == [
        *("lines", "bits_per_line", "bits_per_byte", "hit@1", "hit@5"),
        *("keys_saved", "precision_shown"),
    ]
    assert experts["mix"]["lines"] == 24
    assert experts["fish"]["bits_per_line"] is None


@pytest.mark.slow
def test_the_table_has_a_dash_where_a_rule_has_no_distribution(cli: Cli, table: str) -> None:
    header, first, *_ = cli("eval", "text", table, *COLUMNS).out.splitlines()

    assert header.split()[:3] == ["expert", "lines", "bits_per_line"]
    assert first.split()[:4] == ["fish", "24", "-", "-"]


@pytest.mark.slow
@pytest.mark.parametrize("option", [["--user", "who"], ["--context", "where,who"]])
def test_each_option_changes_the_figures(cli: Cli, table: str, option: list[str]) -> None:
    plain = cli("eval", "text", table, *COLUMNS, "--json").document

    assert cli("eval", "text", table, *COLUMNS, *option, "--json").document != plain


def test_a_gzipped_table_says_the_same(cli: Cli, table: str, tmp_path: Path) -> None:
    packed = tmp_path / "t2.csv.gz"
    packed.write_bytes(gzip.compress(Path(table).read_bytes()))

    assert (
        cli("eval", "text", str(packed), *COLUMNS).out == cli("eval", "text", table, *COLUMNS).out
    )


def test_rows_that_cannot_be_judged_are_counted(cli: Cli, table: str) -> None:
    with Path(table).open("a") as file:
        file.write(f"never,u,d,x\n1700009999,u,d,\n1700009999,u,d,{'y' * 1_025}\n")
    ended = cli("eval", "text", table, *COLUMNS, "--json")

    assert ended.document["experts"]["mix"]["lines"] == 24
    assert "2 rows skipped: no time, no text or invalid" in ended.err
    assert "1 rows skipped: longer than 1,024 bytes" in ended.err


def test_a_file_of_too_many_rows_is_refused(
    cli: Cli, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluate, "MAX_TEXT_ROWS", 5)
    ended = cli("eval", "text", table, *COLUMNS)

    assert ended.code == 2
    assert "holds more than 5 rows" in ended.err


def test_text_evaluation_writes_nothing_below_the_root(cli: Cli, root: Root, table: str) -> None:
    before = sorted(root.path.rglob("*"))
    cli("eval", "text", table, *COLUMNS)

    assert sorted(root.path.rglob("*")) == before


@pytest.fixture
def tiny_base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A few random numbers in the place of the model that ships."""
    folder = write_model(tmp_path / "base")
    monkeypatch.setattr(byte_model, "BASE", folder)
    byte_model.shipped_base.cache_clear()
    yield folder
    byte_model.shipped_base.cache_clear()


@pytest.mark.usefixtures("tiny_base")
def test_with_agents_an_adapter_follows_each_user(cli: Cli, table: str) -> None:
    args = ("eval", "text", table, *COLUMNS, "--user", "who", "--agents", "--json")
    experts = cli(*args).document["experts"]

    assert list(experts)[-2:] == ["mix_base", "mix_agents"]
    assert experts["mix_agents"]["bits_per_line"] != experts["mix_base"]["bits_per_line"]


def test_without_a_readable_model_the_rules_are_judged_alone(
    cli: Cli, table: str, tiny_base: Path
) -> None:
    (tiny_base / "model.safetensors").write_bytes(b"damaged")
    ended = cli("eval", "text", table, *COLUMNS, "--json")

    assert list(ended.document["experts"])[-1] == "mix"
    assert ended.err.count("the byte model in base cannot be read; evaluating without it") == 1
    refused = cli("eval", "text", table, *COLUMNS, "--agents")
    assert "the byte model in base cannot be read" in refused.err
    assert refused.code != 0

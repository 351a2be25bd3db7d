"""One base with many agents: mixed batches, texts as they come, and adapters that come and go
meanwhile.
"""

import asyncio
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model

from selflow.core.errors import ArtifactError, NotRunningError, SelFlowError
from selflow.core.steps import event_label
from selflow.lm.generate import Batch, Row
from selflow.lm.host import MAX_ROWS, AgentHost
from selflow.lm.loaded import AGENT_FILE, AGENT_SCHEMA, add_adapter, load_base
from selflow.lm.texts import Generation, Piece, Sampling
from tests.lm.worlds import single, small_base
from tests.waiting import wait_until

LABELS = tuple(
    event_label("shell.command", command)
    for command in ("git status", "vim", "pytest", "git commit")
)
GREEDY = Sampling(max_tokens=12, temperature=0.0)


def small_adapter(folder: Path, base: Path, seed: int, rank: int = 4, made_for: str = "") -> Path:
    """An adapter of random weights."""
    loaded = load_base(base)
    torch.manual_seed(seed)
    config = LoraConfig(
        task_type="CAUSAL_LM",
        r=rank,
        target_modules=["q_proj", "v_proj", "down_proj"],
        init_lora_weights=False,
    )
    get_peft_model(loaded.model, config).save_pretrained(folder)
    agent = {"schema": AGENT_SCHEMA, "base": made_for or loaded.sha256}
    (folder / AGENT_FILE).write_text(json.dumps(agent))
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A base and two agents on it."""
    folder = tmp_path_factory.mktemp("host")
    base = small_base(folder / "base", LABELS)
    return {
        "base": base,
        "a@1": small_adapter(folder / "a", base, 1),
        "b@2": small_adapter(folder / "b", base, 2, rank=8),
        "foreign": small_adapter(folder / "foreign", base, 3, made_for="f" * 64),
    }


@pytest.fixture
def host(folders: dict[str, Path]) -> AgentHost:
    host = AgentHost(folders["base"], "cpu")
    for name in ("a@1", "b@2"):
        host.load(name, folders[name])
    return host


async def read(text: Generation) -> list[Piece]:
    return [piece async for piece in text.pieces()]


def whole(pieces: Sequence[Piece]) -> str:
    return "".join(piece.text for piece in pieces)


def made(host: AgentHost, *asked: tuple[str, str | None], sampling: Sampling = GREEDY) -> list[str]:
    """Texts that were asked for together."""

    async def ask() -> list[str]:
        begun = [host.generate(host.encode(prompt), sampling, adapter) for prompt, adapter in asked]
        return [whole(await read(each)) for each in begun]

    return asyncio.run(ask())


def test_a_row_of_a_mixed_batch_has_the_logits_of_its_prompt_alone(
    folders: dict[str, Path],
) -> None:
    loaded = load_base(folders["base"])
    for name in ("a@1", "b@2"):
        add_adapter(loaded, name, folders[name])
    prompts = [[300, 301, 302], [310, 311, 312, 313, 314, 315, 316], [320], [300, 301, 302]]
    adapters = ["a@1", None, "b@2", "b@2"]
    batch = Batch(loaded, prompts, adapters)
    worst, rows = 0.0, list(range(len(prompts)))
    for left in (4, 4, 4, 2, 2, 1):
        alone = [Batch(loaded, [prompts[row]], [adapters[row]]).logits[0] for row in rows]
        worst = max(worst, float((torch.stack(alone) - batch.logits).abs().max()))
        kept = list(range(len(rows)))[-left:]
        tokens = [int(batch.logits[place].argmax()) for place in kept]
        batch.advance(kept, tokens)
        rows = [rows[place] for place in kept]
        for row, token in zip(rows, tokens, strict=True):
            prompts[row] = [*prompts[row], token]

    assert worst < 1e-4
    assert (
        float((Batch(loaded, prompts[:1] * 3, [None, "a@1", "b@2"]).logits.std(dim=0)).max()) > 0.01
    )


def test_texts_that_are_made_together_are_those_that_are_made_alone(host: AgentHost) -> None:
    asked = [("git", "a@1"), ("git status", None), ("vim then pytest", "b@2")]

    assert made(host, *asked) == [made(host, one)[0] for one in asked]


def test_more_requests_than_rows_are_all_answered(host: AgentHost) -> None:
    asked = [(f"git {number}", ("a@1", None, "b@2")[number % 3]) for number in range(MAX_ROWS + 3)]

    assert made(host, *asked) == [made(host, one)[0] for one in asked]


def test_the_same_seed_gives_the_same_text_beside_whatever_else(host: AgentHost) -> None:
    def drawn(seed: int | None, *others: tuple[str, str | None]) -> str:
        return made(
            host, ("git", "a@1"), *others, sampling=Sampling(max_tokens=16, top_p=0.9, seed=seed)
        )[0]

    assert drawn(5) == drawn(5, ("a longer one beside it", "b@2"))
    assert len({drawn(seed) for seed in range(6)}) > 3


def test_pieces_come_in_order_and_the_last_says_why(host: AgentHost) -> None:
    async def ask() -> list[Piece]:
        return await read(host.generate(host.encode("git"), GREEDY, None))

    pieces = asyncio.run(ask())

    assert whole(pieces) == made(host, ("git", None))[0]
    assert [piece.finish_reason for piece in pieces[:-1]] == [None] * (len(pieces) - 1)
    assert (pieces[-1].finish_reason, pieces[-1].tokens) == ("length", 12)
    assert [piece.tokens for piece in pieces] == sorted(piece.tokens for piece in pieces)


def test_an_adapter_of_another_base_is_refused_by_the_names_of_both(
    host: AgentHost, folders: dict[str, Path]
) -> None:
    with pytest.raises(
        ArtifactError, match=r"made for base ffffffffffff; this base is [0-9a-f]{12}"
    ):
        host.load("x@3", folders["foreign"])

    assert made(host, ("git", "a@1"))


def test_a_request_whose_adapter_fails_fails_alone(
    host: AgentHost, folders: dict[str, Path]
) -> None:
    async def ask() -> tuple[list[Piece], list[Piece]]:
        good, bad = (
            host.generate(host.encode("git"), GREEDY, name, folder)
            for name, folder in (("a@1", folders["a@1"]), ("x@3", folders["foreign"]))
        )
        pieces = await read(good)
        with pytest.raises(SelFlowError, match="made for base"):
            await read(bad)
        return pieces, pieces

    assert whole(asyncio.run(ask())[0]) == made(host, ("git", "a@1"))[0]


def test_a_version_that_does_not_serve_is_loaded_for_one_text(
    folders: dict[str, Path], host: AgentHost
) -> None:
    expected = made(host, ("git", "b@2"))[0]
    host.keep(["a@1"])
    assert host._loaded.adapters == {"a@1"}

    async def ask() -> str:
        return whole(await read(host.generate(host.encode("git"), GREEDY, "b@2", folders["b@2"])))

    assert asyncio.run(ask()) == expected
    host.keep(["a@1"])
    assert host._loaded.adapters == {"a@1"}


def test_a_text_that_is_cancelled_ends_at_the_next_token(host: AgentHost) -> None:
    tokens = []

    async def ask() -> None:
        long = host.generate(host.encode("git"), Sampling(max_tokens=200, temperature=0.0), "a@1")
        async for piece in long.pieces():
            tokens.append(piece.tokens)
            if len(tokens) == 2:
                long.cancel()
                break
        await read(host.generate(host.encode("git"), Sampling(max_tokens=1, temperature=0.0), None))

    asyncio.run(ask())
    assert tokens[-1] < 100


def test_scores_and_loading_go_on_while_a_text_is_made(
    host: AgentHost, folders: dict[str, Path]
) -> None:
    steps = single(LABELS)
    expected = host.score(["a@1", "b@2"], steps, steps[-1].ts_us)

    async def ask() -> list[object]:
        text = host.generate(host.encode("git"), Sampling(max_tokens=60, temperature=0.0), "b@2")
        pieces = text.pieces()
        first = await anext(pieces)
        host.keep(["a@1"])
        host.load("c@4", folders["a@1"])
        scores = await asyncio.to_thread(host.score, ["a@1", "c@4"], steps, steps[-1].ts_us)
        return [first.text + whole([piece async for piece in pieces]), scores]

    text, scores = asyncio.run(ask())
    assert [each.other_p for each in scores] == pytest.approx([expected[0].other_p] * 2)
    host.load("b@2", folders["b@2"])
    assert text == made(host, ("git", "b@2"), sampling=Sampling(max_tokens=60, temperature=0.0))[0]


def test_agents_are_asked_together_and_each_says_what_it_says_alone(host: AgentHost) -> None:
    steps = single([*LABELS, *LABELS])
    together = host.scorers({"one": "a@1", "two": "b@2"})
    alone = {
        name: host.scorers({name: adapter}) for name, adapter in (("one", "a@1"), ("two", "b@2"))
    }
    for name, scorer in together.items():
        scores = scorer.score(steps, steps[-1].ts_us + 1_000_000)
        single_scores = alone[name][name].score(steps, steps[-1].ts_us + 1_000_000)

        assert (scorer.name, scores.labels) == (name, LABELS)
        assert scores.p == pytest.approx(single_scores.p, abs=1e-5)
        assert float(scores.p.sum()) + scores.other_p == pytest.approx(1.0, abs=1e-4)


def test_a_model_that_fails_is_an_error_of_ours_and_the_host_goes_on(host: AgentHost) -> None:
    with pytest.raises(SelFlowError):
        host.score(["nobody@0"], [], 0)

    async def ask() -> None:
        with pytest.raises(NotRunningError, match="the agents' model failed"):
            await read(host.generate([10**9], GREEDY, None))

    asyncio.run(ask())
    assert made(host, ("git", None))


def test_a_host_whose_thread_has_ended_says_so_and_keeps_nobody_waiting(
    host: AgentHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: AgentHost) -> None:
        raise KeyError("the owner's secret")

    monkeypatch.setattr(AgentHost, "_unload", fail)
    text = made(host, ("git", None))
    with pytest.raises(NotRunningError):
        host.score(["a@1"], [], 0)
    wait_until(lambda: host.fault != "", 10)

    assert text
    assert host.fault == "the thread of the agents' model has ended (KeyError)"


def test_a_request_that_the_model_cannot_read_fails_alone(host: AgentHost) -> None:
    async def ask() -> list[str]:
        good = [host.generate(host.encode(text), GREEDY, "a@1") for text in ("git", "vim")]
        bad = host.generate([10**9], GREEDY, None)
        with pytest.raises(NotRunningError, match="the agents' model failed"):
            await read(bad)
        return [whole(await read(each)) for each in good]

    assert asyncio.run(ask()) == made(host, ("git", "a@1"), ("vim", "a@1"))


def test_the_narrowest_nucleus_harms_nobody_beside_it(host: AgentHost) -> None:
    narrow = Sampling(max_tokens=12, top_p=1e-320, seed=1)

    async def ask() -> list[str]:
        begun = [host.generate(host.encode("git"), each, None) for each in (GREEDY, narrow)]
        return [whole(await read(each)) for each in begun]

    greedy, nucleus = asyncio.run(ask())
    assert nucleus == greedy == made(host, ("git", None))[0]


def test_a_huge_stop_text_costs_no_more_than_a_short_one() -> None:
    ids, decode = spelled("one two three")
    row = Row(Sampling(max_tokens=len(ids), stop=("x" * 50_000_000,)), decode, set())

    # Comparing every beginning of it would take hours
    assert "".join(row.take(token) for token in ids) == "one two three"


def test_a_closed_host_ends_its_texts_and_takes_no_more(folders: dict[str, Path]) -> None:
    host = AgentHost(folders["base"], "cpu")

    async def ask() -> list[Piece]:
        text = host.generate(host.encode("git"), GREEDY, None)
        pieces = text.pieces()
        first = await anext(pieces)
        host.close()
        with pytest.raises(NotRunningError, match="being replaced"):
            host.generate(host.encode("git"), GREEDY, None)
        return [first, *[piece async for piece in pieces]]

    assert asyncio.run(ask())[-1].finish_reason == "length"
    with pytest.raises(NotRunningError):
        host.score([], [], 0)


def test_a_chat_without_a_template_is_written_as_lines(host: AgentHost) -> None:
    messages = [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "what next?"},
    ]

    assert host.encode(messages) == host.encode("system: be brief\nuser: what next?\nassistant:")


def spelled(text: str) -> tuple[list[int], Callable[[list[int]], str]]:
    """A text as tokens of one byte each."""
    return list(text.encode()), lambda ids: bytes(ids).decode(errors="replace")


@pytest.mark.parametrize(
    ("text", "stop", "told", "why"),
    [
        ("one two three", ("two",), "one ", "stop"),
        ("one two three", ("tw!", "e x"), "one two three", "length"),
        ("aab", ("ab",), "a", "stop"),
        ("grüße", (), "grüße", "length"),
        ("grüße", ("ße",), "grü", "stop"),
        ("one\0two", (), "one", "stop"),
        ("abcab", ("cabx", "abcd"), "abcab", "length"),
    ],
)
def test_a_stop_text_is_never_told_and_nothing_before_it_is_lost(
    text: str, stop: tuple[str, ...], told: str, why: str
) -> None:
    ids, decode = spelled(text)
    row = Row(Sampling(max_tokens=len(ids), stop=stop), decode, {0})
    pieces = []
    for token in ids:
        pieces.append(row.take(token))
        if row.finish_reason:
            break

    assert ("".join(pieces), row.finish_reason) == (told, why)
    assert "\ufffd" not in "".join(pieces)


def test_a_narrow_nucleus_and_a_low_temperature_take_the_likeliest() -> None:
    logits = torch.tensor([0.0, 3.0, 2.9, -1.0])
    for sampling in (
        Sampling(top_p=0.3, seed=1),
        Sampling(temperature=0.0),
        Sampling(temperature=1e-9),
    ):
        row = Row(sampling, str, set())

        assert {row.draw(logits) for _ in range(20)} == {1}
    row = Row(Sampling(top_p=0.9, seed=1), str, set())
    assert {row.draw(logits) for _ in range(200)} == {1, 2}

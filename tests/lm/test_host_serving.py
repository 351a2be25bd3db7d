"""A replica with a real base and real adapters: OpenAI's own client, and a rollback while it
serves.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import openai
import pytest
import uvicorn

from selflow.core.clock import SystemClock
from tests.lm.test_host import LABELS, small_adapter
from tests.lm.worlds import small_base
from tests.unit.inference.agents import School
from tests.unit.inference.worlds import Template, World

DEADLINE_S = 20.0


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory) -> Iterator[School]:
    """A replica with a base and two versions of one agent."""
    folder = tmp_path_factory.mktemp("serving")
    base = small_base(folder / "base", LABELS)
    world = World(folder / "root", Template.make(folder / "catalog.db"))
    world.clock = SystemClock()  # type: ignore[assignment]
    world.clock.advance = lambda _: None  # type: ignore[method-assign]
    school = School(world)
    school.base("small", base)
    for seed in (1, 2):
        school.agent("coder", folder=small_adapter(folder / f"adapter-{seed}", base, seed))
    world.make_host = None
    yield school
    school.close()


@contextmanager
def listening(world: World) -> Iterator[str]:
    """The replica behind a real server on loopback."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        world.port = listener.getsockname()[1]
        world.restart()
        config = uvicorn.Config(world.replica.gateway, log_level="error", lifespan="on")
        server = uvicorn.Server(config)
        thread = Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{world.port}"
        finally:
            server.should_exit = True
            thread.join(DEADLINE_S)


@pytest.fixture(scope="module")
def client(school: School) -> Iterator[openai.OpenAI]:
    with listening(school.world) as url:
        client = openai.OpenAI(
            base_url=f"{url}/v1", api_key=school.world.tokens["owner"], max_retries=20
        )
        client.models.list()
        client.with_options(timeout=DEADLINE_S).completions.create(
            model="coder", prompt="git", max_tokens=1
        )
        yield client


def test_the_client_lists_and_finds_models(client: openai.OpenAI, school: School) -> None:
    listed = {model.id for model in client.models.list()}
    champion = school.catalog.agents.champions()[0]

    assert {"selflow", "small", f"small:{champion.id}"} <= listed
    assert client.models.retrieve("coder").id == f"small:{champion.id}"


def test_the_client_completes_and_reads_the_headers(client: openai.OpenAI) -> None:
    raw = client.completions.with_raw_response.create(
        model="coder",
        prompt=["git", "vim app.py"],
        max_tokens=5,
        temperature=0.5,
        seed=3,
        stop=["\n\n"],
    )
    said = raw.parse()
    again = client.completions.create(
        model="coder", prompt="git", max_tokens=5, temperature=0.5, seed=3
    )

    assert [choice.index for choice in said.choices] == [0, 1]
    assert again.choices[0].text == said.choices[0].text
    assert raw.headers["x-selflow-agent"] == "coder"
    assert said.usage is not None
    assert said.usage.completion_tokens == 10


def test_the_client_streams_a_chat(client: openai.OpenAI) -> None:
    asked = [{"role": "user", "content": "what comes next?"}]
    whole = client.chat.completions.create(
        model="small", messages=asked, max_tokens=8, temperature=0
    )  # type: ignore[call-overload]
    chunks = list(
        client.chat.completions.create(  # type: ignore[call-overload]
            model="small",
            messages=asked,
            max_tokens=8,
            temperature=0,
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)

    assert said == whole.choices[0].message.content
    assert chunks[-2].choices[0].finish_reason == whole.choices[0].finish_reason == "length"
    assert chunks[-1].usage.completion_tokens == 8


def test_the_client_knows_our_errors(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as unknown:
        client.completions.create(model="gpt-4", prompt="x")
    with pytest.raises(openai.BadRequestError) as many:
        client.completions.create(model="small", prompt="x", n=2)
    with pytest.raises(openai.AuthenticationError) as nobody:
        client.with_options(api_key="sf_nobody").models.list()

    assert (unknown.value.code, many.value.code, many.value.param) == (
        "model_not_found",
        "unsupported_parameter",
        "n",
    )
    assert nobody.value.code == "invalid_api_key"


def test_a_client_that_leaves_frees_the_host(client: openai.OpenAI, school: School) -> None:
    stream = client.completions.create(
        model="coder", prompt="git", max_tokens=200, temperature=0, stream=True
    )
    first = next(iter(stream))
    stream.close()
    answer = client.with_options(timeout=DEADLINE_S).completions.create(
        model="small", prompt="git", max_tokens=1
    )
    kept = "dec_" + first.id.removeprefix("cmpl-")

    assert answer.choices[0].finish_reason == "length"
    assert _soon(lambda: school.catalog.decisions.find(kept)).routing["tokens"] < 200


def test_a_rollback_shows_in_answers_within_a_second(client: openai.OpenAI, school: School) -> None:
    clock, versions = SystemClock(), {}
    for act in (lambda: None, lambda: school.rollback("coder")):
        act()
        begun_s = clock.monotonic_s()
        wanted = school.catalog.agents.champions()[0].version

        def version() -> str:
            raw = client.completions.with_raw_response.create(
                model="coder", prompt="git", max_tokens=6, temperature=0
            )
            versions[raw.headers["x-selflow-version"]] = raw.parse().choices[0].text
            return raw.headers["x-selflow-version"]

        _soon(lambda wanted=wanted, version=version: version() == wanted)
        assert clock.monotonic_s() - begun_s < 1.0

    assert len(set(versions.values())) == 2
    assert client.models.retrieve("coder").id == f"small:{school.catalog.agents.champions()[0].id}"


def _soon(look: object) -> object:
    """What a look finds, once it finds something."""
    clock = SystemClock()
    end_s = clock.monotonic_s() + DEADLINE_S
    while clock.monotonic_s() < end_s:
        if found := look():  # type: ignore[operator]
            return found
        clock.sleep(0.02)
    raise AssertionError("it never came")

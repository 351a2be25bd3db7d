"""OpenAI's routes without a model: ids, shapes, streams, refusals, and a client that leaves."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from selflow.store.catalog import Catalog
from selflow.store.records import Decision
from tests.unit.inference.agents import School
from tests.unit.inference.worlds import PORT, Template, World

CHAT = {"messages": [{"role": "user", "content": "what comes next"}]}


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory, template: Template) -> Iterator[School]:
    """A base and one agent of two versions, and one that was rejected; one for the whole module."""
    school = School(World(tmp_path_factory.mktemp("school") / "root", template))
    school.base()
    school.agent("coder", "make")
    school.agent("coder", "vim app.py")
    school.agent("writer", "make", decision="rejected")
    school.world.catch_up()
    yield school
    school.close()


def complete(world: World, model: str = "rote", **more: Any) -> httpx.Response:
    return world.ask("POST", "/v1/completions", {"model": model, "prompt": "one two three", **more})


def events(answer: httpx.Response) -> list[Any]:
    lines = [line.removeprefix("data: ") for line in answer.text.split("\n\n") if line]
    return [line if line == "[DONE]" else json.loads(line) for line in lines]


def decision(world: World, answer: httpx.Response) -> Decision:
    catalog = Catalog.open(world.root.catalog)
    found = catalog.decisions.find(answer.headers["x-selflow-decision"])
    catalog.close()
    assert found is not None
    return found


def test_models_are_the_router_the_base_and_every_version(school: School) -> None:
    listed = {each["id"]: each for each in school.world.ask("GET", "/v1/models").json()["data"]}
    old, new = sorted(
        (each for each in school.catalog.agents.versions() if each.agent == "coder"),
        key=lambda each: each.created_at_us,
    )
    named = f"rote:{new.id}"

    assert set(listed) == {"selflow", "rote", named, f"rote:{old.id}"} | {
        name for name in listed if name.startswith("rote:writer@")
    }
    assert listed[named] == {
        "id": named,
        "object": "model",
        "created": new.created_at_us // 1_000_000,
        "owned_by": "selflow",
        "root": f"sha256:{new.sha256}",
        "parent": "rote",
        "selflow": {
            "kind": "agent",
            "status": "champion",
            "version": new.version,
            "aliases": [new.id, "rote:coder", "coder"],
            "pattern_id": new.pattern_id,
            "surface": "next",
            "parts": {},
        },
    }
    assert {each["selflow"]["status"] for each in listed.values()} == {
        "",
        "champion",
        "retired",
        "rejected",
    }
    assert str(school.world.root.path) not in str(listed)


@pytest.mark.parametrize("name", ["selflow", "auto", "rote", "coder", "rote:coder"])
def test_one_model_is_found_by_its_id_and_its_aliases(school: School, name: str) -> None:
    found = school.world.ask("GET", f"/v1/models/{name}").json()

    assert name in {found["id"], *found["selflow"]["aliases"]}


def test_a_base_with_a_slash_in_its_name_is_found(fresh: World) -> None:
    school = School(fresh)
    school.base("HuggingFaceTB/SmolLM2-135M")
    fresh.catch_up()
    school.close()

    assert (
        fresh.ask("GET", "/v1/models/HuggingFaceTB/SmolLM2-135M").json()["selflow"]["kind"]
        == "base"
    )
    assert complete(fresh, "HuggingFaceTB/SmolLM2-135M").status_code == 200


def test_an_agent_of_lines_is_listed_with_its_parts_and_answers_no_prompt(fresh: World) -> None:
    part = {"gain_bits": 1.5, "p": 0.001, "is_met": True}
    school = School(fresh)
    version = school.agent("shell", surface="shell", numbers={"parts": {"base": part}})
    fresh.look()
    listed = {each["id"]: each for each in fresh.ask("GET", "/v1/models").json()["data"]}
    answer = complete(fresh, "shell")
    school.base()
    fresh.look()
    beside_a_base = complete(fresh, version.id)
    school.close()

    notes = listed[version.id]["selflow"]
    assert (notes["surface"], notes["status"], notes["aliases"]) == ("shell", "champion", ["shell"])
    assert notes["parts"] == {"base": part}
    assert answer.status_code == 503
    assert beside_a_base.status_code == 404
    assert "POST /v1/suggest" in beside_a_base.json()["error"]["message"]


def test_every_form_of_an_id_answers(school: School) -> None:
    old, new = sorted(
        (each for each in school.catalog.agents.versions() if each.agent == "coder"),
        key=lambda each: each.created_at_us,
    )
    forms = {
        "rote": ("base", new.base_sha256[:12]),
        "coder": ("coder", new.version),
        "rote:coder": ("coder", new.version),
        new.id: ("coder", new.version),
        f"rote:{old.id}": ("coder", old.version),
        f"coder@{old.version[:8]}": ("coder", old.version),
    }
    for model, who in forms.items():
        answer = complete(school.world, model)
        headers = answer.headers

        assert (headers["x-selflow-agent"], headers["x-selflow-version"]) == who
        assert (headers["x-selflow-forced"], headers["x-selflow-propensity"]) == ("1", "1")
        assert answer.json()["model"] == ("rote" if who[0] == "base" else f"rote:coder@{who[1]}")


def test_a_new_base_is_a_new_version_of_its_arm(fresh: World) -> None:
    school = School(fresh)
    fresh.catch_up()
    found = []
    for name in ("rote", "another"):
        school.base(name)
        fresh.look()
        headers = complete(fresh, "selflow").headers
        found.append((headers["x-selflow-agent"], headers["x-selflow-version"]))
        assert found[-1] == ("base", school.base_sha256[:12])
    school.close()

    assert found[0] != found[1]


def test_what_was_rejected_answers_to_its_exact_id_only(school: School) -> None:
    rejected = next(each for each in school.catalog.agents.versions() if each.agent == "writer")
    codes = [
        complete(school.world, model).status_code
        for model in (rejected.id, f"rote:{rejected.id}", rejected.id[:-4], "writer", "rote:writer")
    ]

    assert codes == [200, 200, 404, 404, 404]


@pytest.mark.parametrize(
    "model", ["gpt-4", "coder@0123456789ab", "coder@", "rote:", "other:coder", "coder@1234567"]
)
def test_an_unknown_id_is_not_found(school: School, model: str) -> None:
    answers = [complete(school.world, model), school.world.ask("GET", f"/v1/models/{model}")]

    for answer in answers:
        assert answer.status_code == 404
        assert answer.json()["error"]["code"] == "model_not_found"
        assert answer.json()["error"]["type"] == "invalid_request_error"


def test_an_agent_of_another_base_is_refused_by_the_names_of_both(school: School) -> None:
    foreign = school.agent("old", "make", base_sha256="f" * 64)
    answer = complete(school.world, foreign.id)

    assert answer.status_code == 404
    assert "ffffffffffff" in answer.json()["error"]["message"]
    assert school.base_sha256[:12] in answer.json()["error"]["message"]


def test_without_a_base_the_next_step_is_named(world: World) -> None:
    for answer in (complete(world, "selflow"), complete(world, "rote")):
        assert answer.status_code == 503
        assert answer.json()["error"]["code"] == "engine_unavailable"
        assert "selflow learn" in answer.json()["error"]["message"]
        assert answer.headers["retry-after"] == "1"


def test_a_base_without_agents_is_loaded_by_the_first_request(fresh: World) -> None:
    school = School(fresh)
    school.base()
    fresh.catch_up()
    assert school.hosts.made == []
    codes = [complete(fresh, model).status_code for model in ("rote", "selflow")]
    school.close()

    assert (codes, len(school.hosts.made)) == ([200, 200], 1)


def test_a_whole_completion_has_openais_shape(school: School) -> None:
    answer = complete(school.world, max_tokens=3)
    body = answer.json()

    assert body["object"] == "text_completion"
    assert body["choices"] == [
        {"index": 0, "text": "it goes on ", "logprobs": None, "finish_reason": "length"}
    ]
    assert body["usage"] == {"prompt_tokens": 3, "completion_tokens": 3, "total_tokens": 6}
    assert body["selflow"]["decision"] == answer.headers["x-selflow-decision"]
    assert body["id"] == answer.headers["x-selflow-decision"].replace("dec_", "cmpl-")
    assert float(answer.headers["x-selflow-latency-ms"]) >= 0


def test_a_whole_chat_has_openais_shape(school: School) -> None:
    parts = [{"type": "text", "text": "what comes "}, {"type": "text", "text": "next"}]
    body = {
        "model": "coder",
        "messages": [{"role": "user", "content": parts}],
        "max_completion_tokens": 2,
    }
    answer = school.world.ask("POST", "/v1/chat/completions", body).json()

    assert answer["object"] == "chat.completion"
    assert answer["choices"][0]["message"] == {"role": "assistant", "content": "it goes "}
    assert answer["usage"]["prompt_tokens"] == 3


def test_many_prompts_are_many_choices(school: School) -> None:
    choices = complete(school.world, prompt=["one", "two words"], max_tokens=2).json()["choices"]

    assert [(choice["index"], choice["text"]) for choice in choices] == [
        (0, "it goes "),
        (1, "it goes "),
    ]


def test_a_stream_begins_with_the_role_and_ends_with_done(school: School) -> None:
    body = {
        "model": "coder",
        **CHAT,
        "max_tokens": 2,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    answer = school.world.ask("POST", "/v1/chat/completions", body)
    *chunks, done = events(answer)
    said = [chunk["choices"][0] for chunk in chunks if chunk["choices"]]

    assert answer.headers["content-type"].startswith("text/event-stream")
    assert [choice["delta"] for choice in said] == [
        {"role": "assistant", "content": ""},
        {"content": "it "},
        {"content": "goes "},
        {},
    ]
    assert [choice["finish_reason"] for choice in said] == [None, None, None, "length"]
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert ["selflow" in chunk for chunk in chunks] == [True, False, False, True, False]
    assert (chunks[-1]["choices"], chunks[-1]["usage"]["completion_tokens"], done) == (
        [],
        2,
        "[DONE]",
    )


def test_a_completion_streams_its_texts_and_tells_no_usage_unasked(school: School) -> None:
    *chunks, done = events(complete(school.world, max_tokens=2, stream=True))

    assert "".join(chunk["choices"][0]["text"] for chunk in chunks) == "it goes "
    assert (chunks[-1]["choices"][0]["finish_reason"], done) == ("length", "[DONE]")


def test_a_failure_in_the_middle_of_a_stream_is_its_last_event(school: School) -> None:
    *_, last = events(complete(school.world, max_tokens=5, temperature=2, stream=True))

    assert last["error"]["code"] == "engine_unavailable"


def test_a_failure_of_a_whole_text_is_an_error(school: School) -> None:
    answer = complete(school.world, max_tokens=5, temperature=2)

    assert (answer.status_code, answer.json()["error"]["type"]) == (503, "server_error")


def test_a_routed_text_is_routed_among_the_base_and_its_agents(school: School) -> None:
    told = [complete(school.world, "auto", max_tokens=1) for _ in range(30)]

    assert {answer.headers["x-selflow-agent"] for answer in told} == {"base", "coder"}
    assert {answer.headers["x-selflow-forced"] for answer in told} == {"0"}
    kept = decision(school.world, told[0])
    assert (kept.mode, kept.context, list(kept.predictions)) == ("completion", None, [])
    assert kept.routing is not None
    assert (kept.routing["surface"], kept.routing["tokens"]) == ("text", 1)
    assert kept.routing["arm"] == told[0].headers["x-selflow-agent"]


@pytest.mark.parametrize("stream", [False, True])
def test_a_text_takes_feedback_by_either_id(school: School, *, stream: bool) -> None:
    world = school.world
    answer = complete(world, "coder", max_tokens=2, stream=stream)
    body_id = (events(answer)[0] if stream else answer.json())["id"]
    by_header = world.feedback(answer.headers["x-selflow-decision"], "thumb", value=True)
    by_body = world.ask(
        "POST", "/v1/feedback", {"inference_id": body_id, "metric_name": "rating", "value": 5}
    )
    outcome = world.feedback(body_id, "outcome", [{"kind": "shell.command"}])

    assert (by_header.status_code, by_body.status_code) == (200, 200)
    assert (outcome.status_code, "outcome applies to predictions" in outcome.json()["detail"]) == (
        400,
        True,
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("n", 2),
        ("tools", [{}]),
        ("functions", [{}]),
        ("response_format", {"type": "json_object"}),
        ("suffix", "x"),
        ("logprobs", True),
        ("presence_penalty", 0.5),
        ("echo", True),
    ],
)
def test_what_is_not_offered_is_refused_by_its_name(
    school: School, field: str, value: object
) -> None:
    error = complete(school.world, **{field: value}).json()["error"]

    assert (error["code"], error["param"], error["type"]) == (
        "unsupported_parameter",
        field,
        "invalid_request_error",
    )


def test_what_asks_for_nothing_is_let_through(school: School) -> None:
    nothing = {
        "n": 1,
        "tools": None,
        "response_format": {"type": "text"},
        "temperature": None,
        "logprobs": False,
    }

    answer = complete(school.world, **nothing, store=True, metadata={})

    assert answer.status_code == 200
    assert answer.headers["x-selflow-ignored"] == "store, metadata"
    assert complete(school.world, **{"ö\r\nx": 1}).headers["x-selflow-ignored"] == "???x"


def test_an_image_is_refused(school: School) -> None:
    content = [{"type": "image_url", "image_url": {"url": "data:"}}]
    body = {"model": "rote", "messages": [{"role": "user", "content": content}]}
    answer = school.world.ask("POST", "/v1/chat/completions", body)

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "unsupported_parameter")
    assert answer.json()["error"]["param"] == "messages"


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"prompt": ""}, "prompt"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"temperature": 2.1}, "temperature"),
        ({"top_p": 0}, "top_p"),
        ({"stop": ["a"] * 5}, "stop"),
        ({"seed": "x"}, "seed"),
        ({"model": ""}, "model"),
    ],
)
def test_a_wrong_field_is_refused_by_its_name(
    school: School, more: dict[str, object], param: str
) -> None:
    answer = complete(school.world, **more)

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


def test_a_prompt_that_fills_the_context_is_refused_with_the_figures(school: School) -> None:
    too_long = complete(school.world, prompt="word " * 64)
    too_many = complete(school.world, max_tokens=62)

    assert too_long.json()["error"]["code"] == "context_length_exceeded"
    assert too_many.json()["error"]["message"].startswith(
        "3 tokens of prompt and 62 more; the context has 64"
    )
    assert complete(school.world, max_tokens=61).status_code == 200


def test_a_text_without_a_limit_is_as_long_as_there_is_room(school: School) -> None:
    body = {"model": "rote", "messages": [{"role": "user", "content": "word " * 50}]}

    assert complete(school.world).json()["usage"]["completion_tokens"] == 16
    assert (
        school.world.ask("POST", "/v1/chat/completions", body).json()["usage"]["completion_tokens"]
        == 14
    )


def test_the_guards_refusals_have_openais_envelope(school: School) -> None:
    nobody = school.world.ask("POST", "/v1/completions", {}, who="")
    large = school.world.ask("POST", "/v1/completions", content=b" " * 20_001)

    assert (nobody.status_code, nobody.json()["error"]["code"]) == (401, "invalid_api_key")
    assert "www-authenticate" in nobody.headers
    assert (large.status_code, large.json()["error"]["type"]) == (413, "request_too_large")
    assert large.headers["content-type"] == "application/json"


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_ends_its_text_and_the_decision_is_kept(
    school: School, *, stream: bool
) -> None:
    world = school.world
    body = json.dumps(
        {"model": "coder", "prompt": "x", "max_tokens": 60, "stream": stream}
    ).encode()
    headers = {"host": f"127.0.0.1:{PORT}", "authorization": f"Bearer {world.tokens['owner']}"}
    headers |= {"content-type": "application/json"}
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/completions",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }

    async def leave() -> str:
        asked = [{"type": "http.request", "body": body}]
        has_begun = asyncio.Event()
        found = ""

        async def receive() -> dict[str, Any]:
            if asked:
                return asked.pop()
            if stream:
                await has_begun.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            nonlocal found
            if message["type"] == "http.response.start":
                found = dict(message["headers"]).get(b"x-selflow-decision", b"").decode()
            elif b"it" in message["body"]:
                has_begun.set()

        await world.replica.gateway(scope, receive, send)
        text = school.hosts.made[0].texts[-1]
        assert text.is_cancelled
        return found

    found = asyncio.run(leave())
    assert school.hosts.made[0].texts[-1].is_cancelled
    if stream:
        assert school.catalog.decisions.find(found) is not None


def test_a_base_that_cannot_be_loaded_is_no_fault_of_the_caller(fresh: World) -> None:
    school = School(fresh)
    school.base(is_broken=True)
    fresh.catch_up()
    answer = complete(fresh, "rote")
    school.close()

    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "engine_unavailable")
    assert answer.json()["error"]["message"].startswith("the agents cannot be loaded (OSError)")
    assert fresh.ask("POST", "/v1/predict", {}).status_code == 200


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/completions", {"model": "rote", "prompt": "\ud800"}),
        ("/v1/completions", {"model": "\ud800", "prompt": "one"}),
        ("/v1/completions", {"model": "rote", "prompt": "one", "stop": "\ud800"}),
        ("/v1/completions", {"model": "rote", "prompt": ["one", "\udfff"]}),
        ("/v1/completions", {"model": "rote", "prompt": "one", "user": "\ud800"}),
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": "\ud800"}]}),
        ("/v1/predict", {"\ud800": 1}),
        ("/v1/predict", {"kinds": ["\ud800"]}),
        ("/v1/predict", {"context": [{"kind": "\ud800"}]}),
        ("/v1/predict", {"context": [{"\ud800": "shell"}]}),
        ("/v1/feedback", {"decision_id": "\ud800", "metric_name": "thumb", "value": True}),
        ("/v1/feedback", {"decision_id": "dec_1", "metric_name": "comment", "value": "\ud800"}),
        (
            "/v1/feedback",
            {"decision_id": "dec_1", "metric_name": "thumb", "value": [{"\ud800": 1}]},
        ),
        (
            "/v1/feedback",
            {"decision_id": "a", "metric_name": "thumb", "value": 1, "tags": {"a": "\ud800"}},
        ),
        (
            "/v1/feedback",
            {"decision_id": "a", "metric_name": "outcome", "value": [{"kind": "\ud800"}]},
        ),
    ],
)
def test_a_lone_surrogate_is_a_bad_request(school: School, path: str, body: Any) -> None:
    answer = school.world.ask(
        "POST",
        path,
        content=json.dumps({"model": "rote", **body} if "chat" in path else body).encode(),
    )

    assert answer.status_code == 400, answer.text


def test_a_stop_text_has_a_bound(school: School) -> None:
    answer = complete(school.world, stop="x" * 257)

    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "stop"

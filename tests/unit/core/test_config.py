"""Layers of settings: who wins, who may not, and what is refused by name."""

import copy
from typing import Any

import pytest
import yaml

from selflow.core.config import (
    Layer,
    config_hash,
    environment_layer,
    known_keys,
    load,
    meaning,
    value_at,
)
from selflow.core.errors import ConfigError
from selflow.core.settings import Settings


def user(**values: object) -> Layer:
    """The owner's own layer."""
    return Layer("user", values)


def project(**values: object) -> Layer:
    """A project's layer."""
    return Layer("project", values)


FILES = {"type": "file_system", "paths": ["~/src"]}

REFUSALS: list[tuple[dict[str, Any], str]] = [
    ({"serv": {"port": 1}}, "serv (user): unknown key"),
    ({"serve": {"prot": 7731}}, "serve.prot (user): unknown key"),
    ({"serve": {"port": {"tcp": 1}}}, "serve.port (user): Input should be a valid integer"),
    ({"serve": {"port": 80}}, "serve.port (user): Input should be greater than or equal to 1024"),
    ({"serve": 7731}, "serve (user): expected a section with keys below it"),
    ({"serve.port.tcp": 1}, "serve.port.tcp (user): unknown key"),
    ({1: 2}, "1 (user): unknown key"),
    (
        {"privacy": {"exclude_apps": "firefox"}},
        "privacy.exclude_apps (user): expected a list of texts",
    ),
    ({"buffer": {"budget_mb": "64"}}, "buffer.budget_mb (user): expected a number"),
    ({"ray": {"knobs": {"PATH": "x"}}}, "ray.knobs.PATH"),
    (
        {"ingest": {"max_event_bytes": 200_000}},
        "ingest (user): ingest.max_event_bytes (200000) exceeds",
    ),
    (
        {"data_sources": [{**FILES, "file_system": 1}]},
        "data_sources.0.file_system.file_system (user): unknown key",
    ),
    (
        {"data_sources": [{"type": "file_system", "path": []}]},
        "data_sources.0.file_system.path (user): unknown key",
    ),
    (
        {"data_sources": [{"type": "file_system"}]},
        "data_sources.0.file_system.paths (user): this key is required",
    ),
    ({"data_sources": [{"paths": []}]}, "data_sources.0 (user): type is missing"),
    ({"data_sources": [{"type": "files"}]}, "data_sources.0 (user): Input tag 'files'"),
]


def test_defaults_hold_without_any_layer() -> None:
    loaded = load([])

    assert loaded.settings == Settings()
    assert loaded.origin("serve.port").layer == "default"


def test_the_later_layer_wins_and_all_votes_are_kept() -> None:
    layers = [
        user(serve={"port": 7001}),
        project(serve={"port": 7002}),
        Layer("environment", {"serve": {"port": 7003}}),
    ]
    loaded = load(layers)

    assert loaded.settings.serve.port == 7003
    assert loaded.origin("serve.port").layer == "environment"
    assert loaded.origin("serve.port").said == (
        ("user", 7001),
        ("project", 7002),
        ("environment", 7003),
    )


def test_layers_meet_key_by_key() -> None:
    loaded = load([user(serve={"port": 7001}), project(serve={"running": 2})])

    assert (loaded.settings.serve.port, loaded.settings.serve.running) == (7001, 2)
    assert (loaded.origin("serve.port").layer, loaded.origin("serve.running").layer) == (
        "user",
        "project",
    )


def test_an_empty_section_changes_nothing() -> None:
    assert load([user(serve=None, ray={})]).settings == Settings()


@pytest.mark.parametrize(("values", "message"), REFUSALS, ids=[message for _, message in REFUSALS])
def test_a_wrong_setting_is_refused_by_name_and_layer(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load([Layer("user", values)])

    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("values", "hint"),
    [
        ({"serve": {"prot": 1}}, "did you mean 'port'?"),
        ({"supervisr": {}}, "did you mean 'supervisor'?"),
        ({"zzz": {}}, "known keys: data_sources, privacy"),
        ({"serve.port.tcp": 1}, "serve.port has no keys below it"),
    ],
)
def test_a_refusal_proposes_the_next_step(values: dict[str, Any], hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load([Layer("user", values)])

    assert caught.value.hint.startswith(hint)


def test_loading_changes_no_layer() -> None:
    layers = [
        user(ray={"knobs": {"RAY_a": "1"}}, privacy={"exclude_apps": ["a"]}),
        Layer("project", {"ray.knobs.RAY_b": "2", "privacy": {"exclude_apps": ["b"]}}),
    ]
    before = copy.deepcopy(layers)
    load(layers)

    assert layers == before


@pytest.mark.parametrize(
    ("pattern", "why"),
    [("codename(", "is not a regular expression"), ("x*", "matches the empty text")],
)
def test_a_redaction_pattern_that_cannot_work_is_refused_by_its_place(
    pattern: str, why: str
) -> None:
    with pytest.raises(ConfigError, match=rf"privacy\.redact_patterns\[1\] {why}") as caught:
        load([user(privacy={"redact_patterns": ["fine", pattern]})])

    assert pattern not in str(caught.value)


def test_only_the_owners_own_layers_give_up_a_default_kind_of_redaction() -> None:
    fewer = {"privacy": {"redact_kinds": ["phone"]}}
    default = load([]).settings.privacy.redact_kinds
    more = {"privacy": {"redact_kinds": ["public_address"]}}

    assert load([Layer("user", fewer)]).settings.privacy.redact_kinds == ("phone",)
    assert load([Layer("project", fewer)]).settings.privacy.redact_kinds == default
    assert load([Layer("user", fewer), Layer("project", more)]).settings.privacy.redact_kinds == (
        "phone",
        "public_address",
    )


@pytest.mark.parametrize("name", ["exclude_paths", "exclude_apps", "redact_patterns"])
def test_exclusions_of_all_layers_are_united(name: str) -> None:
    loaded = load(
        [
            user(privacy={name: ["a"]}),
            project(privacy={name: ["b"]}),
            Layer("x", {"privacy": {name: []}}),
        ]
    )

    assert getattr(loaded.settings.privacy, name) == ("a", "b")


@pytest.mark.parametrize("layer", ["profile", "project", "runtime overrides"])
@pytest.mark.parametrize("value", [False, "off", "no", 0, "0", "false", None])
@pytest.mark.parametrize("name", ["anonymize", "anonymize_sensitive_data"])
def test_only_the_owner_may_loosen_privacy(layer: str, value: object, name: str) -> None:
    with pytest.raises(ConfigError, match=r"privacy\.anonymize .*only the owner's own"):
        load([Layer(layer, {"privacy": {name: value}})])


@pytest.mark.parametrize("layer", ["user", "environment", "command line"])
def test_the_owner_may_loosen_and_anybody_may_tighten(layer: str) -> None:
    loose = Layer(layer, {"privacy": {"anonymize": False}})

    assert not load([loose]).settings.privacy.anonymize
    assert load([loose, project(privacy={"anonymize": True})]).settings.privacy.anonymize


def test_a_name_of_the_requirement_becomes_our_key_with_its_unit() -> None:
    loaded = load([user(buffer={"budget_mb": 32})])

    assert loaded.settings.buffer.budget_bytes == 32_000_000
    assert loaded.origin("buffer.budget_bytes").alias == "buffer.budget_mb"


def test_the_environment_speaks_yaml() -> None:
    environ = {
        "SELFLOW_SERVE__PORT": "7740",
        "SELFLOW_PRIVACY__EXCLUDE_APPS": "[a, b]",
        "SELFLOW_RAY__DASHBOARD": "no",
    }
    settings = load([environment_layer(environ, yaml.safe_load)]).settings

    assert (settings.serve.port, settings.privacy.exclude_apps) == (7740, ("a", "b"))
    assert not settings.ray.dashboard


def test_other_variables_are_no_settings() -> None:
    environ = {
        "SELFLOW_HOME": "/x",
        "SELFLOW_TOKEN": "sf_x",
        "SELFLOW_URL": "http://x",
        "PATH": "/bin",
    }

    assert environment_layer(environ, yaml.safe_load) == Layer("environment", {})


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"SELFLOW_SERVE__PROT": "1"}, r"serve\.prot \(environment\): unknown key"),
        (
            {"SELFLOW_SERVE": "1", "SELFLOW_SERVE__PORT": "2"},
            r"serve \(environment\): holds a value, so serve\.port",
        ),
    ],
)
def test_a_wrong_variable_is_refused(environ: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load([environment_layer(environ, yaml.safe_load)])


def test_every_known_key_has_a_value_and_a_meaning() -> None:
    keys = known_keys()

    assert {"serve.port", "data_sources", "ray.knobs", "privacy.anonymize"} <= set(keys)
    assert all(value_at(Settings(), key) is not ... for key in keys)
    assert meaning("serve.port") == "The port; the next free one if it is busy."
    assert meaning("serve.prot") == ""


@pytest.mark.parametrize(
    "key", ["serve.prot", "ray.knobs.RAY_nothing", "ray.knobs.RAY_worker_niceness.x", "nothing"]
)
def test_a_key_that_is_not_there_is_said_so(key: str) -> None:
    with pytest.raises(ConfigError, match=rf"{key}.*(unknown key|not set)"):
        value_at(Settings(), key)


def test_a_value_below_a_map_is_found() -> None:
    assert value_at(Settings(), "ray.knobs.RAY_worker_niceness") == "5"


def test_settings_are_frozen_and_their_hash_follows_their_content() -> None:
    one, same, other = (
        load([user(serve={"port": port})]).settings.serve for port in (7001, 7001, 7002)
    )

    assert config_hash(one) == config_hash(same)
    assert config_hash(one) != config_hash(other)
    with pytest.raises(ValueError, match="frozen"):
        one.port = 1  # type: ignore[misc]

"""The settings in the console, as on the command line."""

from selflow.core.session_files import SessionRequest, write_request
from tests.unit.console.conftest import Cli
from tests.unit.console.server.worlds import Console

CATALOG_URL = "postgresql://owner:pa55word@db.example/selflow"


def test_settings_are_those_of_the_command_line(console: Console, cli: Cli) -> None:
    console.root.user_settings.write_text("serve: {port: 7800}\n")
    shown = console.ask("GET", "/api/settings", "admin").json()["items"]

    printed = cli("config", "show", "--json").document["items"]
    assert [{name: item[name] for name in printed[0]} for item in shown] == printed
    port = next(item for item in shown if item["key"] == "serve.port")
    assert (port["value"], port["layer"], port["default"]) == (7800, "user", 7731)
    assert port["meaning"] == cli("config", "explain", "serve.port", "--json").document["meaning"]


def test_a_session_shows_what_it_was_given(console: Console) -> None:
    write_request(console.root, SessionRequest(assignments=("serve.port=7900",)))
    shown = console.ask("GET", "/api/settings", "admin").json()["items"]

    port = next(item for item in shown if item["key"] == "serve.port")
    assert (port["value"], port["layer"]) == (7900, "command line")


def test_what_is_set_in_a_terminal_is_shown_at_the_next_look(console: Console, cli: Cli) -> None:
    shown = [console.ask("GET", "/api/settings", "admin").json()["items"]]
    cli("config", "set", "serve.port", "7950")
    shown.append(console.ask("GET", "/api/settings", "admin").json()["items"])

    ports = [item["value"] for items in shown for item in items if item["key"] == "serve.port"]
    assert ports == [7731, 7950]


def test_units_are_those_of_the_names(console: Console) -> None:
    items = console.ask("GET", "/api/settings", "admin").json()["items"]
    units = {item["key"]: item["unit"] for item in items}

    assert units["buffer.budget_bytes"] == "bytes"
    assert units["tune.time_budget_s"] == "s"
    assert units["serve.rate_per_min"] == "per min"
    assert units["serve.port"] == ""


def test_the_password_of_a_catalog_is_not_shown(console: Console) -> None:
    write_request(console.root, SessionRequest(assignments=(f"store.catalog_url={CATALOG_URL}",)))
    answered = console.ask_socket("GET", "/api/settings")

    assert answered.status_code == 200
    assert console.model.settings().store.catalog_url == CATALOG_URL
    assert "pa55word" not in answered.text

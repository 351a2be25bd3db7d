"""What runs and when it learns next, in the console as on the command line."""

import json
import re
import subprocess
import sys

import pytest

from selflow.console.server.app import make_app, port_policies, socket_policies
from selflow.core.paths import Root
from selflow.core.session_files import RaySession, write_ray_session
from tests.unit.console.at_rest import loaded_at_rest
from tests.unit.console.conftest import Cli
from tests.unit.console.server.worlds import Console, at


def test_the_system_is_what_status_prints(console: Console, cli: Cli, root: Root) -> None:
    write_ray_session(root, RaySession("127.0.0.1:1", is_ours=True, dashboard_port=None))
    console.store([at(1), at(2, subject="b.py")])
    shown = console.ask("GET", "/api/system").json()
    console.model.release_log()  # LMDB opens it once in a process
    printed = cli("status", "--json").document
    assert {name: shown[name] for name in printed} == printed
    assert shown["buffer"]["events"] == 2


def test_the_conditions_say_what_the_next_cycle_waits_for(console: Console) -> None:
    console.store([at(24 * day, subject=f"{day}.py") for day in range(3)])
    shown = console.ask("GET", "/api/system").json()

    conditions = {item["name"]: (item["is_met"], item["value"]) for item in shown["conditions"]}
    assert conditions == {"size": (False, 3), "diversity": (False, 3), "days": (True, 3)}
    assert shown["next_learning"]["reason"].startswith("SelFlow is not running")
    assert shown["last_hour_events"] == 1


def test_the_version_names_program_api_and_schema(console: Console) -> None:
    shown = console.ask("GET", "/api/version").json()

    assert (shown["api"], shown["schema_version"]) == (1, "0009")


def test_every_route_has_a_policy_and_every_policy_a_route(console: Console) -> None:
    routes = {
        (method, route.path)
        for included in make_app(console.model).routes
        for route in getattr(included, "original_router", included).routes
        for method in getattr(route, "methods", ())
        if method != "HEAD"
    }

    assert routes == set(socket_policies())
    assert routes - set(port_policies()) == {("POST", "/api/auth/code")}


def test_a_missing_page_says_how_it_is_built(console: Console) -> None:
    answer = console.ask("GET", "/", scope=None)

    assert answer.text.startswith("The web page is not built. Run `make web`.\n\nSelFlow ")
    assert "is not running" in answer.text


def test_the_page_answers_every_address_of_its_own(console: Console) -> None:
    static = console.app.state.static
    (static / "assets").mkdir(parents=True)
    (static / "index.html").write_text("<!doctype html>page")
    (static / "assets" / "a-1.js").write_text("1")
    (static.parent / "secret").write_text("secret")

    for path in ("/", "/training", "/login"):
        answer = console.ask("GET", path, scope=None)
        assert (answer.text, answer.headers["cache-control"]) == ("<!doctype html>page", "no-cache")
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    asset = console.ask("GET", "/assets/a-1.js", scope=None)
    assert asset.headers["cache-control"] == "public, max-age=31536000, immutable"
    for path in ("/assets/..%2f..%2fsecret", "/assets/none.js"):
        assert console.ask("GET", path, scope=None).status_code == 404
    assert console.ask("GET", "/api/none").json()["code"] == "route_not_found"


@pytest.mark.slow
def test_the_console_loads_nothing_heavy_and_prints_its_api() -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "selflow.console.openapi"], capture_output=True, check=True
    )
    loaded = loaded_at_rest("selflow.console.server")

    assert "selflow.console.server.process" in loaded
    assert loaded.isdisjoint({"ray", "torch", "pandas", "sqlalchemy", "alembic", "sklearn"})
    assert loaded.isdisjoint({"numpy", "dateparser", "typer", "psutil", "rich", "httpx"})
    assert loaded.isdisjoint({"pydantic.v1", "watchfiles", "uvloop"})
    rarely_used = {"collect.redact", "search.periods", "console.server.activitywatch.service"}
    assert loaded.isdisjoint({f"selflow.{name}" for name in rarely_used})
    assert "/api/system" in json.loads(printed.stdout)["paths"]


def test_the_api_is_shown_from_files_of_our_own_alone(console: Console) -> None:
    missing = console.ask("GET", "/docs")
    assert (missing.status_code, missing.json()["hint"]) == (404, "run: make web")
    (console.app.state.static / "assets/swagger-ui-1.2.3").mkdir(parents=True)
    page = console.ask("GET", "/docs")
    named = re.findall(r'(?:src|href)="([^"]+)"', page.text)

    assert console.ask("GET", "/docs", None).status_code == 401
    assert named
    assert all(name.startswith("/assets/swagger-ui-1.2.3/") for name in named)
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert console.ask("GET", "/openapi.json").json()["paths"]["/api/system"]

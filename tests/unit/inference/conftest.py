"""Worlds for the gateway's tests; the catalog's migrations run once and are copied."""

from pathlib import Path

import pytest

from tests.unit.inference.worlds import Template, World


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    return Template.make(tmp_path_factory.mktemp("template") / "catalog.db")


@pytest.fixture
def fresh(tmp_path: Path, template: Template) -> World:
    """A replica that was started and asked nothing yet."""
    return World(tmp_path / "root", template)


@pytest.fixture
def world(fresh: World) -> World:
    """A replica that has learned nine rounds of the same four commands."""
    fresh.happen(9)
    fresh.catch_up()
    return fresh


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, template: Template) -> World:
    """As ``world``, for tests that only ask: one for a whole module."""
    made = World(tmp_path_factory.mktemp("shared") / "root", template)
    made.happen(9)
    made.catch_up()
    return made

"""A folder's events are deleted from the page, and page and command line count the same after."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e import test_page
from tests.e2e.conftest import World
from tests.e2e.page_world import EVENTS
from tests.e2e.quiet import Network
from tests.waiting import PATIENCE

LIMIT_S = 60.0
world, network, trace = test_page.world, test_page.network, test_page.trace


@pytest.fixture
def seen(world: World, network: Network, tool: Callable[[str], str]) -> dict[str, object]:
    """What one visit saw."""
    chromium, node = tool("chromium"), tool("node")
    command = [str(Path(sys.executable).with_name("selflow")), "forget", "--resume"]
    with tempfile.TemporaryDirectory() as profile:
        done = subprocess.run(
            [*network.enter, node, str(test_page.WEB / "test/privacy.mjs")],
            env={
                **world.environ,
                "HOME": profile,
                "CHROMIUM": chromium,
                "PAGE_URL": world.json("ui", "--print")["url"],
                "FORGET": json.dumps(command),
                "SCREENSHOTS": os.environ.get("SCREENSHOTS", ""),
            },
            capture_output=True,
            text=True,
            timeout=LIMIT_S * PATIENCE,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


def test_a_deletion_from_the_page_is_seen_by_page_and_command_line(
    world: World, seen: dict[str, object]
) -> None:
    meant = int(str(seen["meant"]))
    left = world.json("events", "--limit", "1000")["items"]

    assert meant > 0
    assert (seen["before"], seen["after"]) == (str(EVENTS), str(EVENTS - meant))
    assert len(left) == EVENTS - meant
    assert not any(item["subject"].startswith("src/") for item in left)
    assert seen["hidden"] == seen["meant"]
    assert seen["withoutWord"] is True
    assert all("src/parser.py" in row for row in seen["rows"])  # type: ignore[attr-defined]
    assert (seen["axe"], seen["console"]) == ([], [])

"""A wheel brings the built page and not its sources; what asks for no page gets none."""

import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import missing

HERE = Path(__file__).parents[2]
WEB = "selflow/console/web"
LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", "__pycache__", ".*_cache", "build", "dist", "node_modules", "static"
)
LIMIT_S = 240.0
BUILD = """
import sys
from hatchling.builders.wheel import WheelBuilder
print(*WheelBuilder(sys.argv[1]).build(directory=sys.argv[2], versions=[sys.argv[3]]))
"""


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree with npm's packages as it has them; the page is not built."""
    copy = tmp_path_factory.mktemp("sources") / "tree"
    shutil.copytree(HERE, copy, ignore=LEFT_OUT)
    packages = HERE / WEB / "node_modules"
    if not packages.exists():
        missing("the packages of the web page are not installed: make web")
    (copy / WEB / "node_modules").symlink_to(packages)
    return copy


def wheel(sources: Path, out: Path, kind: str, **environ: str) -> set[str]:
    """The files of a wheel of a kind: ``standard`` or ``editable``."""
    done = subprocess.run(
        [sys.executable, "-c", BUILD, str(sources), str(out), kind],
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(out), **environ},
        cwd=sources,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(zipfile.ZipFile(done.stdout.strip()).namelist())


def test_a_wheel_without_the_page_is_built_only_where_that_is_asked_for(
    sources: Path, tmp_path: Path
) -> None:
    editable = wheel(sources, tmp_path, "editable")
    skipped = wheel(sources, tmp_path, "standard", SELFLOW_WEB="skip")

    assert not any("console/static" in name for name in editable | skipped)
    assert "selflow/console/server/app.py" in skipped
    assert not (sources / "selflow/console/static").exists()


def test_a_wheel_brings_the_page_and_not_its_sources(
    sources: Path, tmp_path: Path, tool: Callable[[str], str]
) -> None:
    tool("npm")
    names = wheel(sources, tmp_path, "standard")

    assert {
        "selflow/console/static/index.html",
        "selflow/console/static/index.html.gz",
        "selflow/console/static/THIRD_PARTY_LICENSES.txt",
    } <= names
    assert any(name.startswith("selflow/console/static/assets/swagger-ui-") for name in names)
    assert not any(name.startswith(f"{WEB}/") for name in names)

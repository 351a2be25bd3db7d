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
LIMIT_S = 240.0
BUILD = """
import sys
from hatchling.builders.wheel import WheelBuilder
print(*WheelBuilder(sys.argv[1]).build(directory=sys.argv[2], versions=[sys.argv[3]]))
"""


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What git knows, with npm's packages as the checkout has them; the page is not built."""
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=HERE,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    copy = tmp_path_factory.mktemp("sources")
    for name in filter(None, names):
        if (HERE / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(HERE / name, copy / name)
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

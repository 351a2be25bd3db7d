import hashlib
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selflow.core.errors import ArtifactError, StoreError
from selflow.store.artifacts import ArtifactStore
from tests.unit.store.campaign import campaign

FILES = {"model.json": b"{}", "weights/a.bin": b"\x00\x01", "weights/b.bin": b""}


def test_the_hash_is_that_of_the_sorted_manifest(tmp_path: Path) -> None:
    lines = "".join(
        f"{hashlib.sha256(FILES[name]).hexdigest()}  {name}\n" for name in sorted(FILES)
    )

    assert ArtifactStore(tmp_path).put(FILES) == hashlib.sha256(lines.encode()).hexdigest()


@campaign
@given(
    st.dictionaries(
        st.sampled_from(["a", "b/c", "b/d/e", "z z", "ü.txt"]), st.binary(max_size=9), min_size=1
    ),
    st.randoms(use_true_random=False),
)
def test_what_was_put_in_comes_out_under_one_hash_whatever_the_order(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes], random: object
) -> None:
    store = ArtifactStore(tmp_path_factory.mktemp("artifacts"))
    shuffled = list(files.items())
    random.shuffle(shuffled)
    sha256 = store.put(files)
    path = store.get(sha256)

    assert store.put(dict(shuffled)) == sha256
    assert store.put(path) == sha256
    assert {
        p.relative_to(path).as_posix(): p.read_bytes() for p in path.rglob("*") if p.is_file()
    } == files


def test_an_artifact_is_read_only_and_the_owners_alone(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path / "artifacts")
    path = store.get(store.put(FILES))
    modes = {stat.S_IMODE(p.stat().st_mode) for p in (path, *path.rglob("*"))}

    assert stat.S_IMODE((tmp_path / "artifacts").stat().st_mode) == 0o700
    assert modes == {0o500, 0o400}


@pytest.mark.parametrize("fault", ["changed", "removed", "added"])
def test_content_that_was_changed_on_disk_is_refused_and_healed_by_putting_again(
    tmp_path: Path, fault: str
) -> None:
    store = ArtifactStore(tmp_path)
    sha256 = store.put(FILES)
    path = store.get(sha256)
    path.chmod(0o700)
    (path / "model.json").chmod(0o600)
    if fault == "changed":
        (path / "model.json").write_bytes(b"[]")
    elif fault == "removed":
        (path / "model.json").unlink()
    else:
        (path / "more").write_bytes(b"")
    with pytest.raises(ArtifactError, match=f"artifact {sha256} was changed on disk"):
        store.get(sha256)

    assert store.put(FILES) == sha256
    assert (store.get(sha256) / "model.json").read_bytes() == b"{}"
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([sha256, "lock"])


@pytest.mark.parametrize("sha256", ["0" * 64, "..", "", "../artifacts", "A" * 64])
def test_what_is_not_there_is_named(tmp_path: Path, sha256: str) -> None:
    with pytest.raises(ArtifactError, match="there is no artifact") as caught:
        ArtifactStore(tmp_path).get(sha256)
    assert "selflow status" in caught.value.hint


@pytest.mark.parametrize("name", ["", "/etc/x", "../x", "a/../b", "a//b", ".", "a\0b"])
def test_a_name_that_would_leave_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ArtifactError, match="is not a file name inside an artifact"):
        ArtifactStore(tmp_path).put({name: b""})
    assert [p.name for p in tmp_path.iterdir()] == ["lock"]


def test_an_empty_artifact_and_a_link_in_a_folder_are_refused(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path / "artifacts")
    (tmp_path / "model").mkdir()
    with pytest.raises(ArtifactError, match="at least one file"):
        store.put(tmp_path / "model")
    (tmp_path / "model" / "link").symlink_to("/etc/hostname")
    with pytest.raises(ArtifactError, match="neither a file nor a folder"):
        store.put(tmp_path / "model")


def test_a_folder_that_is_not_there_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="at least one file"):
        ArtifactStore(tmp_path / "artifacts").put(tmp_path / "nothing")


def test_every_file_and_folder_is_synced_before_the_name_appears(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    real_fsync, real_rename = os.fsync, os.rename

    def fsync(descriptor: int) -> None:
        done.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        real_fsync(descriptor)

    def rename(source: Path, target: Path, **kwargs: int) -> None:
        done.append("rename")
        real_rename(source, target, **kwargs)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "rename", rename)
    ArtifactStore(tmp_path / "artifacts").put(FILES)
    before, after = done[: done.index("rename")], done[done.index("rename") + 1 :]

    assert {"model.json", "a.bin", "b.bin", "weights"} < set(before)
    assert any(name.startswith(".unfinished-") for name in before)
    assert after == ["artifacts"]


KILLED_WHILE_PUTTING = """
import os, signal, sys
from pathlib import Path
from selflow.store.artifacts import ArtifactStore
store = ArtifactStore(Path(sys.argv[1]))
os.rename = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
store.put({"a/b": b"content", "c": b""})
"""


def test_a_crash_leaves_an_unfinished_folder_that_the_next_opening_sweeps(tmp_path: Path) -> None:
    died = subprocess.run([sys.executable, "-c", KILLED_WHILE_PUTTING, str(tmp_path)], check=False)
    left = [p.name for p in tmp_path.iterdir() if p.name != "lock"]

    assert died.returncode == -signal.SIGKILL
    assert len(left) == 1
    assert left[0].startswith(".unfinished-")
    ArtifactStore(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["lock"]


def test_opening_beside_a_put_in_progress_sweeps_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, real_rename = ArtifactStore(tmp_path), os.rename

    def rename(source: Path, target: Path, **kwargs: int) -> None:
        ArtifactStore(tmp_path)
        real_rename(source, target, **kwargs)

    monkeypatch.setattr(os, "rename", rename)

    assert (store.get(store.put(FILES)) / "model.json").read_bytes() == b"{}"


def test_a_disk_that_refuses_is_named_with_what_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ArtifactStore(tmp_path)

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match=r"No space left on device; [\d,]+ bytes are free"):
        store.put(FILES)
    assert [p.name for p in tmp_path.iterdir()] == ["lock"]

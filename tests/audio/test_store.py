import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audio.errors import AudioError
from audio.store import ContentStore
from tests.audio.test_recipe import on_a_small_disk


@pytest.fixture
def store(tmp_path: Path) -> ContentStore:
    return ContentStore(tmp_path / "store", free_bytes=0)


def file_with(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@given(content=st.binary(max_size=5000))
def test_what_is_added_is_found_under_its_hash(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    base = tmp_path_factory.getbasetemp()
    store = ContentStore(base / "kept", free_bytes=0)
    sha256 = store.add(file_with(base / "source", content))
    assert sha256 == hashlib.sha256(content).hexdigest()
    assert store.path_of(sha256).read_bytes() == content
    assert store.has(sha256)
    assert store.verify(sha256)


def test_adding_twice_keeps_one_file_and_the_source_stays(store: ContentStore, tmp_path: Path) -> None:
    source = file_with(tmp_path / "a", b"ban tin")
    assert store.add(source) == store.add(source)
    assert len([path for path in store.root.rglob("*") if path.is_file()]) == 1
    assert source.exists()


def test_rotten_bytes_are_seen_and_mended_by_adding_again(store: ContentStore, tmp_path: Path) -> None:
    source = file_with(tmp_path / "a", b"ban tin")
    sha256 = store.add(source)
    store.path_of(sha256).write_bytes(b"bun tin")
    assert not store.verify(sha256)
    store.add(source)
    assert store.verify(sha256)


def test_what_is_removed_is_gone_and_removing_again_is_fine(store: ContentStore, tmp_path: Path) -> None:
    sha256 = store.add(file_with(tmp_path / "a", b"ban tin"))
    store.remove(sha256)
    store.remove(sha256)
    assert not store.has(sha256)
    with pytest.raises(AudioError, match="unknown recording"):
        store.open(sha256)


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "A" * 64, "0" * 63, "0" * 64 + "/x", "0" * 64 + "\n"])
def test_only_a_hash_is_a_name(name: str, store: ContentStore) -> None:
    for act in (store.path_of, store.has, store.remove, store.verify):
        with pytest.raises(AudioError, match="unknown recording"):
            act(name)


def test_a_full_disk_is_named_and_leaves_nothing(tmp_path: Path) -> None:
    large = file_with(tmp_path / "large", bytes(8 * 1024 * 1024))
    assert on_a_small_disk(tmp_path, "store", str(large)) == "disk_full []"


def test_room_is_kept_free(tmp_path: Path) -> None:
    store = ContentStore(tmp_path / "store", free_bytes=1 << 60)
    with pytest.raises(AudioError, match="disk full") as caught:
        store.add(file_with(tmp_path / "a", b"ban tin"))
    assert caught.value.params["needed_bytes"] == (1 << 60) + 7
    assert list(store.root.rglob("*")) == []


def test_bytes_and_name_are_on_the_disk_before_the_hash_is_told(
    store: ContentStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    really = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        really(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    sha256 = store.add(file_with(tmp_path / "a", b"ban tin"))
    assert "incoming-" in synced[0]
    assert synced[-1] == str(store.path_of(sha256).parent)
    assert str(store.root) in synced


def test_a_failing_sync_is_an_error_and_leaves_nothing(
    store: ContentStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fsync(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(AudioError, match="storage failed"):
        store.add(file_with(tmp_path / "a", b"ban tin"))
    assert [path for path in store.root.rglob("*") if path.is_file()] == []


def test_a_sweep_removes_what_a_crash_left(store: ContentStore, tmp_path: Path) -> None:
    sha256 = store.add(file_with(tmp_path / "a", b"ban tin"))
    file_with(store.root / "incoming-abc", b"ban")
    assert store.sweep() == 1
    assert store.verify(sha256)

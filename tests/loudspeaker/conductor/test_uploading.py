"""Writing the bytes of an upload: durable before acknowledged, one writer at a time."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from loudspeaker.conductor import uploading
from loudspeaker.conductor.uploading import UploadFolder
from loudspeaker.errors import ConflictError, InvalidError


async def chunks_of(*chunks: bytes) -> AsyncIterator[bytes]:
    for one in chunks:
        yield one


async def never_ending(first: bytes) -> AsyncIterator[bytes]:
    yield first
    await asyncio.Event().wait()


def noting(marks: list[int]) -> Callable[[int], "asyncio.Future[None]"]:
    async def note(received: int) -> None:
        marks.append(received)
    return note  # type: ignore[return-value]


def test_a_long_upload_is_made_durable_and_acknowledged_on_the_way(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploading, "MARK_BYTES", 10_000)
    marks: list[int] = []
    folder = UploadFolder(tmp_path, 0)
    received = asyncio.run(folder.receive("one", 0, 100_000, chunks_of(*[bytes(4000)] * 20), noting(marks),
                                          asyncio.Event()))
    assert received == 80_000
    assert marks == [12_000, 24_000, 36_000, 48_000, 60_000, 72_000, 80_000]
    assert (tmp_path / "uploads" / "one.part").stat().st_size == 80_000


def test_the_last_byte_is_left_for_the_recording_to_acknowledge(tmp_path: Path) -> None:
    marks: list[int] = []
    received = asyncio.run(UploadFolder(tmp_path, 0).receive("one", 0, 6, chunks_of(b"abc", b"def"), noting(marks),
                                                             asyncio.Event()))
    assert (received, marks) == (6, [])


def test_what_was_not_acknowledged_is_written_again(tmp_path: Path) -> None:
    folder = UploadFolder(tmp_path, 0)
    asyncio.run(folder.receive("one", 0, 9, chunks_of(b"abcdef"), noting([]), asyncio.Event()))
    asyncio.run(folder.receive("one", 3, 9, chunks_of(b"DEFGHI"), noting([]), asyncio.Event()))
    assert (tmp_path / "uploads" / "one.part").read_bytes() == b"abcDEFGHI"


def test_more_than_announced_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidError):
        asyncio.run(UploadFolder(tmp_path, 0).receive("one", 0, 3, chunks_of(b"abcd"), noting([]), asyncio.Event()))


def test_a_client_that_comes_back_takes_over_from_its_own_dead_connection(tmp_path: Path) -> None:
    folder, marks = UploadFolder(tmp_path, 0), list[int]()

    async def dead_link() -> int:
        async with folder.turn("one") as stop:
            return await folder.receive("one", 0, 100, never_ending(b"abc"), noting(marks), stop)

    async def both() -> tuple[int, bool]:
        first = asyncio.create_task(dead_link())
        await asyncio.sleep(0.05)
        async with folder.turn("one") as stop:
            taken_over = not stop.is_set()
        return await first, taken_over

    assert asyncio.run(asyncio.wait_for(both(), 5)) == (3, True)
    assert marks == [3]


def test_a_silent_client_does_not_hold_its_turn_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploading, "IDLE_SECONDS", 0.05)
    folder = UploadFolder(tmp_path, 0)
    received = asyncio.run(asyncio.wait_for(
        folder.receive("one", 0, 100, never_ending(b"abc"), noting([]), asyncio.Event()), 5))
    assert received == 3


def test_whoever_does_not_get_a_turn_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploading, "HANDOVER_SECONDS", 0.05)
    folder = UploadFolder(tmp_path, 0)

    async def both() -> None:
        async with folder.turn("one"), folder.turn("one"):
            pass

    with pytest.raises(ConflictError):
        asyncio.run(both())


def test_only_old_files_that_nothing_wants_are_swept(tmp_path: Path) -> None:
    (tmp_path / "uploads").mkdir()
    for name in ("wanted.part", "stray.part"):
        (tmp_path / "uploads" / name).write_bytes(b"x")
    folder, written = UploadFolder(tmp_path, 0), (tmp_path / "uploads" / "stray.part").stat().st_mtime
    wanted = frozenset({"uploads/wanted.part"})
    assert folder.sweep(wanted, written - 1) == 0
    assert folder.sweep(wanted, written + 1) == 1
    assert [one.name for one in (tmp_path / "uploads").iterdir()] == ["wanted.part"]

"""Resumable uploads from the first announcement to a recording in processing: rows and bytes together."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

from anyio import to_thread
from sqlmodel import Session

from loudspeaker.bulletins import uploads
from loudspeaker.bulletins.models import Upload
from loudspeaker.bulletins.uploads import Announced
from loudspeaker.conductor.house import House
from loudspeaker.database import after_commit
from loudspeaker.users.access import Actor


def announce(house: House, actor: Actor, announced: Announced) -> Upload:
    """A place for a file. Raises the errors of `uploads.open_upload`, and DiskFullError."""
    settings = house.settings
    with house.database.work() as session:
        now, hours = house.now(), settings.upload_hours
        upload = uploads.open_upload(session, actor, now, announced, limit_bytes=settings.upload_bytes, hours=hours)
        house.uploads.must_have_room(uploads.coming_bytes(session, now, hours))
        return upload


def held(house: House, actor: Actor, upload_id: str) -> Upload:
    """The person's own upload as it stands. Raises NotFoundError."""
    with house.database.read() as session:
        return uploads.own_upload(session, actor, upload_id, house.now())


async def receive(house: House, actor: Actor, upload: Upload, chunks: AsyncIterator[bytes],
                  stop: asyncio.Event) -> Upload:
    """Store what comes; once the file is whole it is a recording for the workers. The upload as it then stands.

    Raises the errors of `UploadFolder.receive` and `uploads.complete`; what was acknowledged before stays.
    """
    async def acknowledge(received: int) -> None:
        await to_thread.run_sync(_note, house, upload.id, received)

    durable = await house.uploads.receive(upload.id, upload.received, upload.length, chunks, acknowledge, stop)
    if durable == upload.length:
        await to_thread.run_sync(_complete, house, actor, upload.id)
    return await to_thread.run_sync(held, house, actor, upload.id)


def end(house: House, actor: Actor, upload_id: str) -> None:
    """Give an upload up; nothing is left of it. What has become a recording stays. Raises NotFoundError."""
    with house.database.work() as session:
        path = uploads.end_upload(session, actor, house.now(), upload_id)
        if path is not None:
            after_commit(session, lambda: house.uploads.remove(path))


def _note(house: House, upload_id: str, received: int) -> None:
    until = house.now() + timedelta(hours=house.settings.upload_hours)
    with house.database.work() as session:
        uploads.note_received(session, upload_id, received, until)


def _complete(house: House, actor: Actor, upload_id: str) -> None:
    with house.database.work() as session:
        recording = uploads.complete(session, actor, house.now(), upload_id, house.settings.processing_seconds)
        _take_up(session, house, recording.id)


def _take_up(session: Session, house: House, recording_id: str) -> None:
    after_commit(session, lambda: house.processing.take(recording_id))
    after_commit(session, lambda: house.hub.announce("recordings"))

"""Releases of the pole's program: kept in the data folder, offered to the first poles, then to all.

The server cannot make one: the manifest is signed by the software key, and poles look at nothing else.
"""

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from pydantic import JsonValue
from sqlmodel import Session, col, select

from firmware_bridge.contract import envelope as dsse
from firmware_bridge.contract.base import Instant, MalformedPayload, Payload
from firmware_bridge.contract.envelope import Envelope
from firmware_bridge.contract.messages import EntryKind
from firmware_bridge.contract.software import SoftwareManifest, order_of, read_manifest
from firmware_bridge.contract.trust import Refused, Trust
from loudspeaker.audit.service import record
from loudspeaker.conductor.house import House
from loudspeaker.errors import InvalidError, NotFoundError
from loudspeaker.nodes.models import Node, NodeState
from loudspeaker.playbacks.models import JournalEntry
from loudspeaker.trust.service import held_root

SETTLES = timedelta(minutes=10)
"""How long the first poles must have run a release in good health before all others get it."""
FOLDER, FILE = "software", "release.json"


class Release(Payload):
    """The newest release and how far it has come."""

    manifest: dict[str, JsonValue]
    """The envelope."""
    first: tuple[str, ...]
    """Poles that try it."""
    published: Instant
    everywhere: Instant | None = None
    halted: str | None = None
    """The pole that gave it up."""

    @property
    def envelope(self) -> Envelope:
        """The signed manifest."""
        return dsse.from_dict(self.manifest)

    @property
    def content(self) -> SoftwareManifest:
        """What it says."""
        return SoftwareManifest.from_bytes(self.envelope.payload)

    def is_for(self, node: str) -> bool:
        """Whether it is offered to a pole now."""
        return self.halted is None and (self.everywhere is not None or node in self.first)


def publish(session: Session, house: House, signed: bytes, files: Sequence[Path], first: Sequence[str]) -> Release:
    """Offer a release to the poles `first`. Raises InvalidError when it would not be believed, or a file is not its."""
    root, held, now = held_root(session), release(house), house.now()
    try:
        envelope = dsse.decode(signed)
        if root is None:
            raise InvalidError("There is no trust root yet.")
        manifest = read_manifest(envelope, Trust(root), held.content.serial + 1 if held else 0,
                                 held.content.minimum if held else "0", now)
    except (dsse.MalformedEnvelope, Refused) as error:
        raise InvalidError("Poles would refuse this manifest: %(why)s.", why=str(error)) from error
    if not first or any(session.get(Node, one) is None for one in first):
        raise InvalidError("Name the poles that are to try it first, by their ids.")
    _take_files(house, manifest, files)
    made = Release(manifest=dsse.to_dict(envelope), first=tuple(first), published=now)
    _keep(house, made)
    record(session, now, None, "software.published", f"software:{manifest.version}", None, serial=manifest.serial,
           first=list(first))
    return made


def release(house: House) -> Release | None:
    """The newest one; None where there is none."""
    try:
        return Release.from_bytes((_folder(house) / FILE).read_bytes())
    except (FileNotFoundError, MalformedPayload):
        return None


def manifest_for(house: House, node: str) -> bytes:
    """The manifest that is offered to a pole. Raises NotFoundError."""
    held = release(house)
    if held is None or not held.is_for(node):
        raise NotFoundError
    return dsse.encode(held.envelope)


def file_of(house: House, sha256: str) -> Path:
    """A file of a release. Raises NotFoundError."""
    path = _folder(house) / sha256
    if not path.is_file():
        raise NotFoundError
    return path


def roll_out(house: House) -> Release | None:
    """Halt a release that a pole gave up; give it to all once the first poles have run it well for a while."""
    held = release(house)
    if held is None or held.halted is not None:
        return held
    with house.database.work() as session:
        gave_up, well = _told(session, held)
        if gave_up is not None:
            held = held.model_copy(update={"halted": gave_up})
        elif held.everywhere is None and house.now() - SETTLES >= well:
            held = held.model_copy(update={"everywhere": house.now()})
        else:
            return held
        _keep(house, held)
        record(session, house.now(), None, "software.halted" if held.halted else "software.everywhere",
               f"software:{held.content.version}", None, node=held.halted)
    return held


def _told(session: Session, held: Release) -> tuple[str | None, datetime]:
    """Who has given the release up, and since when all of the first poles have run it in good health."""
    version, since = held.content.version, held.published
    healthy: dict[str, datetime] = {}
    for entry in session.exec(select(JournalEntry).where(
            JournalEntry.kind == EntryKind.SOFTWARE, col(JournalEntry.received_at) >= since)):
        told = json.loads(entry.body).get("data", {})
        if told.get("result") in ("rolled_back", "failed"):
            return entry.node_id, datetime.max.replace(tzinfo=since.tzinfo)
        if told.get("result") == "healthy" and told.get("version") == version:
            healthy.setdefault(entry.node_id, entry.received_at)
    never = datetime.max.replace(tzinfo=since.tzinfo)
    for node in held.first:
        state = session.get(NodeState, node)
        if state is None or not state.online or order_of(state.firmware) != order_of(version):
            return None, never
    return None, max((healthy.get(one, never) for one in held.first), default=never)


def _take_files(house: House, manifest: SoftwareManifest, files: Sequence[Path]) -> None:
    given = {hashlib.sha256(raw).hexdigest(): raw for raw in (one.read_bytes() for one in files)}
    _folder(house).mkdir(parents=True, exist_ok=True)
    for wanted in manifest.files:
        if wanted.sha256 not in given:
            raise InvalidError("%(name)s is missing, or is not the file of the manifest.", name=wanted.name)
        (_folder(house) / wanted.sha256).write_bytes(given[wanted.sha256])


def _keep(house: House, made: Release) -> None:
    part = _folder(house) / f"{FILE}.part"
    part.write_bytes(made.to_bytes())
    part.replace(_folder(house) / FILE)


def _folder(house: House) -> Path:
    return house.settings.data / FOLDER

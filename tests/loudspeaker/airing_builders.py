"""What tests of planning and airing are made of: policies, approved recordings, programmes, and a node's words."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session

from firmware_bridge.bridge.decode import Journal, JournalLine, Message, Received
from firmware_bridge.contract import documents, keys
from firmware_bridge.contract.base import write_instant
from firmware_bridge.contract.envelope import encode
from firmware_bridge.contract.messages import FIRST_HASH, Entry, Heartbeat, Held, Hello, Presence, chain
from firmware_bridge.contract.topics import Up
from loudspeaker.broadcasts.models import Broadcast
from loudspeaker.bulletins.models import Bulletin, Recording, RecordingState
from loudspeaker.conductor.expand import add_playbacks
from loudspeaker.database import new_id
from loudspeaker.nodes.models import Node
from loudspeaker.places.models import Place, PolicyVersion
from loudspeaker.programmes.draft import DraftItem, ProgrammeDraft
from loudspeaker.programmes.models import TargetKind
from loudspeaker.programmes.poles import Target, load_poles
from loudspeaker.users.access import Actor
from tests.loudspeaker.builders import START

SITE = "xa-minh-tan"


def a_policy(session: Session, place: Place, frames: Sequence[tuple[str, str]] = (("05:00", "20:00"),), *,
             at: datetime = START, longest: int = 45, sessions: int = 10, cap: int = 90,
             version: int = 1) -> PolicyVersion:
    """A signed policy of `place`."""
    document = documents.Policy(
        site=SITE, place=place.id, version=version, issued=at,
        frames=tuple(documents.TimeFrame(start=start, end=end) for start, end in frames),
        quiet_hours=(documents.QuietHours(start="21:00", end="05:00"),), longest_session_minutes=longest,
        sessions_per_day=sessions, volume_cap=cap)
    signed = document.sign(keys.new_key())
    row = PolicyVersion(place_id=place.id, version=version, payload=signed.payload, envelope=encode(signed),
                        made_by="a", made_at=at, signed_by="b", signed_at=at)
    session.add(row)
    session.flush()
    return row


def an_approved_recording(session: Session, place: Place, author: Actor, title: str = "Tin trong xã", *,
                          seconds: float = 60, air_class: int = 0, language: str = "vi", at: datetime = START,
                          bulletin: Bulletin | None = None) -> Recording:
    """An approved recording of a bulletin of `place`."""
    if bulletin is None:
        bulletin = Bulletin(place_id=place.id, title=title, air_class=air_class, author_id=author.user.id,
                            created_at=at, changed_at=at)
        session.add(bulletin)
        session.flush()
    recording = Recording(
        bulletin_id=bulletin.id, language=language, author_id=author.user.id, state=RecordingState.APPROVED,
        deadline_at=at, sha256=(new_id().encode().hex() * 2)[:64], size_bytes=4000 * int(seconds + 1),
        duration_ms=int(seconds * 1000), created_at=at, decided_at=at)
    session.add(recording)
    session.flush()
    return recording


def a_draft(place: Place, *recordings: Recording, start: datetime, title: str = "Bản tin sáng",
            targets: Sequence[Target] = (), gap_ms: int = 1000, **rest: Any) -> ProgrammeDraft:
    """A programme of `place` for all of it (or `targets`)."""
    return ProgrammeDraft(
        place.id, title, start, tuple(DraftItem({one.language: one.id}, gap_ms) for one in recordings),
        tuple(targets) or (Target(TargetKind.PLACE, place.id),), **rest)


def a_broadcast(session: Session, place: Place, start: datetime, *nodes: Node, seconds: float = 60,
                air_class: int = 0, broadcast_id: str | None = None, title: str = "Bản tin") -> Broadcast:
    """A dated broadcast with an open playback for each node."""
    length = timedelta(seconds=seconds)
    broadcast = Broadcast(
        id=broadcast_id or new_id(), place_id=place.id, title=title, start=start,
        latest_start=start + timedelta(minutes=5), planned_end=start + length, air_class=air_class, created_at=START,
        found_by=title.casefold(),
        items=[{"id": "1", "title": title, "gap_ms": 0, "recordings": {
            "vi": {"sha256": "ab" * 32, "bytes": 4000, "duration_ms": int(seconds * 1000)}}}])
    session.add(broadcast)
    session.flush()
    poles = load_poles(session)
    add_playbacks(session, broadcast, [poles.by_id[node.id] for node in nodes], START)
    return broadcast


@dataclass
class NodeVoice:
    """A node's side of the protocol, as the bridge hands it over: it writes a journal and speaks."""

    node: str
    journal: str = "j1"
    boot: str = "b1"
    connection: int = 1
    texts: list[str] = field(default_factory=list)
    hashes: list[str] = field(default_factory=list)

    def write(self, kind: str, at: datetime, /, broadcast: str | None = None, recording: str | None = None,
              **data: Any) -> Entry:
        """One more entry of its journal."""
        told = {"seq": len(self.texts) + 1, "at": write_instant(at), "kind": kind, "data": data}
        told |= {"broadcast": broadcast} if broadcast else {}
        told |= {"recording": recording} if recording else {}
        text = json.dumps(told)
        self.hashes.append(chain(self.hashes[-1] if self.hashes else FIRST_HASH, text))
        self.texts.append(text)
        return Entry.from_bytes(text.encode())

    def played(self, broadcast: str, start: datetime, seconds: float = 60) -> None:
        """Start and end of a broadcast that went out whole."""
        length = int(seconds * 1000)
        self.write("play_start", start, broadcast, start=write_instant(start), item="1", from_ms=0, late_ms=0)
        self.write("play_end", start + timedelta(seconds=seconds), broadcast, state="played", planned_ms=length,
                   heard_ms=length, start_error_ms=3.5, peak_dbfs=-3.1, rms_dbfs=-18.0,
                   segments=[{"item": "1", "at": write_instant(start), "from_ms": 0, "to_ms": length}])

    def batch(self, first: int = 1, last: int | None = None, oldest: int | None = None) -> Journal:
        """Entries `first` to `last` (all), as a signed batch decodes."""
        last = last or len(self.texts)
        lines = tuple(JournalLine(Entry.from_bytes(self.texts[at].encode()), self.texts[at], self.hashes[at])
                      for at in range(first - 1, last))
        before = self.hashes[first - 2] if first > 1 else FIRST_HASH
        return Journal(self.journal, first, before, lines, oldest)

    def says(self, message: Message, at: datetime) -> Received:
        """A message as it comes in."""
        kind = {Journal: Up.JOURNAL, Hello: Up.HELLO, Heartbeat: Up.HEARTBEAT, Presence: Up.PRESENCE}[type(message)]
        return Received(self.node, kind, message, at)

    def hello(self, held: Held | None = None) -> Hello:
        """Its hello."""
        return Hello(boot=self.boot, connection=self.connection, journal=self.journal, last_seq=len(self.texts),
                     held=held or Held())

    def heartbeat(self, **rest: Any) -> Heartbeat:
        """Its heartbeat."""
        given: Mapping[str, Any] = {"o": (0, 0), "t": (0, 0, ""), "j": len(self.texts), **rest}
        return Heartbeat(**given)

"""The commune in which the operating pages are tried: two villages with poles, staff, and a village head."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlmodel import Session

from firmware_bridge.contract.messages import Telemetry, TimeState
from loudspeaker.conductor.ingest import ingest
from loudspeaker.database import Database
from loudspeaker.users.models import PersonalLink, Role, User
from loudspeaker.users.secrets import digest, new_secret
from tests.loudspeaker.airing_builders import NodeVoice, a_broadcast
from tests.loudspeaker.builders import START, a_client, a_commune, a_node, a_user, a_village, house_of

LATER = START + timedelta(hours=1)


class Commune:
    """The first pole has played the morning's broadcast, the second has not spoken of it."""

    def __init__(self, app: FastAPI, database: Database) -> None:
        self.app, self.database, self.house = app, database, house_of(app)
        with database.work() as session:
            self._make(session)

    def _make(self, session: Session) -> None:
        self.place = a_commune(session)
        self.place.phone = "0207 383 5123"
        session.add(self.place)
        self.villages = [a_village(session, self.place, name) for name in ("Đồng Tâm", "Tân Bắc")]
        self.nodes = [a_node(session, village, f"{village.name} 1") for village in self.villages]
        self.technician = a_user(session, Role.TECHNICIAN, self.place, "Hoàng Văn Thọ")
        self.auditor = a_user(session, Role.AUDITOR, self.place, "Phạm Thị Mai")
        self.head = a_user(session, Role.VILLAGE_HEAD, self.villages[0], "Triệu Văn Phú")
        self.morning = a_broadcast(session, self.place, START, *self.nodes, title="Bản tin sáng")
        self.voice = NodeVoice(self.nodes[0].id)
        self.voice.write("boot", START - timedelta(hours=1), firmware="0.1.0")
        self.voice.played(self.morning.id, START)
        beat = self.voice.heartbeat(m=Telemetry(offset_ms=12.0, disk_free_mb=9000, time_state=TimeState.TRUSTED))
        ingest(session, LATER, [self.voice.says(one, LATER)
                                for one in (self.voice.hello(), beat, self.voice.batch())])

    def desk(self, user: User | None = None) -> TestClient:
        """A signed-in browser, the technician's when nobody is named."""
        client = a_client(self.app, user or self.technician)
        client.headers["Accept"] = "text/html"
        return client

    def link(self, revoked: bool = False) -> str:
        """The secret of a personal link of the village head."""
        secret = new_secret()
        with self.database.work() as session:
            session.add(PersonalLink(user_id=self.head.id, token_hash=digest(secret), created_at=START,
                                     revoked_at=START if revoked else None))
        return secret

    def stranger(self) -> TestClient:
        """A phone that nobody knows."""
        client = a_client(self.app)
        client.headers["Accept"] = "text/html"
        return client

    def phone(self) -> TestClient:
        """The village head's phone, which remembers the link."""
        client = self.stranger()
        assert client.get(f"/l/{self.link()}").headers["location"] == "/village"
        return client


def hidden(page: str) -> Mapping[str, str]:
    """The hidden fields of the forms of a page."""
    return dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page))


def said(page: str) -> str:
    """What a page says, without its tags."""
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


JPEG: Any = ("photo.jpg", b"\xff\xd8\xff\xe0 a small picture \xff\xd9", "image/jpeg")

"""Recordings in a language that the approver does not speak need somebody who does."""

import base64
import json
from typing import Any

import pytest
from sqlmodel import select

from firmware_bridge.contract.documents import RecordingStatement
from loudspeaker.audit.models import AuditEntry
from loudspeaker.bulletins.models import Recording
from loudspeaker.users.models import Role, User
from tests.loudspeaker.builders import a_user
from tests.loudspeaker.commune import Commune, listen, need_owners, ready, sign

SAYS = "Mời bà con đưa trẻ đi tiêm phòng sáng thứ Bảy."


def in_hmong(commune: Commune) -> str:
    """A recording in Hmong that waits for approval."""
    recording = ready(commune)
    with commune.house.database.work() as session:
        row = session.get_one(Recording, recording)
        said = RecordingStatement.from_bytes(row.statement or b"").model_copy(update={"language": "hmn"})
        row.language, row.statement = "hmn", said.to_bytes()
        session.add(row)
    return recording


def speaks(commune: Commune, user: User, *languages: str) -> None:
    """The person says which languages they speak."""
    answer = commune.client(user).patch(f"/api/v1/users/{user.id}", json={"languages": list(languages)})
    assert answer.json()["languages"] == list(languages), answer.text


def hmong_speaker(commune: Commune, role: Role = Role.EDITOR) -> User:
    """Somebody at the commune who speaks Hmong."""
    with commune.house.database.work() as session:
        user = a_user(session, role, commune.place, "Giàng A Páo")
    speaks(commune, user, "vi", "hmn")
    return user


def confirm(commune: Commune, user: User, recording: str, says: str = SAYS) -> Any:
    """Say what it says."""
    return commune.client(user).post(f"/api/v1/recordings/{recording}/second-hearing", json={"says": says})


def test_an_approver_who_does_not_speak_it_waits_for_a_second_listener_whom_the_statement_names(
        commune: Commune) -> None:
    recording, speaker = in_hmong(commune), hmong_speaker(commune)
    listen(commune, commune.approver, recording)
    refused = sign(commune, commune.approver, recording)
    assert (refused.status_code, refused.json()["code"]) == (409, "second_listener_needed")
    (waiting,) = commune.client(speaker).get("/api/v1/second-hearings").json()
    assert waiting["recording"]["id"] == recording
    listen(commune, speaker, recording)
    assert confirm(commune, speaker, recording).status_code == 201
    assert commune.client(speaker).get("/api/v1/second-hearings").json() == []
    signed = sign(commune, commune.approver, recording)
    assert (signed.status_code, signed.json()["recording"]["state"]) == (201, "approved"), signed.text
    told = commune.client(commune.approver).get(f"/api/v1/recordings/{recording}/statement").json()
    assert RecordingStatement.from_bytes(base64.b64decode(told["payload"])).second_listener == speaker.id
    with commune.house.database.read() as session:
        (line,) = session.exec(select(AuditEntry).where(AuditEntry.act == "recording.second_hearing"))
    assert (line.actor_id, line.data) == (speaker.id, {"language": "hmn", "says": SAYS})


def test_an_approver_who_speaks_it_needs_nobody(commune: Commune) -> None:
    recording = in_hmong(commune)
    speaks(commune, commune.approver, "vi", "hmn")
    listen(commune, commune.approver, recording)
    assert sign(commune, commune.approver, recording).status_code == 201


def test_the_second_listener_is_not_the_approver_too(commune: Commune) -> None:
    recording = in_hmong(commune)
    speaks(commune, commune.second, "hmn")
    listen(commune, commune.second, recording)
    assert confirm(commune, commune.second, recording).status_code == 201
    refused = sign(commune, commune.second, recording)
    assert (refused.status_code, refused.json()["code"]) == (403, "own_confirmation")


def test_the_author_is_no_second_listener(commune: Commune) -> None:
    recording = in_hmong(commune)
    speaks(commune, commune.editor, "vi", "hmn")
    assert commune.client(commune.editor).get("/api/v1/second-hearings").json() == []
    listen(commune, commune.editor, recording)
    refused = confirm(commune, commune.editor, recording)
    assert (refused.status_code, refused.json()["code"]) == (403, "own_recording")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_confirming_takes_a_speaker_who_heard_it_all_and_says_something_once(commune: Commune) -> None:
    recording, speaker, other = in_hmong(commune), hmong_speaker(commune), hmong_speaker(commune)
    assert confirm(commune, commune.second, recording).json()["code"] == "not_spoken"
    assert confirm(commune, speaker, recording).json()["code"] == "not_heard"
    for person in (speaker, other):
        listen(commune, person, recording)
    assert confirm(commune, speaker, recording, " ").json()["field"] == "says"
    assert confirm(commune, speaker, recording, "x" * 1001).json()["field"] == "says"
    assert confirm(commune, speaker, recording).status_code == 201
    assert confirm(commune, other, recording).json()["code"] == "confirmed_already"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_signature_of_somebody_who_speaks_it_stands_for_the_second_listener(commune: Commune) -> None:
    need_owners(commune, 2, 2, 2)
    recording, speaker = in_hmong(commune), hmong_speaker(commune)
    speaks(commune, commune.approver, "vi", "hmn")
    for person in (commune.approver, commune.second, speaker):
        listen(commune, person, recording)
    assert sign(commune, commune.approver, recording).status_code == 201
    assert confirm(commune, speaker, recording).json()["code"] == "signed_already"
    assert sign(commune, commune.second, recording).json()["recording"]["state"] == "approved"


@pytest.mark.parametrize("wrong", [[], ["Vietnamese"], ["x"], [f"{one:03}" for one in range(30)]])
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_languages_are_codes_and_at_least_one(commune: Commune, wrong: list[str]) -> None:
    address = f"/api/v1/users/{commune.editor.id}"
    refused = commune.client(commune.editor).patch(address, json={"languages": wrong})
    assert (refused.status_code, json.loads(refused.content)["field"]) == (422, "languages")

"""Fills an empty installation with the sample commune, through the same services that the pages use."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlmodel import Session

from firmware_bridge.contract import envelope, keys, strictjson
from firmware_bridge.contract.documents import Policy, RecordingStatement
from loudspeaker.approvals import hearing
from loudspeaker.approvals import keys as signing_keys
from loudspeaker.approvals import service as approvals
from loudspeaker.bulletins.models import Recording, RecordingState
from loudspeaker.bulletins.service import BulletinText, create_bulletin
from loudspeaker.conductor import offline, poles, trust
from loudspeaker.conductor.brokers import brokers_of
from loudspeaker.conductor.house import House
from loudspeaker.conductor.policies import sign_policy
from loudspeaker.conductor.setup import FirstRun, set_up
from loudspeaker.conductor.speaking import speak_bulletin
from loudspeaker.demo import script
from loudspeaker.errors import UnavailableError
from loudspeaker.places import policies
from loudspeaker.places.models import Place
from loudspeaker.places.service import change_place, places_seen_by
from loudspeaker.users import service as users
from loudspeaker.users import tokens
from loudspeaker.users.access import Actor, actor_for
from loudspeaker.users.first_run import setup_code
from loudspeaker.users.models import Role, User

HEARD_BEFORE = timedelta(hours=1)
"""The sample approver has listened an hour before the demo begins."""
GAP_MS = 500


@dataclass
class Sample:
    """The commune as it was made: its place, people by login (all with `password`), and the poles' files by node id."""

    commune: Place
    villages: dict[str, Place]
    people: dict[str, User]
    password: str
    configs: dict[str, Path]
    village_head_link: str
    editor_token: str
    """Lets the demo save programmes as the sample editor."""
    approver_key: Ed25519PrivateKey
    recordings: dict[str, str]
    """Recording id by key of the script; the server speaks them once it runs."""


def make_sample(house: House, folder: Path) -> Sample:
    """Everything but the morning's programmes, in a house that processes nothing itself.

    `folder` takes the poles' configuration files.
    """
    house.processing.close()
    with house.database.work() as session:
        authority = offline.install_new_keys(session, house)
    house.broker = brokers_of(house)
    password = f"loa-{secrets.token_hex(3)}-{secrets.token_hex(3)}"
    commune, people = _set_up(house, password)
    with house.database.work() as session:
        admin = acting(session, house, people["quantri"])
        villages = {place.name: place for place in places_seen_by(session, admin) if place.id != commune.id}
        for village in script.VILLAGES:
            latitude, longitude = village.where
            change_place(session, admin, house.now(), villages[village.name].id, latitude=latitude,
                         longitude=longitude)
        configs = dict(_add_poles(session, house, admin, villages, folder))
        link = _village_head(session, house, admin, villages["Đồng Tâm"])
    key = make_signing_key(house, people, commune, authority)
    open_all_day(house, people["lanh"], commune, key)
    recordings = _recordings(house, people["hoa"], commune)
    with house.database.work() as session:
        _, token = tokens.make_token(session, acting(session, house, people["hoa"]), house.now(), "demo")
    return Sample(commune, villages, people, password, configs, link, token, key, recordings)


def morning_programmes(sample: Sample, begins: datetime) -> list[dict[str, Any]]:
    """The morning's programmes as the API takes them, the first at `begins`."""
    everywhere = [{"kind": "place", "id": sample.commune.id}]
    return [{
        "place_id": sample.commune.id, "title": slot.title, "air_class": slot.air_class,
        "first_start": (begins + timedelta(seconds=slot.after_s)).isoformat(),
        "items": [{"recordings": {"vi": sample.recordings[piece]}, "gap_ms": GAP_MS} for piece in slot.pieces],
        "targets": [{"kind": "place", "id": sample.villages[name].id} for name in slot.villages] or everywhere,
    } for slot in script.MORNING]


def approve_all(house: House, sample: Sample) -> bool:
    """Approve every piece as the sample approver; False while the server still speaks or levels one of them.

    Raises UnavailableError when one has failed.
    """
    with house.database.work() as session:
        found = [session.get_one(Recording, one) for one in sample.recordings.values()]
        if any(one.state == RecordingState.PROCESSING for one in found):
            return False
        actor = acting(session, house, sample.people["lanh"])
        for recording in found:
            approve_one(session, actor, house.now(), recording, sample.approver_key)
    return True


def _set_up(house: House, password: str) -> tuple[Place, dict[str, User]]:
    with house.database.read() as session:
        house.setup_code = setup_code(session)
    first, *others = script.PEOPLE
    villages = "\n".join(village.name for village in script.VILLAGES)
    commune, admin = set_up(house, house.setup_code or "", FirstRun(
        script.COMMUNE, script.IDENTIFIER, first.name, first.login, password, villages, script.PHONE))
    people = {first.login: admin}
    with house.database.work() as session:
        for person in others:
            people[person.login] = users.create_user(
                session, acting(session, house, admin), house.now(), person.name, Role(person.role), commune.id,
                person.login, password, script.PHONE)
    return commune, people


def _add_poles(session: Session, house: House, admin: Actor, villages: dict[str, Place],
               folder: Path) -> Iterable[tuple[str, Path]]:
    for village in script.VILLAGES:
        for pole in village.poles:
            made = poles.add_node(session, house, admin, villages[village.name].id, pole.name, location=pole.location)
            path = folder / made.filename
            path.write_text(made.config)
            path.chmod(0o600)
            yield made.node.id, path


def _village_head(session: Session, house: House, admin: Actor, village: Place) -> str:
    head = users.create_user(session, admin, house.now(), "Triệu Văn Phú", Role.VILLAGE_HEAD, village.id,
                             phone=script.PHONE)
    _, secret = tokens.make_link(session, acting(session, house, users.user_to_see(session, admin, admin.user.id)),
                                 house.now(), head.id)
    return f"/l/{secret}"


def make_signing_key(house: House, people: dict[str, User], commune: Place,
                     authority: Ed25519PrivateKey) -> Ed25519PrivateKey:
    """A signing key of `lanh`, proposed by `quantri` and listed by the place authority."""
    key = keys.new_key()
    public = keys.public_to_base64(key)
    with house.database.work() as session:
        approver = acting(session, house, people["lanh"])
        said = strictjson.dumps({"user": approver.user.id, "public_key": public})
        proof = envelope.to_dict(envelope.sign(signing_keys.PROOF_TYPE, said, key))
        made = signing_keys.register_key(session, approver, house.now(), signing_keys.NewKey(public, proof))
        trust.propose_key(session, house, acting(session, house, people["quantri"]), made.id, commune.id)
        offline.sign_list(session, house, authority)
    return key


def open_all_day(house: House, approver: User, commune: Place, key: Ed25519PrivateKey) -> None:
    """The sample's own policy, so that the demo works at any hour: open all day, many sessions."""
    fields = {"frames": [{"start": "00:00", "end": "24:00"}], "quiet_hours": [], "longest_session_minutes": 24 * 60,
              "sessions_per_day": 1000, "volume_cap": 100}
    with house.database.work() as session:
        actor = acting(session, house, approver)
        draft = policies.propose(session, actor, house.now(), house.site, commune.id, fields)
        signed = envelope.sign(Policy.TYPE, draft.payload, key)
        sign_policy(session, house, actor, commune.id, envelope.to_dict(signed))


def _recordings(house: House, editor: User, commune: Place) -> dict[str, str]:
    """Every piece as a bulletin that waits to be spoken by the machine."""
    made: dict[str, str] = {}
    with house.database.work() as session:
        actor = acting(session, house, editor)
        for piece in script.PIECES:
            text = BulletinText(piece.title, piece.kind, "Bầu cử", piece.air_class, piece.text)
            bulletin = create_bulletin(session, actor, house.now(), commune.id, text)
            made[piece.key] = speak_bulletin(session, house, actor, house.now(), bulletin.id,
                                             with_chime=piece.key == "greeting").id
    return made


def approve_one(session: Session, actor: Actor, now: datetime, recording: Recording, key: Ed25519PrivateKey) -> None:
    """Hear a recording to its end and sign it. Raises UnavailableError when it is not ready."""
    if recording.duration_ms is None or recording.statement is None:
        raise UnavailableError("The sample bulletins could not be spoken: %(why)s.",
                               why=recording.error_code or recording.state)
    hearing.open_hearing(session, actor, now - HEARD_BEFORE, recording)
    hearing.note_heard(session, actor, now, recording.id, [(0, recording.duration_ms)])
    signed = envelope.sign(RecordingStatement.TYPE, recording.statement, key)
    approvals.approve(session, actor, now, recording.id, envelope.to_dict(signed))


def acting(session: Session, house: House, user: User) -> Actor:
    """`user`, acting now."""
    return actor_for(session, user, house.now())

"""What gives the pages of the sample commune something to show: an airing, faults, a group, bulletins that wait."""

import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import imageio_ffmpeg
from sqlmodel import Session, col, select

from loudspeaker.approvals import service as approvals
from loudspeaker.bulletins.models import Recording, RecordingState
from loudspeaker.bulletins.service import BulletinText, create_bulletin
from loudspeaker.conductor.house import House
from loudspeaker.conductor.reporting import take_report
from loudspeaker.demo.sample import Sample, morning_programmes
from loudspeaker.faults import service as faults
from loudspeaker.faults.models import FaultKind
from loudspeaker.nodes.models import Node
from loudspeaker.nodes.zones import save_zone
from loudspeaker.playbacks.models import Playback
from loudspeaker.programmes.models import Programme
from loudspeaker.users.access import Actor, actor_for
from loudspeaker.users.models import User
from tests.system.commune import Commune, until

LONG_TITLE = "Thông báo về việc tiêm phòng cho đàn gia súc, gia cầm vụ xuân hè và vệ sinh chuồng trại tại các thôn bản"


@dataclass(frozen=True)
class Here:
    """What addresses name in one commune."""

    ids: dict[str, str]

    def address(self, template: str) -> str:
        return template.format(**self.ids)


def live_a_little(commune: Commune, sample: Sample, house: House) -> Here:
    """Air the morning at two poles, report faults, write what waits and what came back; the ids that pages need."""
    ids = _write_bulletins(commune, sample, house) | _group(sample, house)
    for name in list(sample.configs)[:2]:
        commune.start_pole(sample.configs[name])
    ids |= _report_faults(sample, house)
    _plan_the_morning(commune, sample)
    until("something airs", lambda: _airs(house), 40)
    with house.database.read() as session:
        playback = session.exec(select(Playback).where(col(Playback.started_at).is_not(None))).first()
        assert playback
        node = session.get_one(Node, playback.node_id)
        programme = session.exec(select(Programme).order_by(col(Programme.first_start))).first()
        assert programme
        return Here(ids | {
            "node": node.id, "sticker": node.sticker, "broadcast": playback.broadcast_id, "programme": programme.id,
            "commune": sample.commune.id,
            "head_node": _node_of(session, sample, "Đồng Tâm").id,
            "village": next(iter(sample.villages.values())).id,
            "person": sample.people["lanh"].id, "link": sample.village_head_link.removeprefix("/l/")})


def acting(session: Session, house: House, user: User) -> Actor:
    return actor_for(session, user, house.now())


def photo() -> bytes:
    """A small picture, as a phone sends it."""
    drawn = ("-f", "lavfi", "-i", "testsrc=size=640x480", "-frames:v", "1", "-f", "mjpeg", "-")
    return subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", *drawn], check=True,
                          capture_output=True).stdout


def _write_bulletins(commune: Commune, sample: Sample, house: House) -> dict[str, str]:
    """One bulletin that waits for approval, one without a recording, one that was sent back, one approved."""
    made: dict[str, str] = {}
    with house.database.work() as session:
        editor = acting(session, house, sample.people["hoa"])
        for name in ("waiting", "bare", "refused"):
            text = BulletinText(LONG_TITLE, "notice", "Nông nghiệp", 0, "Tiêm phòng vào ngày mười lăm tháng ba.")
            made[name] = create_bulletin(session, editor, house.now(), sample.commune.id, text).id
    for name in ("waiting", "refused"):
        made[f"{name}_recording"] = _post(commune, sample, f"/bulletins/{made[name]}/speak", {})["id"]
    until("it is spoken", lambda: _is_spoken(house, made["refused_recording"]) and _is_spoken(
        house, made["waiting_recording"]), 60)
    with house.database.work() as session:
        approver = acting(session, house, sample.people["lanh"])
        approvals.send_back(session, approver, house.now(), made["refused_recording"],
                            "Nhầm ngày: phải là ngày mười sáu.")
        made["approved"] = session.get_one(Recording, sample.recordings["call"]).bulletin_id
        made["approved_recording"] = sample.recordings["call"]
    return made


def _group(sample: Sample, house: House) -> dict[str, str]:
    with house.database.work() as session:
        admin = acting(session, house, sample.people["quantri"])
        nodes = list(sample.configs)[:3]
        zone = save_zone(session, admin, house.now(), sample.commune.id, "Cụm loa khu chợ và bến xe", nodes)
        return {"zone": zone.id}


def _report_faults(sample: Sample, house: House) -> dict[str, str]:
    """One that nobody has taken, one that was taken, one that was closed; the open one with a photo."""
    made = {}
    with house.database.work() as session:
        technician = acting(session, house, sample.people["tho"])
        kinds = {"open": FaultKind.NO_SOUND, "taken": FaultKind.NOISE, "closed": FaultKind.DAMAGE}
        for (name, kind), node in zip(kinds.items(), sample.configs, strict=False):
            given = faults.Report(kind, node, None, "Loa bên trái không kêu từ tối hôm qua, sau trận mưa to.")
            made[f"{name}_fault"] = faults.report(session, technician, house.now(), given).id
        faults.take(session, technician, house.now(), made["taken_fault"])
        faults.add_note(session, technician, house.now(), made["taken_fault"], "Sáng mai mang dây lên thay.")
        faults.close(session, technician, house.now(), made["closed_fault"], "Đã thay dây loa và nghe thử.")
        here = _node_of(session, sample, "Đồng Tâm")
        head = session.exec(select(User).where(User.name == "Triệu Văn Phú")).one()
        given = faults.Report(FaultKind.NO_SOUND, here.id, None, "Loa không kêu")
        made["own_fault"] = take_report(session, house, acting(session, house, head), house.now(), given, photo()).id
    return made


def _node_of(session: Session, sample: Sample, village: str) -> Node:
    found = session.exec(select(Node).where(Node.place_id == sample.villages[village].id)).first()
    assert found
    return found


def _plan_the_morning(commune: Commune, sample: Sample) -> None:
    begins = datetime.now(UTC) + timedelta(seconds=12)
    tomorrow = begins.replace(hour=5, minute=30, second=0, microsecond=0) + timedelta(days=1)
    morning = morning_programmes(sample, begins.replace(microsecond=0))
    daily = morning[0] | {"title": LONG_TITLE, "first_start": tomorrow.isoformat(),
                          "rrule": "FREQ=WEEKLY;BYDAY=MO,WE,FR,SU"}
    for programme in (*morning, daily):
        _post(commune, sample, "/programmes", programme)


def _post(commune: Commune, sample: Sample, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """Ask the server as the sample editor, so that it acts at once."""
    headers = {"Authorization": f"Bearer {sample.editor_token}"}
    with httpx2.Client(base_url=f"{commune.url}/api/v1", headers=headers, trust_env=False, timeout=30.0) as client:
        answer = client.post(path, json=body)
        assert answer.is_success, answer.text
        return dict(answer.json())


def _is_spoken(house: House, recording: str) -> bool:
    with house.database.read() as session:
        return session.get_one(Recording, recording).state == RecordingState.READY


def _airs(house: House) -> bool:
    with house.database.read() as session:
        return session.exec(select(Playback).where(col(Playback.started_at).is_not(None))).first() is not None

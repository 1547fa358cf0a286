"""Faults on their pages: seen, taken, noted, closed with a reason."""

import pytest
from fastapi import FastAPI

from loudspeaker.database import Database
from loudspeaker.faults.models import Fault, FaultKind, FaultState
from loudspeaker.faults.service import Report, report
from loudspeaker.faults.system import Finding, open_faults
from loudspeaker.users.access import actor_for
from tests.loudspeaker.builders import SetClock
from tests.loudspeaker.web.operating import LATER, Commune, said


@pytest.fixture
def commune(app: FastAPI, database: Database, clock: SetClock) -> Commune:
    clock.at = LATER
    return Commune(app, database)


@pytest.fixture
def fault(commune: Commune) -> Fault:
    """What the village head reported."""
    with commune.database.work() as session:
        head = actor_for(session, commune.head, LATER)
        return report(session, head, LATER, Report(FaultKind.NOISE, commune.nodes[0].id, note="Rè từ sáng <b>"))


def test_an_empty_board_says_that_nothing_waits(commune: Commune) -> None:
    assert "Không có việc chờ" in said(commune.desk().get("/faults").text)


def test_a_fault_goes_from_open_over_taken_to_closed(commune: Commune, fault: Fault) -> None:
    desk = commune.desk()
    board = said(desk.get("/faults").text)
    assert "Chưa có người nhận 1" in board
    assert "rè, nhiễu" in board
    page = desk.get(f"/faults/{fault.id}").text
    assert "Rè từ sáng &lt;b&gt;" in page
    assert "Triệu Văn Phú" in page
    desk.post(f"/faults/{fault.id}/take")
    assert "Đang xử lý 1" in said(desk.get("/faults").text)
    desk.post(f"/faults/{fault.id}/note", data={"text": "Đang thay dây"})
    assert "Đang thay dây" in desk.get(f"/faults/{fault.id}").text
    refused = desk.post(f"/faults/{fault.id}/close", data={"reason": "  "})
    assert refused.status_code == 422
    assert desk.post(f"/faults/{fault.id}/close", data={"reason": "Đã thay dây, nghe rõ"}).status_code == 303
    assert "Đã đóng trong 7 ngày qua 1" in said(desk.get("/faults").text)
    closed = desk.get(f"/faults/{fault.id}").text
    assert "Đã thay dây, nghe rõ" in closed
    assert f"/faults/{fault.id}/close" not in closed
    assert desk.post(f"/faults/{fault.id}/take").status_code == 409


def test_a_security_event_is_told_in_words_with_its_count(commune: Commune) -> None:
    with commune.database.work() as session:
        finding = Finding(FaultKind.SECURITY, commune.villages[0].id, commune.nodes[0].id, "foreign_key", "order")
        made = open_faults(session, LATER, [finding, finding])[0]
    page = said(commune.desk().get(f"/faults/{made.id}").text)
    assert "2 lần" in page
    assert "Cụm loa không phát gì" in page


def test_faults_of_one_pole_or_place_are_picked_out(commune: Commune, fault: Fault) -> None:
    desk = commune.desk()
    assert fault.id in desk.get("/faults", params={"node": commune.nodes[0].id}).text
    assert fault.id not in desk.get("/faults", params={"node": commune.nodes[1].id}).text
    assert fault.id not in desk.get("/faults", params={"place": commune.villages[1].id}).text


def test_an_auditor_reads_and_does_not_close(commune: Commune, fault: Fault) -> None:
    desk = commune.desk(commune.auditor)
    assert f"/faults/{fault.id}/take" not in desk.get(f"/faults/{fault.id}").text
    assert desk.post(f"/faults/{fault.id}/close", data={"reason": "x"}).status_code == 403
    with commune.database.read() as session:
        assert session.get_one(Fault, fault.id).state == FaultState.OPEN

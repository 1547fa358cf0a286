"""Cards, tables of poles and controllers as the technician sees them."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from fastapi import FastAPI
from sqlmodel import select

from firmware_bridge.bridge.broker import MemoryBroker, server_user
from firmware_bridge.bridge.decode import Received
from firmware_bridge.contract.messages import Hello
from firmware_bridge.contract.topics import Up
from loudspeaker.conductor.clones import CLONE
from loudspeaker.conductor.ingest import ingest
from loudspeaker.database import Database
from loudspeaker.faults.models import Fault, FaultKind
from loudspeaker.nodes.models import EnrolmentToken, Node
from tests.loudspeaker.builders import SetClock
from tests.loudspeaker.web.operating import LATER, Commune, said

TABLE = "Tên;Thôn;Vị trí\nLoa mới 1;{first};Cạnh đình\nLoa mới 2;{second};\n"


@pytest.fixture
def commune(app: FastAPI, database: Database, clock: SetClock) -> Iterator[Commune]:
    clock.at = LATER
    made = Commune(app, database)
    broker = made.house.broker = MemoryBroker(made.house.site)
    made.house.broker_login = server_user()
    broker.start()
    yield made
    broker.stop()


def table(commune: Commune) -> str:
    return TABLE.format(first=commune.villages[0].name, second=commune.villages[1].name)


def names(database: Database) -> set[str]:
    with database.read() as session:
        return set(session.exec(select(Node.name)))


def test_a_table_is_looked_at_before_anything_is_added(commune: Commune, database: Database) -> None:
    desk = commune.desk()
    before = names(database)
    file = ("\ufeff" + table(commune)).encode()
    page = desk.post("/nodes/import", files={"file": ("loa.csv", file, "text/csv")}, data={"text": ""})
    assert page.status_code == 200
    assert "Sẽ thêm các cụm loa sau" in said(page.text)
    assert "Loa mới 2" in said(page.text)
    assert names(database) == before
    answer = desk.post("/nodes/import/create", data={"text": table(commune), "hours": "168"})
    assert answer.status_code == 303
    assert names(database) == before | {"Loa mới 1", "Loa mới 2"}
    cards = said(desk.get(answer.headers["location"]).text)
    assert "Loa mới 1" in cards
    assert cards.count("loudspeaker-node enrol") == 2
    with database.read() as session:
        assert {one.expires_at for one in session.exec(select(EnrolmentToken))} == {LATER + timedelta(days=7)}


def test_a_table_with_mistakes_adds_nothing_and_names_every_line(commune: Commune, database: Database) -> None:
    desk, before = commune.desk(), names(database)
    wrong = table(commune) + "Loa mới 1;" + commune.villages[0].name + "\n;Nơi nào\n"
    for path in ("/nodes/import", "/nodes/import/create"):
        page = desk.post(path, data={"text": wrong})
        assert page.status_code == 422
        words = said(page.text)
        assert "“Loa mới 1” đã có ở dòng 2." in words
        assert "Thiếu tên cụm loa." in words
        assert "Không có địa bàn “Nơi nào”" in words
        assert "Loa mới 2;" in page.text, "what was pasted is there to be corrected"
    assert names(database) == before
    page = desk.post("/nodes/import", files={"file": ("loa.xlsx", b"PK\x03\x04\x00\x00", "application/zip")})
    assert page.status_code == 422
    assert "Không đọc được bảng" in said(page.text)


def test_who_may_add_no_pole_brings_no_table(commune: Commune, database: Database) -> None:
    desk, before = commune.desk(commune.auditor), names(database)
    assert desk.get("/nodes/import").status_code == 403
    assert desk.post("/nodes/import", data={"text": table(commune)}).status_code == 403
    assert desk.post("/nodes/import/create", data={"text": table(commune)}).status_code in (403, 422)
    assert names(database) == before


def test_the_example_opens_in_a_spreadsheet(commune: Commune) -> None:
    answer = commune.desk().get("/nodes/import/template.csv")
    assert answer.content.startswith("\ufeffTên cụm loa;Thôn".encode())
    assert "attachment" in answer.headers["content-disposition"]


def test_the_controller_page_tells_where_a_pole_stands_and_what_can_be_done(
        commune: Commune, clock: SetClock) -> None:
    desk, node = commune.desk(), commune.nodes[0]
    page = f"/nodes/{node.id}/controller"
    assert "đã lắp đặt" in said(desk.get(page).text)
    made = desk.post(f"{page}/token", data={"hours": "24"})
    assert "/nodes/cards" in made.headers["location"]
    assert node.name in desk.get(made.headers["location"]).text
    waiting = said(desk.get(page).text)
    assert "chờ lắp bộ điều khiển" in waiting
    assert "Hủy thẻ" in waiting
    clock.forward(timedelta(hours=25))
    desk = commune.desk()
    assert "đã lắp đặt" in said(desk.get(page).text), "the old one goes on"
    desk.post(f"{page}/token", data={"hours": "24"})
    assert "Thẻ không còn dùng được" in said(desk.get(desk.post(f"{page}/cancel").headers["location"]).text)
    assert desk.post(f"{page}/token", data={"hours": "0"}).status_code == 422
    assert desk.post(f"{page}/token", data={"hours": "x"}).status_code == 422


def test_credentials_are_replaced_and_cut_off_from_the_page(commune: Commune) -> None:
    desk, node = commune.desk(), commune.nodes[0]
    page = f"/nodes/{node.id}/controller"
    answer = desk.post(f"{page}/replace")
    assert "lấy mật khẩu kết nối mới" in said(desk.get(answer.headers["location"]).text)
    assert "chưa được dùng" in said(desk.get(page).text)
    assert "Ask for news" in desk.get(f"/nodes/{node.id}", params={"lang": "en"}).text, "it was told"
    desk.cookies.delete("lang")
    answer = desk.post(f"{page}/revoke")
    words = said(desk.get(answer.headers["location"]).text)
    assert "Đã chặn bộ điều khiển" in words
    assert "đã chặn" in words
    assert "Thay mật khẩu kết nối" not in words
    assert desk.post(f"{page}/replace").status_code == 409


def test_a_copied_controller_is_named_with_what_to_do(commune: Commune, database: Database) -> None:
    node = commune.nodes[0]
    with database.work() as session:
        ingest(session, LATER, [
            Received(node.id, Up.HELLO, Hello(boot=boot, connection=number, journal="j1"), LATER)
            for number in (5, 6) for boot in ("a", "b")])
    with database.read() as session:
        found = session.exec(select(Fault).where(Fault.kind == FaultKind.SECURITY)).all()
    fault = next(one for one in found if one.data.get("reason") == CLONE)
    words = said(commune.desk().get(f"/faults/{fault.id}").text)
    assert "Có hai bộ điều khiển thay nhau xưng tên cụm loa này" in words
    assert "Chặn cụm loa ở trang bộ điều khiển của nó" in words

"""The pages of nodes: finding one, seeing how it is, adding, commanding, stopping, taking it down."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from fastapi import FastAPI
from sqlmodel import select

from firmware_bridge.bridge.broker import MemoryBroker, server_user
from firmware_bridge.contract.token import Token
from loudspeaker.database import Database
from loudspeaker.nodes.models import Node, NodeState
from loudspeaker.orders.models import CommandAnswer, CommandSent, Order, Stop
from loudspeaker.versions import next_version
from loudspeaker.web.charts import line_chart
from tests.loudspeaker.builders import START, SetClock
from tests.loudspeaker.web.operating import LATER, Commune, said


@pytest.fixture
def commune(app: FastAPI, database: Database, clock: SetClock) -> Iterator[Commune]:
    clock.at = LATER
    made = Commune(app, database)
    broker = made.house.broker = MemoryBroker(made.house.site)
    made.house.broker_login = server_user()
    broker.start()
    yield made
    broker.stop()


def test_the_list_shows_state_by_word_and_narrows_by_place_and_state(commune: Commune) -> None:
    page = said(commune.desk().get("/nodes").text)
    assert "2 cụm loa đang sử dụng" in page
    assert "hoạt động" in page
    assert "chưa kết nối lần nào" in page
    of_first = commune.desk().get("/nodes", params={"place": commune.villages[0].id}).text
    assert f"/nodes/{commune.nodes[0].id}" in of_first
    assert f"/nodes/{commune.nodes[1].id}" not in of_first
    offline = commune.desk().get("/nodes", params={"state": "offline"}).text
    assert "Không có cụm loa nào phù hợp" in offline
    assert commune.desk().get("/nodes", params={"state": "nonsense", "page": -3}).status_code == 200


def test_a_node_that_does_not_hold_its_newest_order_waits_for_it(commune: Commune) -> None:
    with commune.database.work() as session:
        session.add(Order(node_id=commune.nodes[0].id, epoch=1, version=next_version(0, START), content_hash="",
                          envelope=b"", issued=START, expires=START + timedelta(days=8)))
    page = said(commune.desk().get("/nodes").text)
    assert "chờ nạp lịch" in page
    assert "đã nạp –, mới nhất 08:00:00 02/03" in page


def test_an_empty_commune_is_told_what_a_node_is(commune: Commune) -> None:
    with commune.database.work() as session:
        for state in session.exec(select(NodeState)):
            session.delete(state)
    page = commune.desk().get("/nodes").text
    assert "Thêm cụm loa đầu tiên" in page or "/nodes/new" in page
    assert "một thẻ để lắp bộ điều khiển" in said(page)


def test_the_page_of_a_pole_tells_what_it_did_and_carries_its_sticker(commune: Commune) -> None:
    node = commune.nodes[0]
    page = commune.desk().get(f"/nodes/{node.id}").text
    words = said(page)
    assert "Khởi động, phiên bản 0.1.0." in words
    assert "Kết thúc: đã phát, loa đã phát 1 phút." in words
    assert "12 ms" in words
    assert f"/s/{node.sticker}" in page
    assert "data:image/svg+xml" in page


def test_adding_a_node_gives_a_card_for_its_controller_to_who_added_it(commune: Commune) -> None:
    desk = commune.desk()
    answer = desk.post("/nodes/new", data={"place_id": commune.villages[0].id, "name": "Đồng Tâm 2", "volume": "70"})
    assert answer.status_code == 303
    page = desk.get(answer.headers["location"]).text
    assert "loudspeaker-node enrol --token -" in page
    written = page.split('<p class="num token">')[1].split("</p>")[0]
    token = Token.from_text(written.replace("<br>", " "))
    assert token.server == commune.house.public_url
    other = commune.desk(commune.auditor).get(answer.headers["location"])
    assert "Không hiện lại được thẻ nữa" in said(other.text)
    assert "Đã thêm Đồng Tâm 2" not in said(other.text)


def test_cards_are_forgotten_after_an_hour(commune: Commune, clock: SetClock) -> None:
    desk = commune.desk()
    at = desk.post("/nodes/new", data={"place_id": commune.villages[0].id, "name": "Đồng Tâm 2"}).headers["location"]
    assert "Đồng Tâm 2" in desk.get(at).text
    clock.forward(timedelta(minutes=61))
    assert "Không hiện lại được thẻ nữa" in said(desk.get(at).text)


def test_a_wrong_field_comes_back_with_what_was_typed(commune: Commune) -> None:
    answer = commune.desk().post("/nodes/new", data={"place_id": commune.villages[0].id, "name": "Cụm mới",
                                                     "latitude": "ở đình", "volume": "70"})
    assert answer.status_code == 422
    assert 'value="Cụm mới"' in answer.text
    assert "Tọa độ" in said(answer.text)
    twice = commune.desk().post("/nodes/new", data={"place_id": commune.villages[0].id,
                                                    "name": commune.nodes[0].name})
    assert twice.status_code == 409


def test_moving_a_pole_says_that_its_controller_must_be_installed_anew(commune: Commune) -> None:
    node, desk = commune.nodes[0], commune.desk()
    assert f'value="{node.name}"' in desk.get(f"/nodes/{node.id}/edit").text
    moved = desk.post(f"/nodes/{node.id}/edit", data={"name": "Chợ", "place_id": commune.villages[1].id,
                                                      "volume": "60"})
    assert moved.status_code == 303
    assert "lắp đặt lại bộ điều khiển" in said(desk.get(moved.headers["location"]).text)
    with commune.database.read() as session:
        assert session.get_one(Node, node.id).place_id == commune.villages[1].id


def test_a_command_is_sent_and_its_answer_shown(commune: Commune) -> None:
    node, desk = commune.nodes[0], commune.desk()
    assert desk.post(f"/nodes/{node.id}/commands", data={"kind": "self_test"}).status_code == 303
    assert "chưa trả lời" in said(desk.get(f"/nodes/{node.id}").text)
    with commune.database.work() as session:
        command = session.exec(select(CommandSent)).one()
        session.add(CommandAnswer(command_id=command.id, node_id=node.id, result="failed", at=LATER,
                                  data={"checks": {"disk": False}}))
    page = said(desk.get(f"/nodes/{node.id}").text)
    assert "ghi được vào bộ nhớ: không" in page
    assert desk.post(f"/nodes/{node.id}/commands", data={"kind": "stop"}).status_code == 422
    assert desk.post(f"/nodes/{node.id}/commands", data={"kind": "volume", "volume": "loud"}).status_code == 422


def test_a_pole_is_stopped_and_let_speak_again_without_the_others(commune: Commune) -> None:
    node, desk = commune.nodes[0], commune.desk()
    desk.post(f"/nodes/{node.id}/stop", data={"active": "1"})
    page = desk.get(f"/nodes/{node.id}").text
    assert "đang bị dừng" in said(page)
    assert "/stop" in page
    other = said(desk.get(f"/nodes/{commune.nodes[1].id}").text)
    assert "đang bị dừng" not in other
    assert "Đã dừng toàn bộ" not in other
    desk.post(f"/nodes/{node.id}/stop", data={"active": "0"})
    with commune.database.read() as session:
        assert not session.get_one(Stop, f"node:{node.id}").active


def test_taking_a_pole_down_asks_for_its_name(commune: Commune) -> None:
    node, desk = commune.nodes[0], commune.desk()
    refused = desk.post(f"/nodes/{node.id}/retire", data={"confirmation": "yes"})
    assert refused.status_code == 422
    assert desk.post(f"/nodes/{node.id}/retire", data={"confirmation": "dong tam 1"}).status_code == 303
    assert f"/nodes/{node.id}" not in desk.get("/nodes").text
    assert f"/nodes/{node.id}" in desk.get("/nodes", params={"state": "retired"}).text
    assert desk.get(f"/nodes/{node.id}").status_code == 200


def test_an_auditor_sees_everything_and_changes_nothing(commune: Commune) -> None:
    node, desk = commune.nodes[0], commune.desk(commune.auditor)
    page = desk.get(f"/nodes/{node.id}").text
    assert f"/nodes/{node.id}/edit" not in page
    assert f"/nodes/{node.id}/stop" not in page
    for path, data in (("commands", {"kind": "sync"}), ("stop", {"active": "1"}), ("controller/token", {}),
                       ("controller/cancel", {}), ("controller/replace", {}), ("controller/revoke", {}),
                       ("retire", {"confirmation": node.name})):
        assert desk.post(f"/nodes/{node.id}/{path}", data=data).status_code == 403
    assert desk.post("/nodes/new", data={"place_id": commune.place.id, "name": "x"}).status_code == 403


def test_a_chart_is_broken_where_nothing_was_measured() -> None:
    points = [(START + timedelta(minutes=5 * at), float(at)) for at in (0, 1, 2, 20, 21)]
    chart = line_chart(points, START, START + timedelta(hours=6))
    assert chart is not None
    assert (chart.low, chart.high, chart.last) == (0.0, 21.0, 21.0)
    assert chart.path.count("M") == 2
    assert line_chart([(START, None)], START, LATER) is None


def test_a_link_is_limited_and_what_makes_no_sense_is_said_beside_its_field(commune: Commune) -> None:
    node = commune.nodes[0].id
    desk = commune.desk()
    answer = desk.post(f"/nodes/{node}/link", data={"mb_a_day": "40", "hours": "22:00-04:30, 12:00–13:00"})
    assert answer.status_code == 303, answer.text
    page = said(desk.get(f"/nodes/{node}").text)
    assert "22:00-04:30, 12:00-13:00" in desk.get(f"/nodes/{node}").text
    assert "Đường truyền 4G" in page
    wrong = desk.post(f"/nodes/{node}/link", data={"mb_a_day": "much", "hours": ""})
    assert "Giới hạn là số megabyte mỗi ngày" in said(wrong.text)
    wrong = desk.post(f"/nodes/{node}/link", data={"mb_a_day": "", "hours": "all night"})
    assert "Giờ được ghi như 22:00 đến 04:30" in said(wrong.text)

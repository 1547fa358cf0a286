"""The as-run log on its pages: filtered in the address, paged, exported, and traced to its evidence."""

from datetime import timedelta

import pytest
from fastapi import FastAPI

from loudspeaker.database import Database
from loudspeaker.playbacks.models import Playback, PlaybackState
from tests.loudspeaker.airing_builders import a_broadcast
from tests.loudspeaker.builders import START, SetClock, a_client, a_user
from tests.loudspeaker.web.operating import LATER, Commune, said


@pytest.fixture
def commune(app: FastAPI, database: Database, clock: SetClock) -> Commune:
    clock.at = LATER
    return Commune(app, database)


def test_the_log_tells_what_each_pole_did_in_words(commune: Commune) -> None:
    page = said(commune.desk().get("/log").text)
    assert "2 lượt" in page
    assert "đã phát" in page
    assert "chờ cụm loa báo về" in page
    assert "02/03/2026 08:00:00" in page


def test_what_is_still_to_come_is_no_log(commune: Commune) -> None:
    with commune.database.work() as session:
        tomorrow = a_broadcast(session, commune.place, START + timedelta(days=1), *commune.nodes, title="Ngày mai")
    assert "Ngày mai" not in commune.desk().get("/log").text
    assert "Ngày mai" not in commune.desk().get("/log", params={"until": "2026-03-09"}).text
    assert "Ngày mai" in commune.desk().get("/log", params={"broadcast": tomorrow.id}).text


def test_each_filter_narrows_and_stays_in_the_address(commune: Commune) -> None:
    desk = commune.desk()
    for narrow, rows in (({"place": commune.villages[0].id}, 1), ({"node": commune.nodes[1].id}, 1),
                         ({"title": "sÁNG"}, 2), ({"title": "sau"}, 0), ({"air_class": "2"}, 0),
                         ({"state": "played"}, 1), ({"since": "2026-03-02", "until": "2026-03-02"}, 2),
                         ({"until": "2026-03-01"}, 0), ({"state": "nonsense", "since": "x", "air_class": "9"}, 2)):
        page = desk.get("/log", params=narrow).text
        assert page.count('<td data-label="Giờ phát theo lịch"') == rows, narrow
        wanted = {"place": "place_id=", "node": "node_id=", "title": "title=s"}
        for name, exported in wanted.items():
            assert (exported in page) == (name in narrow)


def test_the_export_holds_what_the_page_shows(commune: Commune) -> None:
    desk = commune.desk()
    page = desk.get("/log", params={"state": "played", "title": "sáng"}).text
    link = page.split('href="/api/v1/playbacks/export.csv?')[1].split('"')[0].replace("&amp;", "&")
    lines = desk.get(f"/api/v1/playbacks/export.csv?{link}").text.strip().splitlines()
    assert len(lines) == 3  # the last is the seal of the logs
    assert "Đồng Tâm 1" in lines[1]


def test_many_rows_are_paged(commune: Commune) -> None:
    with commune.database.work() as session:
        for minute in range(51):
            a_broadcast(session, commune.place, START - timedelta(minutes=2 * minute + 2), commune.nodes[0],
                        title=f"Lượt {minute}")
    page = commune.desk().get("/log", params={"place": commune.villages[0].id}).text
    assert "Trang 1 trên 2" in said(page)
    assert "Trang 2 trên 2" in said(commune.desk().get("/log", params={"page": 2,
                                                                       "place": commune.villages[0].id}).text)


def test_a_row_leads_to_its_evidence(commune: Commune) -> None:
    page = said(commune.desk().get(f"/log/{commune.nodes[0].id}/{commune.morning.id}").text)
    for told in ("1 phút trên 1 phút", "3,5 ms", "−3,1 dBFS", "−18,0 dBFS", "từ 0 giây đến 1 phút của bản thu",
                 commune.voice.hashes[2][:12], "Bắt đầu phát."):
        assert told in page


def test_a_missed_broadcast_says_why(commune: Commune) -> None:
    with commune.database.work() as session:
        row = session.get_one(Playback, (commune.nodes[1].id, commune.morning.id))
        row.state, row.reason = PlaybackState.MISSED, "clock"
        session.add(row)
    for path in ("/log", f"/log/{commune.nodes[1].id}/{commune.morning.id}"):
        assert "Cụm loa không xác định được giờ." in said(commune.desk().get(path).text)


def test_the_map_shows_the_gravest_of_a_day(commune: Commune) -> None:
    page = commune.desk().get("/log/days").text
    assert "02/03/2026: đã phát 1/1 lượt" in page
    assert f"/log?node={commune.nodes[1].id}&amp;since=2026-03-02" in page


def test_who_has_no_role_here_sees_nothing_of_it(commune: Commune) -> None:
    with commune.database.work() as session:
        nobody = a_user(session)
    assert a_client(commune.app, nobody).get("/log").status_code == 403
    assert commune.stranger().get("/log").headers["location"].startswith("/sign-in")

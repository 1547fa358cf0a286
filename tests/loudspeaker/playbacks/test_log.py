"""The as-run log as people see it: filtered, counted, exported, and traced to its evidence."""

import csv
import io
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from fastapi import FastAPI
from openpyxl import load_workbook
from sqlmodel import Session

from loudspeaker.conductor.house import House
from loudspeaker.conductor.ingest import ingest
from loudspeaker.database import Database
from loudspeaker.playbacks import export, service
from loudspeaker.playbacks.closing import close_for_retired
from loudspeaker.playbacks.models import Playback, PlaybackState
from loudspeaker.playbacks.reason_words import REASONS, reason_words
from loudspeaker.playbacks.service import LogQuery
from loudspeaker.users.access import Actor
from loudspeaker.users.models import Role
from tests.loudspeaker.airing_builders import NodeVoice, a_broadcast
from tests.loudspeaker.builders import START, a_client, a_commune, a_node, a_user, a_village, an_actor

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
LATER = START + timedelta(hours=1)


class Morning:
    """Two villages, each with a pole; the first played, the second has not spoken."""

    def __init__(self, session: Session) -> None:
        self.commune = a_commune(session)
        self.villages = [a_village(session, self.commune, name) for name in ("Đồng Tâm", "Tân Bắc")]
        self.nodes = [a_node(session, village, village.name) for village in self.villages]
        self.auditor: Actor = an_actor(session, Role.AUDITOR, self.commune)
        self.first = a_broadcast(session, self.commune, START, *self.nodes, title="=Bản tin 100%")
        self.second = a_broadcast(session, self.commune, START + timedelta(hours=2), *self.nodes, air_class=1,
                                  title="Cầu treo")
        self.voice = NodeVoice(self.nodes[0].id)
        self.voice.played(self.first.id, START)
        ingest(session, LATER, [self.voice.says(self.voice.batch(), LATER)])


@pytest.fixture
def morning(database: Database) -> Morning:
    with database.work() as session:
        return Morning(session)


@pytest.mark.parametrize(("query", "count"), [
    (LogQuery(), 4), (LogQuery(states=(PlaybackState.PLAYED,)), 1), (LogQuery(air_class=1), 2),
    (LogQuery(title="BẢN TIN"), 2), (LogQuery(title="100%"), 2), (LogQuery(title="%"), 2),
    (LogQuery(title="CẦU"), 2), (LogQuery(title="_"), 0),
    (LogQuery(since=LATER), 2), (LogQuery(until=LATER), 2), (LogQuery(place_id="nowhere"), 0)])
def test_the_log_is_filtered(database: Database, morning: Morning, query: LogQuery, count: int) -> None:
    with database.read() as session:
        assert len(service.page(session, morning.auditor, query)) == count
        assert sum(service.counts(session, morning.auditor, query).values()) == count


def test_a_village_sees_its_own_rows_alone(database: Database, morning: Morning) -> None:
    with database.work() as session:
        own = an_actor(session, Role.TECHNICIAN, morning.villages[1])
        rows = service.page(session, own, LogQuery())
        assert {row.node.id for row in rows} == {morning.nodes[1].id}


def test_a_row_leads_to_the_words_of_its_node(database: Database, morning: Morning) -> None:
    with database.read() as session:
        found = service.evidence(session, morning.auditor, morning.nodes[0].id, morning.first.id)
        assert [one.kind for one in found.entries] == ["play_start", "play_end"]
        assert [one.body for one in found.entries] == morning.voice.texts
        assert found.row.playback.segments[0]["to_ms"] == 60_000


def test_the_csv_opens_in_a_spreadsheet_and_runs_nothing(database: Database, morning: Morning) -> None:
    with database.read() as session:
        rows = service.every(session, morning.auditor, LogQuery())
        content = b"".join(export.as_csv(rows, ZONE, lambda sentence, **values: sentence % values))
    assert content.startswith(b"\xef\xbb\xbf")
    table = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    assert len(table) == 5
    assert table[1][:4] == ["02/03/2026 08:00:00", "Tân Bắc", "Tân Bắc", "'=Bản tin 100%"] or \
        table[1][:4] == ["02/03/2026 08:00:00", "Đồng Tâm", "Đồng Tâm", "'=Bản tin 100%"]
    assert b"\r\n" in content


def test_the_workbook_holds_the_same_rows(database: Database, morning: Morning) -> None:
    file = io.BytesIO()
    with database.read() as session:
        export.write_xlsx(service.every(session, morning.auditor, LogQuery()), ZONE,
                          lambda sentence, **values: sentence % values, file)
    sheet = load_workbook(file).active
    assert sheet is not None
    values = [[cell.value for cell in row] for row in sheet.iter_rows()]
    assert values[0][:4] == list(export.HEADINGS[:4])
    assert {row[3] for row in values[1:]} == {"'=Bản tin 100%", "Cầu treo"}
    assert {row[5] for row in values[1:]} == {"played", "awaiting"}


def test_taking_a_node_down_closes_what_is_open_by_a_named_person(database: Database, morning: Morning) -> None:
    with database.work() as session:
        technician = an_actor(session, Role.TECHNICIAN, morning.commune)
        assert close_for_retired(session, technician, LATER, morning.nodes[1].id) == 1
        row = session.get_one(Playback, (morning.nodes[1].id, morning.first.id))
        assert (row.state, row.reason, row.closed_by) == ("unknown", "retired", technician.user.id)
        assert session.get(Playback, (morning.nodes[1].id, morning.second.id)) is None


def test_every_reason_of_a_node_has_words() -> None:
    assert all(reason_words(reason) == (sentence, {}) for reason, sentence in REASONS.items())
    assert reason_words("sunspots") == ("Another reason: %(reason)s.", {"reason": "sunspots"})
    assert reason_words(None) == ("", {})


def test_the_log_and_today_over_the_api(app: FastAPI, house: House) -> None:
    with house.database.work() as session:
        morning = Morning(session)
        editor = a_user(session, Role.EDITOR, morning.commune)
    client = a_client(app, editor)
    told = client.get("/api/v1/playbacks", params={"state": ["played"]}).json()
    assert [one["node_id"] for one in told["rows"]] == [morning.nodes[0].id]
    assert told["counts"] == {"played": 1}
    exported = client.get("/api/v1/playbacks/export.csv").text
    assert exported.count("\r\n") == 6
    assert "tree-head" in exported.splitlines()[-1]
    book = load_workbook(io.BytesIO(client.get("/api/v1/playbacks/export.xlsx").content))
    assert len(book.worksheets) == 2, "the log, and the seals that prove it"
    shown = client.get(f"/api/v1/playbacks/{morning.nodes[0].id}/{morning.first.id}").json()
    assert len(shown["entries"]) == 2
    lines = client.get(f"/api/v1/journals/{morning.nodes[0].id}", params={"limit": 1}).json()
    assert [(one["kind"], one["broadcast_id"]) for one in lines] == [("play_end", morning.first.id)]
    today = client.get("/api/v1/today").json()
    assert today["grid"]["cells"][morning.nodes[0].id] == {morning.first.id: "played", morning.second.id: "awaiting"}
    assert [one["id"] for one in today["next_up"]] == [morning.second.id]
    assert today["nodes"] == {"total": 2, "online": 1, "playing": 0}
    assert a_client(app).get("/api/v1/today").status_code == 401

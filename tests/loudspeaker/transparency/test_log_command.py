"""`loudspeaker log verify`, on a commune's books."""

import json
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from chaos.rewriting import KEY, SITE, write_books
from firmware_bridge.contract import envelope as dsse
from firmware_bridge.contract import keys
from loudspeaker.audit.models import AuditEntry
from loudspeaker.database import Database
from loudspeaker.log_command import app
from loudspeaker.playbacks.export import as_csv
from loudspeaker.transparency import service as log
from loudspeaker.trust.service import adopt_root, first_root
from tests.loudspeaker.builders import START

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def books(database: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    """A commune's books over a few days."""
    with database.work() as session:
        write_books(session)
        root, server = keys.new_key(), keys.public_to_base64(KEY)
        first = first_root(START, SITE, server, [keys.public_to_base64(root)], 1, keys.public_to_base64(keys.new_key()))
        adopt_root(session, None, START, first.sign(root), {server}, SITE)
    monkeypatch.setenv("LOUDSPEAKER_DATABASE_URL", database.url)
    return database


def verify(*arguments: str) -> tuple[int, str]:
    """Exit code and what was printed."""
    result = CliRunner().invoke(app, ["verify", *arguments])
    return result.exit_code, result.output


def test_whole_books_are_said_to_be_whole(books: Database) -> None:
    code, told = verify()
    assert code == 0, told
    assert "whole" in told


def test_an_edit_is_named_with_its_line(books: Database) -> None:
    with books.work() as session:
        session.get_one(AuditEntry, 4).actor_id = "mai"
    code, told = verify("--json")
    assert code == 1
    found = json.loads(told)["contradictions"]
    assert {"log": "audit", "where": "4", "what": "broken"} in found
    assert verify()[0] == 1


def test_a_head_that_was_kept_elsewhere_shows_that_the_newest_lines_are_gone(books: Database, tmp_path: Path) -> None:
    kept = tmp_path / "head.json"
    with books.work() as session:
        kept.write_bytes(dsse.encode(log.head(session, START, SITE, KEY)))
    assert verify("--head", str(kept))[0] == 0
    with books.work() as session:
        session.connection().execute(text("DELETE FROM audit_entry WHERE seq = (SELECT max(seq) FROM audit_entry)"))
    assert verify()[0] == 0
    assert verify("--head", str(kept))[0] == 1


def test_an_export_is_such_a_head(books: Database, tmp_path: Path) -> None:
    kept = tmp_path / "nhat-ky-phat.csv"
    with books.work() as session:
        head = dsse.encode(log.head(session, START, SITE, KEY)).decode()
    kept.write_bytes(b"".join(as_csv([], ZoneInfo("Asia/Ho_Chi_Minh"), lambda sentence, **_: sentence, head)))
    assert verify("--head", str(kept))[0] == 0
    with books.work() as session:
        session.connection().execute(text("DELETE FROM audit_entry WHERE seq > 20"))
    assert verify("--head", str(kept))[0] == 1


def test_a_head_of_somebody_else_is_no_evidence(books: Database, tmp_path: Path) -> None:
    kept = tmp_path / "head.json"
    with books.work() as session:
        kept.write_bytes(dsse.encode(log.head(session, START, SITE, keys.new_key())))
    code, told = verify("--head", str(kept))
    assert code == 1
    assert "not signed by this server" in " ".join(told.split())

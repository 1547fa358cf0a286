"""The operator's commands on the server's own machine."""

import json
from pathlib import Path

import pytest
from sqlmodel import select
from typer.testing import CliRunner

from loudspeaker.cli import app as commands
from loudspeaker.conductor.opening import open_house
from loudspeaker.settings import Settings
from loudspeaker.users.access import actor_for
from loudspeaker.users.models import Role, User
from tests.loudspeaker.builders import START, a_commune, a_node, a_village


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "data"
    monkeypatch.setenv("LOUDSPEAKER_DATA", str(folder))
    return folder


def test_user_add_makes_an_account_with_its_role(data: Path) -> None:
    with open_house(Settings()) as house, house.database.work() as session:
        commune = a_commune(session)
        village = a_village(session, commune, "Đồng Tâm")
    done = CliRunner().invoke(commands, ["user", "add", "quang", "--name", "Quang", "--role", "administrator",
                                         "--place", "Đồng Tâm", "--password-stdin"], input="mùa xuân ở Sơn Dương\n")
    assert done.exit_code == 0, done.output
    with open_house(Settings()) as house, house.database.read() as session:
        actor = actor_for(session, session.exec(select(User).where(User.login == "quang")).one(), START)
        assert [(held.role, held.place_id) for held in actor.roles] == [(Role.ADMINISTRATOR, village.id)]


def test_user_add_without_such_a_place_says_what_to_do(data: Path) -> None:
    done = CliRunner().invoke(commands, ["user", "add", "quang", "--name", "Quang", "--role", "editor",
                                         "--password-stdin"], input="mùa xuân ở Sơn Dương\n")
    assert done.exit_code == 1
    assert "first-run page" in done.output.replace("\n", " ")


def test_node_list_is_a_table_for_people_and_json_for_machines(data: Path) -> None:
    with open_house(Settings()) as house, house.database.work() as session:
        a_node(session, a_commune(session), "Loa 1", node_id="loa-1")
    assert "loa-1" in CliRunner().invoke(commands, ["node", "list"]).output
    told = json.loads(CliRunner().invoke(commands, ["node", "list", "--json"]).output)
    assert [(one["id"], one["online"], one["order"]) for one in told] == [("loa-1", False, "0.0")]


def test_node_add_needs_a_token(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOUDSPEAKER_TOKEN", raising=False)
    done = CliRunner().invoke(commands, ["node", "add", "Loa", "--place", "x", "--server", "http://127.0.0.1:1"])
    assert done.exit_code == 1
    assert "LOUDSPEAKER_TOKEN" in done.output


def test_doctor_says_what_is_there_and_what_is_missing(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    well = CliRunner().invoke(commands, ["doctor", "--json"])
    assert well.exit_code == 0
    assert all(one["well"] for one in json.loads(well.output))
    monkeypatch.setenv("LOUDSPEAKER_DATABASE_URL", "postgresql+psycopg://nobody@127.0.0.1:1/none")
    ill = CliRunner().invoke(commands, ["doctor", "--json"])
    assert ill.exit_code == 1
    assert [one["what"] for one in json.loads(ill.output) if not one["well"]] == ["database"]


def test_health_says_when_no_server_answers(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOUDSPEAKER_PORT", "9")
    done = CliRunner().invoke(commands, ["health"])
    assert done.exit_code == 1
    assert "http://127.0.0.1:9/healthz does not answer" in " ".join(done.output.split())

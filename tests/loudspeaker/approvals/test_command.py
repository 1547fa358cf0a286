"""Approving from the command line with a key file."""

import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from loudspeaker.approvals import command
from loudspeaker.approvals.command import Desk
from loudspeaker.users.models import Role
from tests.loudspeaker.builders import a_client, a_user
from tests.loudspeaker.commune import Commune, list_key, listen, ready

PASSPHRASE = "bốn từ không ai đoán ra"


class Terminal:
    """A person at the command line with a personal token."""

    def __init__(self, commune: Commune, monkeypatch: pytest.MonkeyPatch) -> None:
        with commune.house.database.work() as session:
            self.user = a_user(session, Role.APPROVER, commune.place, "Vũ Thị Lan")
        made = commune.client(self.user).post("/api/v1/me/tokens", json={"name": "máy bàn"})
        assert made.status_code == 201, made.text
        self.token = made.json()["token"]
        client = a_client(commune.app)
        client.headers["Authorization"] = f"Bearer {self.token}"
        monkeypatch.setenv(command.TOKEN_VARIABLE, self.token)
        monkeypatch.setattr(command, "connect", lambda server: Desk(client))

    def run(self, *arguments: str, typed: str = "") -> Result:
        """One command at the server."""
        done = CliRunner().invoke(command.app, list(arguments), input=typed, env={"LOUDSPEAKER_SERVER": "http://desk"})
        assert self.token not in done.output, "the token is never shown"
        return done


@pytest.fixture
def terminal(commune: Commune, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    return Terminal(commune, monkeypatch)


def test_a_key_file_signs_what_was_heard(commune: Commune, terminal: Terminal, tmp_path: Path) -> None:
    file, recording = tmp_path / "key.pem", ready(commune)
    assert terminal.run("make-key", str(file), typed=f"{PASSPHRASE}\n{PASSPHRASE}\n").exit_code == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    registered = terminal.run("register", str(file), typed=f"{PASSPHRASE}\n")
    assert registered.exit_code == 0, registered.output
    key_id = registered.output.split()[-1]
    list_key(commune, key_id)
    assert recording in terminal.run("list", "--json").output
    listen(commune, terminal.user, recording)
    signed = terminal.run("sign", recording, "--key", str(file), "--heard-elsewhere", typed=f"{PASSPHRASE}\ny\ny\n")
    assert signed.exit_code == 0, signed.output
    assert "approved: signed by 1 of 1" in signed.output


def test_a_wrong_passphrase_or_file_signs_nothing(commune: Commune, terminal: Terminal, tmp_path: Path) -> None:
    file, recording = tmp_path / "key.pem", ready(commune)
    terminal.run("make-key", str(file), typed=f"{PASSPHRASE}\n{PASSPHRASE}\n")
    wrong = terminal.run("sign", recording, "--key", str(file), typed="sai mật khẩu\n")
    assert wrong.exit_code == 1
    assert "does not open" in wrong.output
    assert terminal.run("sign", recording, "--key", str(tmp_path / "none.pem")).exit_code == 1
    assert terminal.run("make-key", str(file), "--plain").exit_code == 1, "a key is never overwritten"


def test_unheard_is_refused_in_the_servers_words(commune: Commune, terminal: Terminal, tmp_path: Path) -> None:
    file, recording = tmp_path / "plain.pem", ready(commune, duration_ms=60_000)
    terminal.run("make-key", str(file), "--plain")
    terminal.run("register", str(file))
    refused = terminal.run("sign", recording, "--key", str(file), "--heard-elsewhere", typed="y\ny\n")
    assert refused.exit_code == 1
    assert "chưa nghe hết" in refused.output


def test_a_recording_is_fetched_only_if_it_is_what_the_statement_names(
        commune: Commune, terminal: Terminal, tmp_path: Path) -> None:
    recording = ready(commune)
    assert terminal.run("fetch", recording, "--to", str(tmp_path / "out")).exit_code == 0
    assert (tmp_path / "out" / f"{recording}.ogg").stat().st_size == 8000
    other = ready(commune)
    sha256 = commune.client(commune.approver).get(f"/api/v1/recordings/{other}").json()["sha256"]
    commune.house.store.path_of(sha256).write_bytes(bytes(8000))
    refused = terminal.run("fetch", other, "--to", str(tmp_path / "bad"))
    assert refused.exit_code == 1
    assert not (tmp_path / "bad").exists()


def test_sending_back_from_the_command_line(commune: Commune, terminal: Terminal) -> None:
    assert terminal.run("send-back", ready(commune), "--reason", "Đọc sai tên thôn").output.strip() == "returned"


def test_without_a_token_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(command.TOKEN_VARIABLE, raising=False)
    done = CliRunner().invoke(command.app, ["list", "--server", "http://127.0.0.1:1"])
    assert done.exit_code == 1
    assert command.TOKEN_VARIABLE in done.output


def test_the_token_stays_with_the_server_it_was_made_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(command.TOKEN_VARIABLE, "secret-token")
    desk = command.connect("http://127.0.0.1:1")
    assert desk._client.follow_redirects is False
    done = CliRunner().invoke(command.app, ["list", "--server", "http://127.0.0.1:1"])
    assert done.exit_code == 1
    assert "secret-token" not in done.output

"""`loudspeaker trust`: keys in files, roots signed by them, and a way off the server for those of the first version."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from firmware_bridge.contract import keys
from firmware_bridge.contract.keys import key_id, public_to_base64
from loudspeaker.conductor.keys import left_online
from loudspeaker.conductor.opening import open_house
from loudspeaker.conductor.trust import take_root
from loudspeaker.settings import Settings
from loudspeaker.trust.service import first_root
from loudspeaker.trust_command import app

FILES = ("--keys-out", "root.pem", "--authority-out", "authority.pem", "--plain")


class Terminal:
    """The operator at the server's machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, *arguments: str, typed: str = "", fails: bool = False) -> str:
        done = CliRunner().invoke(app, list(arguments), input=typed)
        assert (done.exit_code != 0) is fails, done.output
        return done.output

    def shown(self) -> dict[str, Any]:
        return dict(json.loads(self.run("show", "--json")))


@pytest.fixture
def terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("LOUDSPEAKER_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    return Terminal(tmp_path)


def test_keys_go_into_files_and_none_stays_on_the_server(terminal: Terminal) -> None:
    terminal.run("init", *FILES)
    shown = terminal.shown()
    assert (shown["root_version"], shown["concerns"]) == (1, [])
    assert [one.name for one in (terminal.folder / "data" / "keys").iterdir()] == ["server.key"]
    for name in ("root.pem", "authority.pem"):
        assert (terminal.folder / name).stat().st_mode & 0o777 == 0o600
    assert "made already" in terminal.run("init", *FILES, fails=True)


def test_two_of_three_root_keys_sign_the_next_root(terminal: Terminal) -> None:
    terminal.run("init", "--keys", "3", "--threshold", "2", *FILES)
    assert "signatures" in terminal.run("rotate", "--root-key", "root-1.pem", fails=True)
    terminal.run("rotate", "--root-key", "root-1.pem", "--root-key", "root-3.pem", "--owners", "1,1,2",
                 "--kind", "electioneering=2")
    shown = terminal.shown()
    assert (shown["root_version"], shown["owners_needed"]) == (2, [1, 1, 2])
    assert shown["owners_needed_by_kind"] == {"electioneering": 2}


def test_a_root_is_signed_where_its_keys_are(terminal: Terminal) -> None:
    terminal.run("init", "--keys", "2", "--threshold", "2", *FILES)
    terminal.run("rotate", "--owners", "2,2,2", "--prepare", "next.json")
    terminal.run("sign", "next.json", "--key", "root-1.pem", typed="y\n")
    terminal.run("rotate", "--adopt", "next.json", fails=True)
    told = terminal.run("sign", "next.json", "--key", "root-2.pem", typed="y\n")
    assert "trust root 2" in told
    terminal.run("rotate", "--adopt", "next.json")
    assert terminal.shown()["owners_needed"] == [2, 2, 2]


def test_a_new_server_key_takes_over_with_a_new_key_epoch(terminal: Terminal) -> None:
    terminal.run("init", *FILES)
    before = terminal.shown()
    terminal.run("rotate", "--root-key", "root.pem", "--new-server-key")
    after = terminal.shown()
    assert (after["key_epoch"], after["concerns"]) == (1, [])
    assert after["server_key"] != before["server_key"]
    with open_house(Settings()) as house:
        assert key_id(public_to_base64(house.keys.server)) == after["server_key"]


def test_new_root_keys_replace_the_old_and_an_old_one_is_worth_nothing(terminal: Terminal) -> None:
    terminal.run("init", *FILES)
    terminal.run("rotate", "--root-key", "root.pem", "--keys-out", "new.pem", "--plain")
    terminal.run("rotate", "--root-key", "root.pem", fails=True)
    terminal.run("rotate", "--root-key", "new.pem")
    assert terminal.shown()["root_version"] == 3


def test_a_sealed_key_file_asks_for_its_passphrase(terminal: Terminal) -> None:
    words = "bốn từ không ai đoán ra\n"
    terminal.run("init", *FILES[:-1], typed=words * 2)
    terminal.run("rotate", "--root-key", "root.pem", typed="wrong\n", fails=True)
    terminal.run("rotate", "--root-key", "root.pem", typed=words)
    assert terminal.shown()["root_version"] == 2


def test_show_says_it_in_plain_words(terminal: Terminal) -> None:
    assert "no trust root yet" in terminal.run("show")
    terminal.run("init", *FILES)
    told = terminal.run("show")
    assert "1 of 1 root keys" in told
    assert "lists approvers" in told


def test_keys_that_the_first_version_left_on_the_server_are_replaced_and_deleted(terminal: Terminal) -> None:
    with open_house(Settings()) as house, house.database.work() as session:
        old = {name: keys.new_key() for name in ("root", "authority")}
        for name, key in old.items():
            (house.key_folder / f"{name}.key").write_text(keys.private_to_base64(key) + "\n")
        root = first_root(house.now(), house.site, public_to_base64(house.keys.server),
                          [public_to_base64(old["root"])], 1, public_to_base64(old["authority"]))
        take_root(session, house, None, root.sign(old["root"]))
    assert "take-offline" in terminal.run("show")
    terminal.run("take-offline", *FILES)
    with open_house(Settings()) as house:
        assert left_online(house.key_folder) == []
    shown = terminal.shown()
    assert (shown["root_version"], shown["list_version"] > 0, shown["concerns"]) == (3, True, [])
    (authority,) = shown["authorities"]
    assert authority["key_id"] != key_id(public_to_base64(old["authority"]))
    terminal.run("rotate", "--root-key", "root.pem")
    assert "No root and authority keys" in terminal.run("take-offline", "--keys-out", "x", "--authority-out", "y",
                                                        "--plain", fails=True)

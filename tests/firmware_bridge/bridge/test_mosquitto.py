"""Mosquitto's users: what is sent to change them, and a broker that somebody else runs."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.bridge.broker import (
    Admin,
    BrokerRefused,
    BrokerUser,
    EmbeddedMosquitto,
    Endpoint,
    Mosquitto,
    MosquittoProcess,
    dynsec,
    server_user,
)
from firmware_bridge.bridge.broker.child import free_port
from firmware_bridge.contract import topics
from tests.firmware_bridge.bridge.clients import SITE, BareClient, Client, node_user, wait_until

ADMIN = Admin("admin", "its-password")
SERVER, N1, N2 = server_user(), node_user("n1", ("commune-1",)), node_user("n2")


class Twin:
    """Mosquitto's users as its commands change them."""

    def __init__(self) -> None:
        self.clients: dict[str, dict[str, Any]] = {"admin": {"username": "admin"}}
        self.roles: dict[str, list[dict[str, Any]]] = {}

    def take(self, command: dict[str, Any]) -> None:
        match command["command"]:
            case "deleteClient":
                del self.clients[command["username"]]
            case "deleteRole":
                self.roles.pop(command["rolename"], None)
            case "createRole":
                assert command["rolename"] not in self.roles
                self.roles[command["rolename"]] = command["acls"]
            case "createClient":
                assert command["username"] not in self.clients
                assert all(one["rolename"] in self.roles for one in command["roles"])
                self.clients[command["username"]] = command

    def there(self) -> dict[str, str]:
        return dynsec.present({"data": {"clients": list(self.clients.values())}})


POOL = [node_user(f"n{at}", (f"village-{at}",)) for at in range(6)]
CHANGED = [BrokerUser(one.username, one.password, one.client_id, topics.node_rights(SITE, one.username, ("zone",)))
           for one in POOL]


@given(st.lists(st.lists(st.sampled_from(POOL + CHANGED), unique_by=lambda one: one.username), max_size=5))
def test_whatever_was_there_the_commands_lead_to_exactly_the_users_wanted(steps: list[list[BrokerUser]]) -> None:
    twin = Twin()
    for users in steps:
        for command in dynsec.differences(twin.there(), users, SITE):
            twin.take(command)
        assert twin.there() == {one.username: dynsec.digest(one, SITE) for one in users}
        assert len(twin.roles) == len(users)
        assert "admin" in twin.clients
        assert not list(dynsec.differences(twin.there(), users, SITE))


def test_who_is_gone_is_cut_off_before_anybody_new_is_let_in() -> None:
    there = {"n9": "x", "n1": dynsec.digest(N1, SITE)}
    commands = [one["command"] for one in dynsec.differences(there, [N1, N2], SITE)]
    assert commands == ["deleteClient", "deleteRole", "deleteRole", "createRole", "createClient"]


def test_a_digest_changes_with_each_secret_and_right_and_tells_none() -> None:
    variants = [N1, BrokerUser("n1", "other", N1.client_id, N1.rights),
                BrokerUser("n1", N1.password, "other", N1.rights),
                BrokerUser("n1", N1.password, N1.client_id, N2.rights)]
    assert len({dynsec.digest(one, SITE) for one in variants}) == 4
    assert N1.password not in dynsec.digest(N1, SITE)


def test_passwords_are_hashed_in_the_file() -> None:
    written = dynsec.file([N1], ADMIN, SITE)
    assert N1.password not in written
    assert ADMIN.password not in written
    assert not json.loads(written)["defaultACLAccess"]["publishClientReceive"]


def test_what_is_refused_is_named_and_what_was_gone_already_is_not() -> None:
    assert dynsec.failures([{"command": "deleteRole", "error": "Role not found"}, {"command": "createClient"},
                            {"command": "createRole", "error": "Internal error"}]) == ["createRole: Internal error"]


@pytest.fixture
def foreign(tmp_path: Path) -> Iterator[MosquittoProcess]:
    process = MosquittoProcess(tmp_path, SITE, ADMIN)
    process.start()
    yield process
    process.stop()


def accepted(endpoint: Endpoint, user: BrokerUser) -> bool:
    with BareClient(endpoint, user) as client:
        return client.accepted


def test_users_are_put_into_somebody_elses_mosquitto_and_taken_out_at_once(foreign: MosquittoProcess) -> None:
    broker = Mosquitto(foreign.address, SITE, ADMIN)
    broker.set_users([SERVER, N1])
    broker.start()
    assert broker.healthy()
    assert accepted(foreign.address, N1)
    with Client(foreign.address.address_for(N1)) as node:
        assert wait_until(lambda: node.connected)
        broker.set_users([SERVER, N2])
        assert wait_until(lambda: bool(node.lost), 2)
    assert not accepted(foreign.address, N1)
    assert accepted(foreign.address, N2)
    broker.stop()
    assert accepted(foreign.address, N2)


def test_a_server_that_starts_anew_changes_nothing_of_what_is_right_already(foreign: MosquittoProcess) -> None:
    first = Mosquitto(foreign.address, SITE, ADMIN)
    first.set_users([SERVER, N1])
    first.start()
    first.stop()
    second = Mosquitto(foreign.address, SITE, ADMIN)
    with Client(foreign.address.address_for(N1)) as node:
        assert wait_until(lambda: node.connected)
        second.set_users([server_user(), N1])
        second.start()
        assert second.healthy()
        assert not node.lost
    second.stop()


def test_a_mosquitto_that_is_away_gets_its_users_when_it_comes(tmp_path: Path) -> None:
    port = free_port("127.0.0.1")
    broker = Mosquitto(Endpoint("127.0.0.1", port), SITE, ADMIN)
    broker.set_users([SERVER, N1])
    began = time.monotonic()
    broker.start()
    assert time.monotonic() - began < 20
    assert not broker.healthy()
    process = MosquittoProcess(tmp_path, SITE, ADMIN, port=port)
    process.start()
    assert wait_until(lambda: broker.healthy() and accepted(process.address, N1))
    broker.stop()
    process.stop()


def test_with_a_wrong_admin_it_counts_as_away(foreign: MosquittoProcess) -> None:
    powerless = Mosquitto(foreign.address, SITE, Admin("admin", "wrong"))
    powerless.set_users([SERVER])
    powerless.start()
    assert not powerless.healthy()
    powerless.stop()


def test_a_thousand_users_are_in_force_when_our_own_mosquitto_starts(tmp_path: Path) -> None:
    many = [node_user(f"many-{at}", ("commune-1", f"village-{at // 10}")) for at in range(1000)]
    broker = EmbeddedMosquitto(tmp_path, SITE)
    broker.set_users([SERVER, *many])
    broker.start()
    assert accepted(broker.address, many[-1])
    broker.set_users([SERVER, *many[1:], N1])
    assert not accepted(broker.address, many[0])
    assert accepted(broker.address, N1)
    broker.stop()


def test_a_change_that_mosquitto_refuses_is_an_error(foreign: MosquittoProcess) -> None:
    broker = Mosquitto(foreign.address, SITE, ADMIN)
    broker.set_users([SERVER])
    broker.start()
    same_as_admin = BrokerUser("admin", "x", "y", N1.rights)
    with pytest.raises(BrokerRefused, match="createClient: Client already exists"):
        broker.set_users([SERVER, same_as_admin])
    broker.stop()

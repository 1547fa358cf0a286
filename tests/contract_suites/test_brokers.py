"""One suite over every broker: the pipe has rights and no memory, whatever runs it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol, Self

import pytest

from firmware_bridge.bridge.broker import (
    Broker,
    BrokerUser,
    EmbeddedMosquitto,
    EmbeddedNats,
    MemoryBroker,
    SeveralBrokers,
    server_user,
)
from firmware_bridge.bridge.links import Links
from firmware_bridge.contract import topics
from firmware_bridge.wire import Address, CannotConnect, Will
from tests.firmware_bridge.bridge.clients import SITE, Client, node_user, wait_until

NODES = ("n1", "n2", "n3")
GROUPS = {"n1": ("commune-1", "village-1"), "n2": ("commune-1", "village-2"), "n3": ("commune-2",)}


class Voice(Protocol):
    """A client that remembers."""

    got: list[tuple[str, bytes, bool]]
    lost: list[str]
    errors: list[Exception]

    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...
    @property
    def connected(self) -> bool: ...
    def publish(self, topic: str, payload: bytes) -> None: ...
    def payloads(self) -> list[bytes]: ...


class Everywhere:
    """The server, joined to every broker at once."""

    def __init__(self, addresses: list[Address], filters: tuple[str, ...]) -> None:
        self.got: list[tuple[str, bytes, bool]] = []
        self.lost: list[str] = []
        self.errors: list[Exception] = []
        self._there: set[int] = set()
        self._links = Links(addresses, filters, lambda *message: self.got.append(message), self._there.add,
                            lambda _at, reason: self.lost.append(reason))
        self._all = set(range(len(addresses)))

    def __enter__(self) -> Self:
        self._links.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._links.stop()

    @property
    def connected(self) -> bool:
        return self._there == self._all

    @property
    def ways(self) -> int:
        """Brokers by which a message comes back."""
        return len(self._all)

    def publish(self, topic: str, payload: bytes) -> None:
        self._links.publish(topic, payload)

    def payloads(self) -> list[bytes]:
        return [payload for _, payload, _ in self.got]


class House:
    """Running brokers with their server and three nodes, and clients to join as any of them."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.server = server_user()
        self.nodes = {node: node_user(node, GROUPS[node]) for node in NODES}
        self.restore()

    @property
    def binds_client_ids(self) -> bool:
        """Nobody joins with another's client id, whatever he knows."""
        return isinstance(self.broker, EmbeddedMosquitto)

    @property
    def cuts_who_changes(self) -> bool:
        """Mosquitto closes the connection of a user whose rights change; it returns with the new ones."""
        return any(isinstance(one, EmbeddedMosquitto) for one in getattr(self.broker, "brokers", (self.broker,)))

    def restore(self) -> None:
        self.broker.set_users([self.server, *self.nodes.values()])

    def client(self, user: BrokerUser, filters: tuple[str, ...] = (), will: Will | None = None) -> Client:
        """Joined to the broker whose turn it is with this user, as nodes are that found another one gone."""
        memory = self.broker if isinstance(self.broker, MemoryBroker) else None
        where = self.broker.addresses
        at = sum(user.username.encode()) % len(where)
        return Client(where[at].address_for(user), filters, memory, will)

    def as_server(self) -> Voice:
        filters = topics.of_server(SITE)
        if len(self.broker.addresses) == 1:
            return self.client(self.server, filters)
        return Everywhere([one.address_for(self.server) for one in self.broker.addresses], filters)

    def as_node(self, node: str, will: Will | None = None) -> Client:
        rights = self.nodes[node].rights
        assert rights is not None
        return self.client(self.nodes[node], rights.subscribe, will)


BROKERS: dict[str, Callable[[Path], Broker]] = {
    "memory": lambda _folder: MemoryBroker(SITE),
    "nats": lambda folder: EmbeddedNats(folder, SITE),
    "mosquitto": lambda folder: EmbeddedMosquitto(folder, SITE),
    "two nats": lambda folder: SeveralBrokers([EmbeddedNats(folder / "one", SITE), EmbeddedNats(folder / "two", SITE)]),
    "nats and mosquitto": lambda folder: SeveralBrokers(
        [EmbeddedNats(folder / "one", SITE), EmbeddedMosquitto(folder / "two", SITE)]),
}


@pytest.fixture(scope="module", params=BROKERS)
def house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    broker = BROKERS[request.param](tmp_path_factory.mktemp("broker"))
    broker.start()
    yield House(broker)
    broker.stop()


@pytest.fixture
def joined(house: House) -> Iterator[dict[str, Voice]]:
    """The server and all nodes, connected with their own subscriptions."""
    with ExitStack() as stack:
        clients = {"server": stack.enter_context(house.as_server())}
        clients |= {node: stack.enter_context(house.as_node(node)) for node in NODES}
        assert wait_until(lambda: all(one.connected for one in clients.values()))
        yield clients


def test_a_started_broker_is_healthy(house: House) -> None:
    assert house.broker.healthy()


@pytest.mark.parametrize("kind", topics.Down)
def test_what_the_server_says_to_one_node_reaches_only_that_node(joined: dict[str, Voice], kind: topics.Down) -> None:
    topic = topics.of_node(SITE, "n1", kind)
    joined["server"].publish(topic, b"for n1")
    assert wait_until(lambda: joined["n1"].got == [(topic, b"for n1", False)])
    settle(joined)
    assert not joined["n2"].got
    assert not joined["n3"].got


@pytest.mark.parametrize("kind", topics.Up)
def test_what_a_node_says_reaches_the_server_and_no_other_node(joined: dict[str, Voice], kind: topics.Up) -> None:
    topic = topics.of_node(SITE, "n2", kind)
    joined["n2"].publish(topic, b"from n2")
    assert wait_until(lambda: joined["server"].got == [(topic, b"from n2", False)])
    settle(joined)
    assert not joined["n1"].got + joined["n2"].got + joined["n3"].got


def test_one_publish_to_a_group_reaches_all_its_nodes_and_no_other(joined: dict[str, Voice]) -> None:
    joined["server"].publish(topics.of_group(SITE, "commune-1", topics.ToGroup.COMMAND), b"stop")
    assert wait_until(lambda: joined["n1"].payloads() == [b"stop"] == joined["n2"].payloads())
    settle(joined)
    assert not joined["n3"].got


def test_everybody_hears_the_roll_call(joined: dict[str, Voice]) -> None:
    joined["server"].publish(topics.of_group(SITE, topics.ALL, topics.ToGroup.ROLL_CALL), b"hello?")
    assert wait_until(lambda: all(joined[node].payloads() == [b"hello?"] for node in NODES))


def foreign_publications(node: str) -> list[str]:
    """Topics that `node` must not publish to: others', the server's way down, groups, other sites, the broker's own."""
    others = [one for one in NODES if one != node]
    return [
        *(topics.of_node(SITE, other, kind) for other in others for kind in (*topics.Up, *topics.Down)),
        *(topics.of_node(SITE, node, kind) for kind in topics.Down),
        *(topics.of_group(SITE, group, topics.ToGroup.COMMAND) for group in ("commune-1", "commune-2", "all")),
        topics.of_group(SITE, topics.ALL, topics.ToGroup.ROLL_CALL),
        topics.of_node("elsewhere", node, topics.Up.HELLO),
        "$SYS/broker/uptime", "$SYS/REQ/SERVER/PING", "$JS/API/STREAM/LIST", "$MQTT/rmsgs/x",
        "$CONTROL/dynamic-security/v1", "loudspeaker/v1/demo/nodes/*/hello", "loudspeaker/v1/demo/nodes/>",
        "loudspeaker.v1.demo.nodes.n1.order", "hello", "/",
    ]


def foreign_filters(node: str) -> list[str]:
    """Filters that `node` must not hold."""
    others = [one for one in NODES if one != node]
    return [
        *(topics.of_node(SITE, other, kind) for other in others for kind in (*topics.Up, *topics.Down)),
        *(topics.of_node(SITE, node, kind) for kind in topics.Up),
        *(topics.of_group(SITE, group, topics.ToGroup.COMMAND)
          for group in {*sum(GROUPS.values(), ())} - set(GROUPS[node])),
        topics.of_node("elsewhere", node, topics.Down.ORDER),
        "#", "+", "+/#", "/#", "+/+/+/+/+/+", "loudspeaker/#", "loudspeaker/v1/demo/#", "*", ">",
        f"loudspeaker/v1/demo/nodes/{node}/#", f"loudspeaker/v1/demo/nodes/{node}/+", "loudspeaker/v1/+/nodes/n1/order",
        "loudspeaker/v1/demo/nodes/+/order", "loudspeaker/v1/demo/groups/+/command",
        "loudspeaker/v1/demo/nodes/*/order", "loudspeaker/v1/demo/>",
        "$SYS/#", "$SYS/+", "$JS/#", "$JS/API/#", "$MQTT/#", "$MQTT/sub/+", "$CONTROL/#",
        "_INBOX/#", "$share/x/loudspeaker/#",
    ]


def doubles(house: House, things: Callable[[str], list[str]]) -> list[tuple[BrokerUser, str]]:
    """For each node and thing, one more login with that node's rights: a broker may close on one who tries."""
    pairs: list[tuple[BrokerUser, str]] = []
    for node in NODES:
        for thing in things(node):
            fresh = node_user(f"double-{len(pairs)}")
            pairs.append((BrokerUser(fresh.username, fresh.password, fresh.client_id, house.nodes[node].rights), thing))
    house.broker.set_users([house.server, *house.nodes.values(), *(user for user, _ in pairs)])
    return pairs


def test_a_node_publishes_to_its_own_topics_of_the_upward_kind_and_nowhere_else(
        house: House, joined: dict[str, Voice]) -> None:
    pairs = doubles(house, foreign_publications)
    with ExitStack() as stack:
        intruders = [stack.enter_context(house.client(user)) for user, _ in pairs]
        assert wait_until(lambda: all(one.connected for one in intruders))
        for intruder, (user, topic) in zip(intruders, pairs, strict=True):
            assert user.rights is not None
            intruder.publish(topic, topic.encode())
            intruder.publish(user.rights.publish[0], b"allowed, and after the other")
        assert wait_until(lambda: joined["server"].payloads().count(b"allowed, and after the other") == len(pairs))
    settle(joined)
    house.restore()
    leaked = {name: set(client.payloads()) for name, client in joined.items()}
    assert leaked == {"server": {b"allowed, and after the other"}, "n1": set(), "n2": set(), "n3": set()}


def test_a_node_hears_nothing_through_filters_that_are_not_its_own(house: House) -> None:
    """Everybody tries every foreign filter, then every topic is spoken on."""
    with ExitStack() as stack:
        snoops = [(stack.enter_context(house.client(user, (foreign,))), foreign)
                  for user, foreign in doubles(house, foreign_filters)]
        server = stack.enter_context(house.as_server())
        nodes = {node: stack.enter_context(house.as_node(node)) for node in NODES}
        assert wait_until(lambda: server.connected and all(one.connected for one in nodes.values()))
        assert wait_until(lambda: all(one.connected or one.errors for one, _ in snoops))
        for node, speaker in nodes.items():
            for down in topics.Down:
                server.publish(topics.of_node(SITE, node, down), b"secret")
            for up in topics.Up:
                speaker.publish(topics.of_node(SITE, node, up), b"secret")
        for group in ("commune-1", "commune-2", "village-1", "village-2", "all"):
            server.publish(topics.of_group(SITE, group, topics.ToGroup.COMMAND), b"secret")
        assert wait_until(lambda: len(server.payloads()) == len(NODES) * len(topics.Up))
        settle({"server": server})
        leaked = {foreign: snoop.got for snoop, foreign in snoops if snoop.got}
    house.restore()
    assert not leaked


def test_a_stranger_and_a_wrong_password_are_refused(house: House) -> None:
    right = house.nodes["n1"]
    for user in (node_user("n9"), BrokerUser("n1", "wrong-password", right.client_id, right.rights)):
        with house.client(user) as stranger:
            assert wait_until(lambda: bool(stranger.errors))
            assert isinstance(stranger.errors[0], CannotConnect)
            assert "uthoriz" in str(stranger.errors[0])
            assert not stranger.connected


def test_a_client_id_taken_over_by_another_user_brings_none_of_its_owners_messages(
        house: House, joined: dict[str, Voice]) -> None:
    thief = BrokerUser("n2", house.nodes["n2"].password, house.nodes["n1"].client_id, house.nodes["n2"].rights)
    stolen = house.nodes["n1"].rights
    assert stolen is not None
    with house.client(thief, stolen.subscribe) as taker:
        assert wait_until(lambda: bool(joined["n1"].lost) or bool(taker.errors))
        joined["server"].publish(topics.of_node(SITE, "n1", topics.Down.ORDER), b"for n1 alone")
        settle({"server": joined["server"]})
        assert b"for n1 alone" not in taker.payloads()
        assert not house.binds_client_ids or (taker.errors and joined["n1"].connected)


def test_a_removed_node_is_cut_off_at_once_while_the_others_stay(house: House, joined: dict[str, Voice]) -> None:
    house.broker.set_users([house.server, house.nodes["n2"], house.nodes["n3"]])
    try:
        assert wait_until(lambda: bool(joined["n1"].lost), 2)
        joined["server"].publish(topics.of_group(SITE, topics.ALL, topics.ToGroup.COMMAND), b"still here?")
        assert wait_until(lambda: joined["n2"].payloads() == [b"still here?"] == joined["n3"].payloads())
        assert not joined["n1"].connected
        assert not joined["n1"].got
        assert not joined["n2"].lost + joined["n3"].lost + joined["server"].lost
    finally:
        house.restore()


def test_a_node_with_a_changed_password_is_cut_off_too(house: House, joined: dict[str, Voice]) -> None:
    old = house.nodes["n1"]
    new = BrokerUser("n1", "another-password", old.client_id, old.rights)
    house.broker.set_users([house.server, new, house.nodes["n2"], house.nodes["n3"]])
    try:
        assert wait_until(lambda: bool(joined["n1"].lost), 2)
        with house.client(new) as renewed:
            assert wait_until(lambda: renewed.connected)
    finally:
        house.restore()


def test_a_node_that_joins_a_group_hears_it(
        house: House, joined: dict[str, Voice]) -> None:
    old = house.nodes["n3"]
    rights = topics.node_rights(SITE, "n3", (*GROUPS["n3"], "zone-a"))
    moved = BrokerUser(old.username, old.password, old.client_id, rights)
    house.broker.set_users([house.server, house.nodes["n1"], house.nodes["n2"], moved])
    try:
        node = joined["n3"]
        assert isinstance(node, Client)
        assert wait_until(lambda: node.connected)
        node.link.set_subscriptions(rights.subscribe)
        topic = topics.of_group(SITE, "zone-a", topics.ToGroup.COMMAND)

        def heard() -> bool:
            joined["server"].publish(topic, b"zone")
            return b"zone" in joined["n3"].payloads()

        assert wait_until(heard)
        assert house.cuts_who_changes or not node.lost
    finally:
        house.restore()


def test_a_node_that_left_a_group_no_longer_hears_it(house: House, joined: dict[str, Voice]) -> None:
    old = house.nodes["n1"]
    moved = BrokerUser(old.username, old.password, old.client_id, topics.node_rights(SITE, "n1", ("village-1",)))
    house.broker.set_users([house.server, moved, house.nodes["n2"], house.nodes["n3"]])
    try:
        joined["server"].publish(topics.of_group(SITE, "commune-1", topics.ToGroup.COMMAND), b"commune")
        assert wait_until(lambda: joined["n2"].payloads() == [b"commune"])
        settle(joined)
        assert b"commune" not in joined["n1"].payloads()
    finally:
        house.restore()


def settle(clients: dict[str, Voice]) -> None:
    """Everything published before has arrived: a marker of the server to itself comes back last, by each broker."""
    server = clients["server"]
    marker = topics.of_node(SITE, "settled", topics.Up.HEARTBEAT)
    before = len(server.got)
    server.publish(marker, b"marker")
    ways = server.ways if isinstance(server, Everywhere) else 1
    assert wait_until(lambda: [topic for topic, _, _ in server.got[before:]].count(marker) == ways)
    server.got[:] = [one for one in server.got if one[0] != marker]

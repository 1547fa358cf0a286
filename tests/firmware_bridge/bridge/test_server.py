"""The bridge over the broker in memory and over NATS: what the conductor sees of it."""

import secrets
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from firmware_bridge.bridge.broker import EmbeddedNats, MemoryBroker, server_user
from firmware_bridge.bridge.decode import Journal, Why
from firmware_bridge.bridge.links import connect
from firmware_bridge.bridge.outbox import Due, Wanted, What
from firmware_bridge.bridge.server import Bridge, BrokerState
from firmware_bridge.contract import envelope as dsse
from firmware_bridge.contract import keys, topics
from firmware_bridge.contract.documents import Command, CommandKind, Receipt, RollCall, TimeAnswer
from firmware_bridge.contract.messages import (
    FIRST_HASH,
    Entry,
    Heartbeat,
    Held,
    Hello,
    JournalBatch,
    TimeRequest,
)
from firmware_bridge.contract.topics import Down, Up
from firmware_bridge.wire import Address, Congested
from tests.firmware_bridge.bridge.clients import SITE, Client, node_user, wait_until


class House:
    """A broker, the bridge on it, and one node's bare client."""

    def __init__(self, broker: MemoryBroker | EmbeddedNats) -> None:
        self.broker = broker
        self.server_key, self.node_key = keys.new_key(), keys.new_key()
        self.states: list[BrokerState] = []
        server, self.user = server_user(), node_user("n1", ("commune-1",))
        broker.set_users([server, self.user])
        self.bridge = Bridge(
            broker.address.address_for(server), SITE, self.server_key, self.public_key_of, self.now,
            on_broker=self.states.append,
            make_link=broker.connection if isinstance(broker, MemoryBroker) else connect)
        assert self.user.rights is not None
        self.node = Client(broker.address.address_for(self.user), self.user.rights.subscribe,
                           broker if isinstance(broker, MemoryBroker) else None)

    def public_key_of(self, node: str) -> str | None:
        return keys.public_to_base64(self.node_key) if node == "n1" else None

    def now(self) -> datetime:
        return datetime.now(UTC)

    def say(self, kind: Up, payload: bytes) -> None:
        self.node.publish(topics.of_node(SITE, "n1", kind), payload)

    def heard(self, kind: Down) -> list[bytes]:
        return [payload for topic, payload, _ in self.node.got if topic == topics.of_node(SITE, "n1", kind)]


@pytest.fixture(params=["memory", "nats"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    broker = MemoryBroker(SITE) if request.param == "memory" else EmbeddedNats(tmp_path, SITE)
    broker.start()
    house = House(broker)
    with house.node:
        assert wait_until(lambda: house.node.connected)
        house.bridge.start()
        assert wait_until(lambda: house.bridge.broker_state.connected)
        yield house
        house.bridge.stop()
    broker.stop()


def hello(held: Held = Held()) -> bytes:  # noqa: B008 - frozen
    return Hello(boot="b", connection=1, journal="j", held=held).to_bytes()


def journal(key: Ed25519PrivateKey, *kinds: str, node: str = "n1", data: dict[str, str] | None = None) -> bytes:
    entries = tuple(Entry(seq=seq, at=datetime.now(UTC), kind=kind, data=dict(data or {})).to_bytes().decode()
                    for seq, kind in enumerate(kinds, 1))
    batch = JournalBatch(node=node, journal="j", first_seq=1, previous=FIRST_HASH, entries=entries)
    return dsse.encode(batch.sign(key))


def stop_command(target: str, seconds: float = 60) -> Command:
    now = datetime.now(UTC)
    return Command(site=SITE, target=target, id=secrets.token_hex(8), issued=now,
                   expires=now + timedelta(seconds=seconds), kind=CommandKind.STOP)


def test_the_roll_is_called_when_the_server_joins_the_broker(house: House) -> None:
    assert wait_until(lambda: bool(house.node.got))
    topic, payload, _ = house.node.got[0]
    assert topic == "loudspeaker/v1/demo/groups/all/roll-call"
    call = RollCall.from_bytes(dsse.decode(payload).payload)
    assert call.window_s == 5


def test_a_hello_is_drained_and_makes_the_wanted_order_and_trust_due(house: House) -> None:
    house.bridge.want([Wanted("n1", order=(1, 2), root=1)])
    house.say(Up.HELLO, hello())
    batch = house.bridge.drain(idle_s=5)
    assert [(one.node, one.kind) for one in batch.received] == [("n1", Up.HELLO)]
    assert house.bridge.due() == [Due("n1", What.TRUST), Due("n1", What.ORDER)]
    assert house.bridge.due() == []


def test_a_hello_of_a_node_that_needs_nothing_is_answered_with_a_receipt(house: House) -> None:
    house.bridge.want([Wanted("n1", order=(1, 2))])
    house.say(Up.HELLO, hello(Held(order=(1, 2))))
    house.bridge.drain(idle_s=5)
    assert house.bridge.due() == [Due("n1", What.RECEIPT)]
    house.bridge.publish_receipt("n1", "j", 7)
    assert wait_until(lambda: bool(house.heard(Down.RECEIPT)))
    envelope = dsse.decode(house.heard(Down.RECEIPT)[0])
    public = keys.public_to_base64(house.server_key)
    assert dsse.good_signers(envelope, {keys.key_id(public): public})
    assert Receipt.from_bytes(envelope.payload).seq == 7


def test_a_time_request_is_answered_without_anybody_draining(house: House) -> None:
    asked = datetime.now(UTC)
    house.say(Up.TIME_REQUEST, TimeRequest(nonce="once", sent=asked).to_bytes())
    assert wait_until(lambda: bool(house.heard(Down.TIME)))
    answer = TimeAnswer.from_bytes(dsse.decode(house.heard(Down.TIME)[0]).payload)
    assert answer.nonce == "once"
    assert asked - timedelta(milliseconds=1) <= answer.received <= answer.sent <= datetime.now(UTC)
    assert house.bridge.inbox.depth == 0


def test_an_answer_does_not_wait_for_the_acknowledgement_of_what_was_said_before(house: House) -> None:
    """Without TCP_NODELAY every answer is 40 ms late: the bound of the node's clock would be 20 ms at best."""
    took: list[float] = []
    for at in range(9):
        began = time.monotonic()
        house.say(Up.HEARTBEAT, Heartbeat(o=(0, 0), t=(0, 0, "")).to_bytes())
        house.say(Up.TIME_REQUEST, TimeRequest(nonce=str(at), sent=datetime.now(UTC)).to_bytes())
        assert wait_until(lambda: len(house.heard(Down.TIME)) > len(took))
        took.append(time.monotonic() - began)
    assert sorted(took)[4] < 0.035


def test_a_node_that_asks_for_the_time_without_end_is_not_answered_without_end(house: House) -> None:
    for at in range(1000):
        house.say(Up.TIME_REQUEST, TimeRequest(nonce=str(at), sent=datetime.now(UTC)).to_bytes())
    house.say(Up.HEARTBEAT, Heartbeat(o=(0, 0), t=(0, 0, "")).to_bytes())
    assert len(house.bridge.drain(idle_s=10).received) == 1
    assert 10 <= len(house.heard(Down.TIME)) < 100


def test_a_group_command_goes_out_once_and_again_only_to_who_did_not_answer(house: House) -> None:
    command = stop_command("group:commune-1")
    house.bridge.publish_command(command, command.sign(house.server_key), ["n1", "n2"])
    group = "loudspeaker/v1/demo/groups/commune-1/command"
    assert wait_until(lambda: group in [topic for topic, _, _ in house.node.got])
    assert not house.heard(Down.COMMAND)
    house.say(Up.HELLO, hello())
    house.bridge.drain(idle_s=5)
    house.bridge.due()
    assert wait_until(lambda: bool(house.heard(Down.COMMAND)))
    house.say(Up.JOURNAL, journal(house.node_key, "command", data={"id": command.id}))
    house.bridge.drain(idle_s=5)
    assert house.bridge.unanswered(command.id) == ("n2",)


def test_a_command_to_nobody_is_a_mistake(house: House) -> None:
    command = stop_command("everybody")
    with pytest.raises(ValueError, match="everybody"):
        house.bridge.publish_command(command, command.sign(house.server_key), [])


def test_a_journal_comes_in_as_typed_lines_with_their_hashes(house: House) -> None:
    house.say(Up.JOURNAL, journal(house.node_key, "boot", "clock"))
    (received,) = house.bridge.drain(idle_s=5).received
    assert isinstance(received.message, Journal)
    assert [(line.entry.seq, line.entry.kind) for line in received.message.lines] == [(1, "boot"), (2, "clock")]


def test_a_forged_journal_is_counted_and_the_next_message_still_read(house: House) -> None:
    house.say(Up.JOURNAL, journal(keys.new_key(), "boot"))
    house.say(Up.HEARTBEAT, b"{")
    house.say(Up.HEARTBEAT, Heartbeat(o=(0, 0), t=(0, 0, "")).to_bytes())
    (received,) = house.bridge.drain(wait_s=0.5, idle_s=5).received
    assert received.kind is Up.HEARTBEAT
    assert house.bridge.inbox.complaints.counts == {Why.SIGNATURE: 1, Why.NOT_JSON: 1}


def test_a_lost_broker_is_one_state_and_nothing_is_due_meanwhile(house: House) -> None:
    house.bridge.want([Wanted("n1", order=(1, 1))])
    house.say(Up.HELLO, hello())
    house.bridge.drain(idle_s=5)
    house.broker.stop()
    assert wait_until(lambda: not house.bridge.broker_state.connected)
    assert [state.connected for state in house.states] == [True, False]
    assert house.bridge.broker_state.reason
    assert house.bridge.due() == []


class FailingLink:
    """Connected, as far as anybody knows, until something is published."""

    connected = True

    def start(self) -> None: ...
    def stop(self) -> None: ...
    def publish(self, topic: str, payload: bytes) -> None:
        raise Congested(topic)


def test_a_command_that_the_link_did_not_take_is_repeated_all_the_same() -> None:
    key = keys.new_key()
    bridge = Bridge(Address("h", 1, "u", "p", "c"), SITE, key, lambda _node: None, lambda: datetime.now(UTC),
                    make_link=lambda *_: FailingLink())
    command = stop_command("group:all")
    with pytest.raises(Congested):
        bridge.publish_command(command, command.sign(key), ["n1"])
    assert bridge.unanswered(command.id) == ("n1",)


def test_what_is_said_goes_to_every_broker_and_one_away_is_named() -> None:
    brokers = [MemoryBroker(SITE), MemoryBroker(SITE)]
    server, node = server_user(), node_user("n1")
    made: list[MemoryBroker] = list(brokers)
    heard = []
    for broker in brokers:
        broker.set_users([server, node])
        broker.start()
        assert node.rights is not None
        heard.append(Client(broker.address.address_for(node), node.rights.subscribe, broker))
    addresses = [Address(name, 1, server.username, server.password, server.client_id) for name in ("one", "two")]
    bridge = Bridge(addresses, SITE, keys.new_key(), lambda _node: None, lambda: datetime.now(UTC),
                    make_link=lambda *given: made.pop(0).connection(*given))
    with heard[0], heard[1]:
        bridge.start()
        assert wait_until(lambda: bridge.broker_state.connected and not bridge.broker_state.away)
        bridge.publish_receipt("n1", "j", 1)
        assert wait_until(lambda: all(len(one.got) == 2 for one in heard))
        brokers[0].stop()
        assert wait_until(lambda: bridge.broker_state.away == ("one:1",))
        assert bridge.broker_state.connected
        bridge.publish_receipt("n1", "j", 2)
        assert wait_until(lambda: len(heard[1].got) == 3)
        brokers[1].stop()
        assert wait_until(lambda: not bridge.broker_state.connected)
    bridge.stop()

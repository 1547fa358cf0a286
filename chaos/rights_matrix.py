"""Every node against every other's topics, on a real broker: what leaks, and whether what is allowed arrives."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from chaos.raw_mqtt import RawClient, RawWill
from firmware_bridge.bridge.broker import Broker, BrokerUser, Endpoint, new_secret, server_user
from firmware_bridge.contract import topics
from firmware_bridge.contract.topics import Down, ToGroup, Up

SITE = "matrix"
COMMUNES = 2
"""The nodes are spread over them in turn."""
QUIET_S = 0.5
"""How long is listened for what must not come, after everything allowed has come."""


class RealBroker(Broker, Protocol):
    """A broker with one address."""

    @property
    def address(self) -> Endpoint:
        """Where it listens."""


@dataclass
class Tried:
    """How many things were tried, and which of them leaked or, being allowed, failed."""

    count: int = 0
    broken: list[str] = field(default_factory=list)

    def note(self, good: bool, what: str) -> None:
        """One more trial."""
        self.count += 1
        if not good:
            self.broken.append(what)


def groups_of(node: int) -> tuple[str, ...]:
    """The groups of the node with this number."""
    return (f"commune-{node % COMMUNES}", f"village-{node}")


def foreign_topics(node: int, nodes: int) -> list[bytes]:
    """Where a node must not publish: others', the way down, groups, other sites, the broker's own, and nonsense."""
    own, others = f"node-{node}", [f"node-{at}" for at in range(nodes) if at != node]
    text = [
        *(topics.of_node(SITE, other, kind) for other in others for kind in (*Up, *Down)),
        *(topics.of_node(SITE, own, kind) for kind in Down),
        *(topics.of_group(SITE, group, ToGroup.COMMAND) for group in _all_groups(nodes)),
        topics.of_group(SITE, topics.ALL, ToGroup.ROLL_CALL),
        topics.of_node("elsewhere", own, Up.HELLO),
        "$SYS/broker/uptime", "$SYS/REQ/SERVER/PING", "$JS/API/STREAM/LIST", "$JS.API.STREAM.DELETE.$MQTT_sess",
        "$MQTT/rmsgs/x", "$MQTT/msgs/x", "$MQTT/sub/x", "$MQTT/JSA/x", "$CONTROL/dynamic-security/v1",
        "$CONTROL/dynamic-security/v1/response", "_INBOX/x", "$share/x/loudspeaker",
    ]
    return [*(one.encode() for one in text), *_strange(own, others[0])]


def foreign_filters(node: int, nodes: int) -> list[bytes]:
    """What a node must not subscribe to."""
    own, others = f"node-{node}", [f"node-{at}" for at in range(nodes) if at != node]
    root = f"loudspeaker/v1/{SITE}"
    text = [
        *(topics.of_node(SITE, other, kind) for other in others for kind in (*Up, *Down)),
        *(topics.of_node(SITE, own, kind) for kind in Up),
        *(topics.of_group(SITE, group, ToGroup.COMMAND)
          for group in _all_groups(nodes) if group not in (*groups_of(node), topics.ALL)),
        topics.of_node("elsewhere", own, Down.ORDER),
        "#", "+", "+/#", "/#", "+/+/+/+/+/+", "loudspeaker/#", "loudspeaker/v1/#", f"{root}/#", "*", ">", f"{root}/>",
        f"{root}/*", f"{root}/nodes/{own}/#", f"{root}/nodes/{own}/+", f"{root}/nodes/+/order", f"{root}/nodes/*/order",
        f"{root}/groups/+/command", f"{root}/groups/*/command", f"{root}/groups/#", "loudspeaker/v1/+/nodes/+/order",
        "$SYS/#", "$SYS/+", "$SYS/>", "$JS/#", "$JS/API/#", "$JS.>", "$MQTT/#", "$MQTT/sub/+", "$MQTT.>",
        "$CONTROL/#", "$CONTROL/dynamic-security/v1/response", "_INBOX/#", "_INBOX.>", "$share/x/#",
        f"$share/x/{root}/nodes/{others[0]}/order", f"$queue/{root}/#",
    ]
    return [*(one.encode() for one in text), *_strange(own, others[0])]


def _all_groups(nodes: int) -> list[str]:
    return list(dict.fromkeys([*(group for node in range(nodes) for group in groups_of(node)), topics.ALL]))


def _strange(own: str, other: str) -> list[bytes]:
    """No topics at all, or nearly another's: not UTF-8, NUL, endless, empty levels, other separators."""
    root, victim = f"loudspeaker/v1/{SITE}/nodes".encode(), other.encode()
    return [
        root + b"/" + victim + b"/order\xff", root + b"/\xc0\xaf/" + victim + b"/order",
        root + b"/" + victim + b"\0/order",
        root + b"/" + victim + b"/order/" + b"x" * 60_000, root + b"//" + victim + b"/order",
        root + b"/" + victim + b"/order/", b"/" + root + b"/" + victim + b"/order", root + b"/" + victim + b".order",
        root.replace(b"/", b".") + b"." + victim + b".order", root + b"/" + victim + b"/ORDER",
        b"\xef\xbb\xbf" + root + b"/" + victim + b"/order", root + b"/" + own.encode() + b"/../" + victim + b"/order",
        b"", b"/", b"\0", b"\xed\xa0\x80", b"a b", b"loudspeaker/v1/" + "nhà".encode() + b"/x", b"/" * 1000,
    ]


@dataclass
class Matrix:
    """A broker with its server, the nodes, and for each trial one more login with that node's rights."""

    broker: RealBroker
    server: BrokerUser
    nodes: list[BrokerUser]
    doubles: list[tuple[int, BrokerUser, bytes]]
    """Number of the node whose rights it has, login, and what it tries."""


def prepared(broker: RealBroker, nodes: int, things: Callable[[int, int], list[bytes]], most: int,
             chance: random.Random) -> Matrix:
    """Start `broker` with all logins; at most `most` trials, drawn by `chance`."""
    made = Matrix(broker, server_user(), [_user(f"node-{at}", at) for at in range(nodes)], [])
    tries = [(at, thing) for at in range(nodes) for thing in things(at, nodes)]
    if len(tries) > most:
        tries = chance.sample(tries, most)
    made.doubles = [(at, _user(f"double-{number}", at), thing) for number, (at, thing) in enumerate(tries)]
    broker.set_users([made.server, *made.nodes, *(user for _, user, _ in made.doubles)])
    broker.start()
    return made


def _user(name: str, node: int) -> BrokerUser:
    return BrokerUser(name, new_secret(), new_secret(), topics.node_rights(SITE, f"node-{node}", groups_of(node)))


@contextmanager
def _listening(made: Matrix) -> Iterator[dict[str, RawClient]]:
    """The server and every node, with the subscriptions that are theirs."""
    with ExitStack() as stack:
        joined = {}
        for user in (made.server, *made.nodes):
            joined[user.username] = client = stack.enter_context(RawClient(made.broker.address, user))
            filters = topics.of_server(SITE) if user.rights is None else user.rights.subscribe
            refused = [one for one in filters if not client.subscribe(one.encode())]
            if refused:
                raise RuntimeError(f"{user.username} may not hold what is its own")
        yield joined


def wills_and_takeovers(made: Matrix) -> Tried:
    """Foreign wills, retained messages, and other people's client ids."""
    tried = Tried()
    with _listening(made) as joined:
        for at, user, topic in made.doubles:
            RawClient(made.broker.address, user, will=RawWill(topic, b"forged", retained=at % 2 == 1)).vanish()
        heard = _all_heard(joined, 0)
    forged = [topic for got in heard.values() for topic, payload in got if payload == b"forged"]
    tried.count += len(made.doubles)
    tried.broken += [f"a will on {topic!r}" for topic in forged]
    for at in range(len(made.nodes)):
        _take_over(made, at, (at + 1) % len(made.nodes), tried)
        _retain(made, at, tried)
    return tried


def _take_over(made: Matrix, victim_at: int, thief_at: int, tried: Tried) -> None:
    """With a wrong password the owner stays; with a thief's own login the owner's messages do not go to the thief."""
    victim, thief = made.nodes[victim_at], made.nodes[thief_at]
    order = topics.of_node(SITE, f"node-{victim_at}", Down.ORDER).encode()
    where = made.broker.address
    with RawClient(where, victim) as owner, RawClient(where, made.server) as server:
        owner.subscribe(order)
        with RawClient(where, victim, password="wrong") as stranger:
            tried.note(not stranger.accepted, "a wrong password with a right client id")
        tried.note(owner.settle(), "the owner of a client id stays when somebody knows no password")
        with RawClient(where, thief, client_id=victim.client_id) as taker:
            granted = taker.accepted and taker.subscribe(order)
            server.publish(order, b"secret")
            server.settle()
            tried.note(not granted and not taker.heard(0.1), "a client id taken over")


def _retain(made: Matrix, at: int, tried: Tried) -> None:
    topic = topics.of_node(SITE, f"node-{at}", Up.HELLO).encode()
    for qos in (0, 1):
        with RawClient(made.broker.address, made.nodes[at]) as sly:
            sly.publish(topic, b"for ever", retained=True, qos=qos)
            sly.settle()
    with RawClient(made.broker.address, made.server) as later:
        later.subscribe(topic)
        tried.note(not later.heard(0.1), "a message was retained")


def publications(made: Matrix) -> Tried:
    """Every node publishes where it must not, then where it may."""
    tried = Tried()
    with _listening(made) as joined:
        for at, user, topic in made.doubles:
            with RawClient(made.broker.address, user) as client:
                client.publish(topic, b"forged %d " % at + topic[:200])
                client.settle()
        for user in made.nodes:
            _speak_as(made, user)
        heard = _all_heard(joined, len(made.nodes) * len(Up))
    forged = [payload for got in heard.values() for _, payload in got if payload.startswith(b"forged")]
    for _, _, topic in made.doubles:
        tried.note(not any(one.endswith(topic[:200]) for one in forged), f"published to {topic[:80]!r}")
    allowed = [topic for topic, payload in heard[made.server.username] if payload == b"allowed"]
    tried.note(len(allowed) == len(made.nodes) * len(Up), f"{len(allowed)} allowed messages arrived")
    return tried


def subscriptions(made: Matrix) -> Tried:
    """Every node listens where it must not, then everything is said once."""
    tried = Tried()
    with ExitStack() as stack:
        snoops = []
        for _, user, topic_filter in made.doubles:
            snoops.append(snoop := stack.enter_context(RawClient(made.broker.address, user)))
            snoop.subscribe(topic_filter, qos=1 if user.username.endswith("7") else 0)
        with _listening(made) as joined:
            _say_everything(made, joined[made.server.username])
            heard = _all_heard(joined, len(made.nodes) * len(Up))
        tried.note(all(heard.values()), "what is one's own arrives")
        for snoop, (at, _, topic_filter) in zip(snoops, made.doubles, strict=True):
            got = snoop.heard(0.002)
            tried.note(not got, f"node-{at} heard {got[:1]} by {topic_filter[:80]!r}")
    return tried


def _say_everything(made: Matrix, server: RawClient) -> None:
    for at in range(len(made.nodes)):
        for kind in Down:
            server.publish(topics.of_node(SITE, f"node-{at}", kind).encode(), b"secret")
    for group in _all_groups(len(made.nodes)):
        server.publish(topics.of_group(SITE, group, ToGroup.COMMAND).encode(), b"secret")
    server.settle()
    for user in made.nodes:
        _speak_as(made, user)


def _speak_as(made: Matrix, node: BrokerUser) -> None:
    """Say something on every topic that is the node's own, by another login with its rights."""
    for user in (one for _, one, _ in made.doubles if one.rights == node.rights):
        with RawClient(made.broker.address, user) as client:
            for topic in user.rights.publish if user.rights else ():
                client.publish(topic.encode(), b"allowed")
            client.settle()
        return
    raise RuntimeError(f"no login has the rights of {node.username}")


def _all_heard(joined: dict[str, RawClient], wanted: int) -> dict[str, list[tuple[bytes, bytes]]]:
    """What each heard, once the last allowed message is there and it is quiet."""
    heard: dict[str, list[tuple[bytes, bytes]]] = {name: [] for name in joined}
    server = next(iter(joined))
    deadline = time.monotonic() + 20
    while sum(payload == b"allowed" for _, payload in heard[server]) < wanted and time.monotonic() < deadline:
        heard[server] += joined[server].heard(0.05)
    time.sleep(QUIET_S)
    for name, client in joined.items():
        heard[name] += client.heard(0.02)
    return heard

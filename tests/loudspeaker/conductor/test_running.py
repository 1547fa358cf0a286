"""The conductor at work over a broker: a node in memory hears orders, stops and receipts, and its words are stored."""

import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from time import monotonic

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import event
from sqlalchemy.exc import OperationalError
from sqlmodel import Session, select

from firmware_bridge.bridge.broker.base import BrokerUser, new_secret
from firmware_bridge.bridge.broker.memory import MemoryBroker, MemoryConnection
from firmware_bridge.bridge.inbox import Batch
from firmware_bridge.bridge.server import Bridge
from firmware_bridge.contract import envelope, keys, merkle, topics
from firmware_bridge.contract.documents import Command, CommandKind, Receipt, RunningOrder, TrustBundle
from firmware_bridge.contract.messages import Heartbeat, Held, JournalBatch, LogHead
from firmware_bridge.contract.topics import Down, Up
from loudspeaker.conductor import commands, jobs
from loudspeaker.conductor.airing import air_emergency
from loudspeaker.conductor.house import House
from loudspeaker.conductor.intake import Intake
from loudspeaker.conductor.jobs import Jobs
from loudspeaker.conductor.publish import wanted_of_all
from loudspeaker.nodes.models import Node, NodeState
from loudspeaker.orders.models import CommandAnswer
from loudspeaker.places.models import Place
from loudspeaker.playbacks.models import JournalMark, Playback
from loudspeaker.programmes.models import TargetKind
from loudspeaker.programmes.poles import Target
from loudspeaker.transparency import service as public_log
from loudspeaker.users.access import Actor
from loudspeaker.users.models import Role
from schedules.clock import ManualClock
from tests.loudspeaker.airing_builders import NodeVoice, a_broadcast, an_approved_recording
from tests.loudspeaker.builders import START, SetClock, a_commune, a_node, an_actor

PATIENCE_S = 30.0


@dataclass
class Pole:
    """A node on the broker: what it heard waits in `heard`."""

    voice: NodeVoice
    key: Ed25519PrivateKey
    site: str
    link: MemoryConnection
    heard: queue.SimpleQueue[tuple[str, bytes]] = field(default_factory=queue.SimpleQueue)

    def say(self, kind: Up, payload: bytes) -> None:
        self.link.publish(topics.of_node(self.site, self.voice.node, kind), payload)

    def hello(self, held: Held | None = None) -> None:
        self.say(Up.HELLO, self.voice.hello(held).to_bytes())

    def journal(self) -> None:
        batch = self.voice.batch()
        document = JournalBatch(node=self.voice.node, journal="j1", first_seq=1, previous=batch.previous,
                                entries=tuple(self.voice.texts))
        self.say(Up.JOURNAL, envelope.encode(document.sign(self.key)))

    def next(self, wanted: Callable[[str], bool]) -> envelope.Envelope:
        """The next message on a topic that is wanted."""
        while True:
            topic, payload = self.heard.get(timeout=PATIENCE_S)
            if wanted(topic):
                return envelope.decode(payload)

    def next_payload(self, kind: Down) -> bytes:
        """The next message of a kind, as it came."""
        while True:
            topic, payload = self.heard.get(timeout=PATIENCE_S)
            if topic.endswith(f"/{kind}"):
                return payload

    def next_order(self) -> RunningOrder:
        return RunningOrder.from_bytes(self.next(lambda topic: topic.endswith(Down.ORDER)).payload)

    def next_command(self) -> Command:
        return Command.from_bytes(self.next(lambda topic: topic.endswith(Down.COMMAND)).payload)


@dataclass
class Running:
    """A house with its conductor running, one pole on the broker, and people."""

    house: House
    jobs: Jobs
    broker: MemoryBroker
    pole: Pole
    place: Place
    technician: Actor
    approver: Actor


@pytest.fixture
def running(house: House, clock: SetClock) -> Iterator[Running]:
    key = keys.new_key()
    with house.database.work() as session:
        place = a_commune(session)
        node = a_node(session, place, key=key)
        technician, approver = (an_actor(session, role, place) for role in (Role.TECHNICIAN, Role.APPROVER))
    broker = MemoryBroker(house.site)
    server = BrokerUser("server", new_secret(), new_secret())
    user = BrokerUser(node.id, new_secret(), new_secret(), topics.node_rights(house.site, node.id, (place.id,)))
    broker.set_users([server, user])
    broker.start()
    house.bridge = Bridge(broker.address.address_for(server), house.site, house.keys.server,
                          lambda one: node.public_key if one == node.id else None, clock,
                          make_link=broker.connection, draw=lambda: 0.5)
    house.bridge.start()
    started = jobs.start(house, ManualClock(START))
    heard: queue.SimpleQueue[tuple[str, bytes]] = queue.SimpleQueue()
    link = broker.connection(broker.address.address_for(user), user.rights.subscribe if user.rights else (),
                             lambda topic, payload, _retained: heard.put((topic, payload)), lambda: None,
                             lambda _reason: None)
    link.start()
    yield Running(house, started, broker, Pole(NodeVoice(node.id), key, house.site, link, heard), place, technician,
                  approver)
    started.stop()
    house.bridge.stop()
    broker.stop()


def read(running: Running) -> Session:
    return Session(running.house.database.engine)


def test_a_hello_is_answered_with_the_order_it_lacks(running: Running) -> None:
    running.pole.hello()
    order = running.pole.next_order()
    assert (order.node, order.epoch) == (running.pole.voice.node, 1)


def test_a_nudge_brings_a_new_order_to_the_pole(running: Running) -> None:
    running.pole.hello()
    running.pole.next_order()
    with running.house.database.work() as session:
        node = session.get_one(Node, running.pole.voice.node)
        broadcast = a_broadcast(session, running.place, START + timedelta(minutes=5), node)
    running.house.outdated()
    order = running.pole.next_order()
    assert [one.id for one in order.broadcasts] == [broadcast.id]


def test_a_pole_that_lacks_only_the_newest_head_of_the_log_is_sent_the_root_and_that(running: Running) -> None:
    with running.house.database.work() as session:
        wanted, = wanted_of_all(session, START)
        public_log.append(session, START, envelope.sign("application/x", b"{}", keys.new_key()))
    running.house.outdated()
    running.pole.hello(Held(order=wanted.order, root=wanted.root, approvers=wanted.approvers, stop=wanted.stop,
                            policies=wanted.policies, log=LogHead(size=0, root=merkle.EMPTY.hex())))
    bundle = TrustBundle.from_bytes(running.pole.next_payload(Down.TRUST))
    assert bundle.log is not None
    assert (bundle.approvers, bundle.policies, bundle.roots) == (None, (), ())


def test_an_idle_pole_that_holds_everything_is_sent_a_receipt_and_then_nothing_for_an_hour(
        running: Running, clock: SetClock) -> None:
    pole = running.pole
    pole.hello()
    order = pole.next_order()
    with running.house.database.read() as session:
        wanted, = wanted_of_all(session, START)
    mine = Held(order=(order.epoch, order.version), root=wanted.root, approvers=wanted.approvers,
                stop=wanted.stop, policies=wanted.policies, log=LogHead(size=wanted.log, root="00" * 32))
    pole.hello(mine)
    pole.next_payload(Down.RECEIPT)
    while not pole.heard.empty():
        pole.heard.get()
    for minute in range(1, 61):
        clock.at = START + timedelta(minutes=minute)
        pole.say(Up.HEARTBEAT, Heartbeat(o=mine.order, t=(mine.root, mine.approvers, mine.policies), s=mine.stop,
                                         j=0).to_bytes())
        running.jobs.publisher.rebuild()
        running.jobs.publisher.send_due()
    assert pole.heard.empty()


def test_a_receipt_follows_what_was_committed(running: Running) -> None:
    running.pole.voice.write("clock", START)
    running.pole.journal()
    receipt = Receipt.from_bytes(running.pole.next(lambda topic: topic.endswith(Down.RECEIPT)).payload)
    assert (receipt.journal, receipt.seq) == ("j1", 1)
    with read(running) as session:
        assert session.exec(select(JournalMark.seq)).one() == 1


def test_what_could_not_be_committed_is_not_acknowledged(running: Running) -> None:
    failures = [OperationalError("commit", {}, Exception("disk I/O error"))] * 2
    refused: list[int] = []

    def fail(_connection: object) -> None:
        if failures and threading.current_thread().name == "ingest":
            refused.append(1)
            raise failures.pop()

    event.listen(running.house.database.engine, "commit", fail)
    running.pole.voice.write("clock", START)
    running.pole.journal()
    receipt = Receipt.from_bytes(running.pole.next(lambda topic: topic.endswith(Down.RECEIPT)).payload)
    event.remove(running.house.database.engine, "commit", fail)
    assert (len(refused), receipt.seq) == (2, 1)
    with read(running) as session:
        assert session.exec(select(JournalMark.seq)).one() == 1


def test_stop_goes_to_the_group_at_once_and_stands_in_the_order(running: Running) -> None:
    running.pole.hello(Held(order=(1, 1)))
    with running.house.database.work() as session:
        pressed = commands.stop(session, running.technician, START, running.house, f"place:{running.place.id}", True)
    command = running.pole.next_command()
    assert (command.kind, command.target) == (CommandKind.STOP, f"group:{running.place.id}")
    assert command.standing_stop is not None
    assert command.standing_stop.generation == pressed.generation
    assert running.pole.next_order().standing_stop == command.standing_stop


def test_lifting_a_wide_stop_lifts_the_narrow_ones_below_it(running: Running) -> None:
    with running.house.database.work() as session:
        commands.stop(session, running.technician, START, running.house, f"node:{running.pole.voice.node}", True)
        commands.stop(session, running.technician, START, running.house, "all", True)
        lifted = commands.stop(session, running.technician, START, running.house, "all", False)
    running.pole.hello()
    stop = running.pole.next_order().standing_stop
    assert (stop.active, stop.generation) == (False, lifted.generation)


def test_a_command_is_repeated_to_who_comes_back_and_its_answer_kept(running: Running) -> None:
    with running.house.database.work() as session:
        sent = commands.ask(session, running.technician, START, running.house, f"place:{running.place.id}",
                            CommandKind.SELF_TEST)
    assert running.pole.next_command().id == sent.id
    running.pole.hello()
    assert running.pole.next_command().id == sent.id
    running.pole.voice.write("command", START, id=sent.id, kind="self_test", result="passed")
    running.pole.journal()
    running.pole.next(lambda topic: topic.endswith(Down.RECEIPT))
    with read(running) as session:
        assert session.exec(select(CommandAnswer.result)).one() == "passed"
        answers = commands.answers(session, running.technician, sent.id)
        assert answers.waiting == ()


def test_an_emergency_goes_out_as_one_command_with_a_row_per_node(running: Running) -> None:
    with running.house.database.work() as session:
        author = an_actor(session, Role.EDITOR, running.place)
        recording = an_approved_recording(session, running.place, author, "Lũ về", air_class=2)
        broadcast, _sent = air_emergency(session, running.approver, START, running.house, running.place.id, "Lũ về",
                                         {"vi": recording.id}, [Target(TargetKind.PLACE, running.place.id)])
    command = running.pole.next_command()
    assert command.play_now is not None
    assert command.play_now.recordings == {"vi": recording.sha256}
    running.pole.voice.played(broadcast.id, START)
    running.pole.journal()
    running.pole.next(lambda topic: topic.endswith(Down.RECEIPT))
    with read(running) as session:
        assert session.exec(select(Playback.state)).all() == ["played"]


def test_an_inbox_that_fails_once_is_read_again(running: Running) -> None:
    voice, bridge = running.pole.voice, running.house.bridge
    assert bridge is not None
    drained: list[Batch | Exception] = [Batch((voice.says(voice.heartbeat(p="b9"), START),)),
                                        RuntimeError("no database")]
    quiet, real_inbox = threading.Event(), bridge.inbox

    class Flaky:
        """A bridge whose inbox fails first."""

        inbox = real_inbox

        def drain(self) -> Batch:
            """Fail, then give a heartbeat, then nothing."""
            if not drained:
                quiet.wait(0.01)
                return Batch()
            given = drained.pop()
            if isinstance(given, Exception):
                raise given
            return given

    intake = Intake(running.house, Flaky())  # type: ignore[arg-type] # all of a bridge that is needed here
    intake.start()
    deadline = monotonic() + PATIENCE_S
    while monotonic() < deadline:
        with read(running) as session:
            if session.get_one(NodeState, voice.node).playing == "b9":
                break
    intake.stop()
    with read(running) as session:
        assert session.get_one(NodeState, voice.node).playing == "b9"


def test_a_message_that_no_database_takes_does_not_stop_the_others(running: Running) -> None:
    assert running.house.bridge is not None
    intake = Intake(running.house, running.house.bridge)
    voice = running.pole.voice
    bad = voice.says(voice.hello().model_copy(update={"journal": object()}), START)
    good = voice.says(voice.heartbeat(p="b1"), START)
    intake.take([bad, good, bad])
    assert intake.refused == 2
    with read(running) as session:
        assert session.get_one(NodeState, voice.node).playing == "b1"

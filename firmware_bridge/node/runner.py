"""The real node: inputs from the broker, the cache, the player and the clock; effects carried out in order."""

import queue
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import httpx2
import structlog

from firmware_bridge.contract import keys
from firmware_bridge.contract.messages import Entry, EntryKind
from firmware_bridge.contract.nodeconfig import NodeConfig
from firmware_bridge.contract.topics import Down, Up, of_node
from firmware_bridge.node import agent, link
from firmware_bridge.node.amplifier import Amplifier
from firmware_bridge.node.blocks import BlockSource
from firmware_bridge.node.cache import Cache
from firmware_bridge.node.clocks import machine_boot, moment, monotonic
from firmware_bridge.node.config import pinned_trust
from firmware_bridge.node.crashpoints import Point, Reach, pass_by
from firmware_bridge.node.effects import (
    Confirm,
    Effect,
    Fetch,
    Install,
    Keep,
    Play,
    Prepare,
    PruneJournal,
    Publish,
    Remove,
    Restart,
    SelfTest,
    SetVolume,
    Silence,
    Subscribe,
    SwitchAmplifier,
    Sync,
    UploadJournal,
    Write,
)
from firmware_bridge.node.fetching import HttpSource, get_documents
from firmware_bridge.node.hardware.parts import Parts
from firmware_bridge.node.inputs import (
    Boot,
    Connected,
    CueEnded,
    CueStarted,
    Disconnected,
    Input,
    Measured,
    Message,
    Tick,
    Trouble,
)
from firmware_bridge.node.kept import is_damage
from firmware_bridge.node.ledger import Ledger
from firmware_bridge.node.machine import Machine
from firmware_bridge.node.players import Player
from firmware_bridge.node.renewal import Renewal
from firmware_bridge.node.routes import Routes
from firmware_bridge.node.stage import Stage
from firmware_bridge.node.state import Identity, State
from firmware_bridge.node.store import Store
from firmware_bridge.node.timekeeping import Moment
from firmware_bridge.wire import Address, Connection, NotConnected, Will, WireError

MEASURE_EVERY_S = 60.0
DISK_AGAIN_S = 10.0
"""How long after the disk refused it is tried again."""
LONGEST_NAP_S = 1.0
WRITTEN = {EntryKind.ORDER_ACCEPTED: Point.ORDER_KEPT, EntryKind.TRUST_ACCEPTED: Point.TRUST_KEPT,
           EntryKind.COMMAND: Point.COMMAND_KEPT, EntryKind.PLAY_START: Point.START_WRITTEN,
           EntryKind.PLAY_END: Point.END_WRITTEN, EntryKind.PLAY_MISSED: Point.END_WRITTEN}
"""The crash point behind the commit of an entry of this kind."""


def firmware() -> str:
    """The program's version."""
    try:
        return version("loudspeaker")
    except PackageNotFoundError:
        return "0"


class Runner:
    """One pole, from `run` to `stop`."""

    def __init__(self, config: NodeConfig, data: Path, player: Player, amplifier: Amplifier,
                 client: httpx2.Client, clock: Callable[[], Moment] = moment, reach: Reach = pass_by,
                 machine: Machine | None = None) -> None:
        self.config, self.data, self._client, self._clock, self._reach = config, data, client, clock, reach
        self._log = structlog.get_logger("node").bind(node=config.node)
        self._key = keys.private_from_base64(config.private_key)
        self._inbox: queue.SimpleQueue[Input | None] = queue.SimpleQueue()
        self._store = Store(data / "recordings", reach)
        self._stage = Stage(player, amplifier, self._store, self._inbox.put, reach)
        self._machine = machine or Machine(data, Parts())
        self._ledger = Ledger(data, reach)
        self._is_damaged = False
        self._disk_trouble: str | None = None
        self._disk_due = 0.0
        self._block_topic = of_node(config.site, config.node, Down.BLOCK)
        self._blocks = BlockSource(lambda ask: self._send(of_node(config.site, config.node, Up.BLOCK_REQUEST), ask))
        self._cache = Cache(self._store, Routes(HttpSource(client), self._blocks, lambda: self.state.link.up),
                            self._inbox.put, config.cache_floor_mb * 1024 * 1024,
                            lambda: self.state.time.read(self._clock()).now)
        self._renewal = Renewal(data, lambda: self.state.trust.root.server_key)
        self._connection: Connection | None = None
        self._topics: tuple[str, ...] = ()
        self._measured = 0.0
        self.state: State = self._unborn()

    def run(self) -> None:
        """Live until `stop`."""
        self.wake()
        self._open()
        while self._turn_safely():
            pass
        self._close()

    def wake(self) -> None:
        """Begin from what is on the disk."""
        self._ledger.hold_reserve()
        journal = self._ledger.journal
        self.take(Boot(uuid.uuid4().hex[:16], machine_boot(), journal.mark(), journal.kept(),
                       tuple(self._store.scan()), journal.broken))

    def stop(self) -> None:
        """End `run`; may be called from a signal handler or another thread."""
        self._inbox.put(None)

    def report(self, happened: Input) -> None:
        """Something happened outside; may be called from another thread."""
        self._inbox.put(happened)

    def entries(self) -> list[Entry]:
        """The whole journal on the disk."""
        return self._ledger.journal.entries(limit=1_000_000)

    def take(self, happened: Input) -> None:
        """One step: new state and journal durable first, then the effects."""
        state, effects = agent.step(self.state, happened, self._clock())
        durable = [one for one in effects if isinstance(one, Write | Keep)]
        if durable:
            self._ledger.commit(durable, self.state.link.receipted)
            self._note_written(durable)
        self.state = state
        for one in durable:
            if isinstance(one, Write):
                self._log.info(one.entry.kind, broadcast=one.entry.broadcast, **one.entry.data)
        for effect in effects:
            if not isinstance(effect, Write | Keep):
                self._perform(effect)

    def _unborn(self) -> State:
        config = self.config
        who = Identity(config.site, config.node, config.place_path, firmware(), config.has_rtc)
        return agent.begin(who, pinned_trust(config))

    def _note_written(self, durable: list[Write | Keep]) -> None:
        for one in durable:
            if isinstance(one, Write) and (point := WRITTEN.get(EntryKind(one.entry.kind))) is not None:
                self._reach(point)

    def _open(self) -> None:
        self._machine.begin(self._inbox.put, self.stop)
        self._stage.player.start(self._inbox.put)
        self._cache.start()
        self._connection = self._connect()
        self._connection.start()

    def _connect(self) -> Connection:
        return Connection(
            [self._address(number) for number in range(len(self.config.brokers))], self._topics,
            self._hear, self._on_connected, lambda reason: self._inbox.put(Disconnected(reason)), self._will,
            on_torn=lambda topic, payload: self._blocks.take(payload) if topic == self._block_topic else None)

    def _hear(self, topic: str, payload: bytes, retained: bool) -> None:
        if topic == self._block_topic:
            self._blocks.take(payload)
        else:
            self._inbox.put(Message(topic, payload, retained, monotonic()))

    def _on_connected(self) -> None:
        self._blocks.connected()
        self._inbox.put(Connected())

    def _address(self, number: int) -> Address:
        broker = self.config.brokers[number]
        ca = None
        if broker.ca is not None:
            ca = self.data / f"broker-{number}.pem"
            ca.write_text(broker.ca)
        return Address(broker.host, broker.port, broker.username, broker.password, broker.client_id, broker.tls, ca)

    def _will(self) -> Will:
        return Will(of_node(self.config.site, self.config.node, Up.PRESENCE), link.next_will(self.state).to_bytes())

    def _turn_safely(self) -> bool:
        """One turn of the main loop. Nothing that goes wrong in it may end the node."""
        try:
            return self._turn()
        except Exception as error:  # noqa: BLE001 - the node's main loop goes on whatever happens
            self._log.exception("main_loop")
            self._is_damaged |= isinstance(error, sqlite3.DatabaseError) and is_damage(error)
            self._inbox.put(Trouble("main_loop", repr(error)))
            time.sleep(0.2)
            return True

    def _turn(self) -> bool:
        if self._is_damaged:
            self._wake_again()
        try:
            happened = self._inbox.get(timeout=max(0.001, min(LONGEST_NAP_S, agent.wake_in(self.state, self._clock()))))
        except queue.Empty:
            happened = Tick()
        if happened is None:
            return False
        if isinstance(happened, CueStarted | CueEnded):
            self._log.info("heard", report=repr(happened), mono=round(monotonic(), 3))
        self.take(happened)
        self._mind_disk()
        if monotonic() - self._measured > MEASURE_EVERY_S:
            self._measured = monotonic()
            self.take(Measured(self._machine.measure() | {"fetched_mb": round(self._cache.fetched_bytes / 1e6, 1)}))
        self._machine.pat()
        return True

    def _wake_again(self) -> None:
        """The journal is damaged: silence, and a new beginning from the copy of what was kept."""
        for one in self.state.cues:
            self._stage.player.silence(one.cue.id, self._clock().mono)
        self._ledger.reopen()
        self._is_damaged, connected = False, self.state.link.up
        self.state = self._unborn()
        self.wake()
        if connected:
            self.take(Connected())

    def _mind_disk(self) -> None:
        """Try again what the disk refused, and let people know that it does, or no longer does."""
        trouble = self._ledger.trouble
        if trouble is None and self._ledger.reserve_used:
            trouble = "the disk is full: the reserve is in use"
        if trouble != self._disk_trouble:
            self._disk_trouble = trouble
            self._inbox.put(Trouble("disk", trouble) if trouble else Trouble("disk_recovered", "all is on the disk"))
        mono = self._clock().mono
        if mono >= self._disk_due and (self._ledger.trouble or self._ledger.reserve_used):
            self._disk_due = mono + DISK_AGAIN_S
            self._ledger.retry(self.state.link.receipted)

    def _perform(self, effect: Effect) -> None:
        match effect:
            case Publish(topic, payload):
                self._publish(topic, payload)
            case UploadJournal(after):
                self._upload(after)
            case PruneJournal(through, before, most):
                self._ledger.journal.prune(through, before, most)
            case Fetch():
                self._cache.want(effect)
            case Remove(sha256):
                self._store.remove(sha256)
            case Sync():
                self._aside(self._sync)
            case SelfTest() | Install() | Restart() | Confirm():
                self._ask_machine(effect)
            case Subscribe(topics):
                self._subscribe(topics)
            case Prepare() | Play() | Silence() | SetVolume() | SwitchAmplifier():
                self._stage.perform(effect)

    def _send(self, topic: str, payload: bytes) -> None:
        if self._connection is None:
            raise NotConnected(topic)
        self._connection.publish(topic, payload)

    def _publish(self, topic: str, payload: bytes) -> None:
        try:
            self._send(topic, payload)
        except WireError as error:
            self._log.debug("unsent", topic=topic, error=repr(error))

    def _upload(self, after: int) -> None:
        batch = self._ledger.journal.batch(self.config.node, self._key, after)
        if batch is not None:
            self._publish(of_node(self.config.site, self.config.node, Up.JOURNAL), batch)

    def _subscribe(self, topics: tuple[str, ...]) -> None:
        self._topics = topics
        if self._connection is not None:
            self._connection.set_subscriptions(topics)

    def _renew(self) -> None:
        """Take up new credentials where the server has some: first on the disk, then in use."""
        renewed = self._renewal.renew(self.config, self._client)
        if renewed is not None:
            self.config = renewed
            if self._connection is not None:
                self._connection.set_addresses([self._address(number) for number in range(len(renewed.brokers))])

    def _sync(self) -> None:
        self._renew()
        for kind, payload in get_documents(self._client).items():
            self._inbox.put(Message(of_node(self.config.site, self.config.node, Down(kind)), payload))
        self._machine.look_for_software()

    def _ask_machine(self, effect: SelfTest | Install | Restart | Confirm) -> None:
        if isinstance(effect, SelfTest):
            self._aside(lambda: self._inbox.put(self._machine.test(effect.command, effect.aloud)))
        else:
            self._machine.perform(effect)

    def _aside(self, work: Callable[[], None]) -> None:
        threading.Thread(target=work, name="aside", daemon=True).start()

    def _close(self) -> None:
        """End everything within a second: a goodbye, silence, and what is on the disk stays there."""
        goodbye = link.presence(self.state, online=False).to_bytes()
        self._publish(of_node(self.config.site, self.config.node, Up.PRESENCE), goodbye)
        if self._connection is not None:
            self._connection.stop()
        self._stage.close()
        self._cache.close()
        self._ledger.close()
        self._machine.close()

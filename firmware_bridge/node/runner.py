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
from firmware_bridge.contract.messages import Entry
from firmware_bridge.contract.nodeconfig import NodeConfig
from firmware_bridge.contract.topics import Down, Up, of_node
from firmware_bridge.node import agent, link
from firmware_bridge.node.amplifier import Amplifier
from firmware_bridge.node.cache import Cache, get_documents
from firmware_bridge.node.clocks import machine_boot, moment, monotonic
from firmware_bridge.node.config import pinned_trust
from firmware_bridge.node.effects import (
    Cue,
    Effect,
    Fetch,
    Keep,
    Play,
    Prepare,
    PruneJournal,
    Publish,
    Remove,
    SelfTest,
    SetVolume,
    Silence,
    Subscribe,
    SwitchAmplifier,
    Sync,
    UploadJournal,
    Write,
)
from firmware_bridge.node.inputs import (
    Boot,
    Connected,
    CueEnded,
    CueStarted,
    Disconnected,
    Input,
    Measured,
    Message,
    SelfTested,
    Spoiled,
    Tick,
    Trouble,
)
from firmware_bridge.node.journal import Journal
from firmware_bridge.node.players import Player
from firmware_bridge.node.players.decoder import NoDecoder
from firmware_bridge.node.selftest import measure, self_test
from firmware_bridge.node.state import Identity, State
from firmware_bridge.node.store import Store
from firmware_bridge.node.timekeeping import Moment
from firmware_bridge.wire import Address, Connection, Will, WireError

RESERVE_BYTES = 4 * 1024 * 1024
"""Given up when the disk is full, so that the journal can go on."""
MEASURE_EVERY_S = 60.0
LONGEST_NAP_S = 1.0


def firmware() -> str:
    """The program's version."""
    try:
        return version("loudspeaker")
    except PackageNotFoundError:
        return "0"


class Runner:
    """One pole, from `run` to `stop`."""

    def __init__(self, config: NodeConfig, data: Path, player: Player, amplifier: Amplifier,
                 client: httpx2.Client, clock: Callable[[], Moment] = moment) -> None:
        self.config, self.data, self._player, self._amplifier = config, data, player, amplifier
        self._client, self._clock = client, clock
        self._log = structlog.get_logger("node").bind(node=config.node)
        self._key = keys.private_from_base64(config.private_key)
        self._inbox: queue.SimpleQueue[Input | None] = queue.SimpleQueue()
        self._store = Store(data / "recordings")
        self._journal = Journal.open(data / "node.db")
        self._cache = Cache(self._store, client, self._inbox.put, config.cache_floor_mb * 1024 * 1024)
        self._connection: Connection | None = None
        self._topics: tuple[str, ...] = ()
        self._measured = 0.0
        who = Identity(config.site, config.node, config.place_path, firmware(), config.has_rtc)
        self.state: State = agent.begin(who, pinned_trust(config))

    def run(self) -> None:
        """Live until `stop`."""
        self._open()
        while self._turn_safely():
            pass
        self._close()

    def stop(self) -> None:
        """End `run`; may be called from a signal handler or another thread."""
        self._inbox.put(None)

    def entries(self) -> list[Entry]:
        """The whole journal on the disk."""
        return self._journal.entries(limit=1_000_000)

    def take(self, happened: Input) -> None:
        """One step: new state and journal durable first, then the effects."""
        state, effects = agent.step(self.state, happened, self._clock())
        durable = [one for one in effects if isinstance(one, Write | Keep)]
        if durable:
            self._commit(durable)
        self.state = state
        for one in durable:
            if isinstance(one, Write):
                self._log.info(one.entry.kind, broadcast=one.entry.broadcast, **one.entry.data)
        for effect in effects:
            if not isinstance(effect, Write | Keep):
                self._perform(effect)

    def _open(self) -> None:
        self._reserve()
        self.take(Boot(uuid.uuid4().hex[:16], machine_boot(), self._journal.mark(), self._journal.kept(),
                       tuple(self._store.scan()), self._journal.broken))
        self._player.start(self._inbox.put)
        self._cache.start()
        self._connection = self._connect()
        self._connection.start()

    def _connect(self) -> Connection:
        return Connection(
            [self._address(number) for number in range(len(self.config.brokers))], self._topics,
            lambda topic, payload, retained: self._inbox.put(Message(topic, payload, retained, monotonic())),
            lambda: self._inbox.put(Connected()), lambda reason: self._inbox.put(Disconnected(reason)),
            self._will)

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
            self._inbox.put(Trouble("main_loop", repr(error)))
            time.sleep(0.2)
            return True

    def _turn(self) -> bool:
        try:
            happened = self._inbox.get(timeout=max(0.001, min(LONGEST_NAP_S, agent.wake_in(self.state, self._clock()))))
        except queue.Empty:
            happened = Tick()
        if happened is None:
            return False
        if isinstance(happened, CueStarted | CueEnded):
            self._log.info("heard", report=repr(happened), mono=round(monotonic(), 3))
        self.take(happened)
        if monotonic() - self._measured > MEASURE_EVERY_S:
            self._measured = monotonic()
            self.take(Measured(measure(self.data)))
        return True

    def _commit(self, durable: list[Write | Keep]) -> None:
        try:
            self._journal.commit(durable)
        except sqlite3.OperationalError:
            if not self._give_up_reserve():
                raise
            self._journal.commit(durable)
            self._inbox.put(Trouble("disk", "the disk is full: the reserve is in use"))

    def _reserve(self) -> None:
        reserve = self.data / "reserve"
        if not reserve.exists() and self._store.free_bytes() > 2 * RESERVE_BYTES:
            reserve.write_bytes(bytes(RESERVE_BYTES))

    def _give_up_reserve(self) -> bool:
        reserve = self.data / "reserve"
        held = reserve.exists()
        reserve.unlink(missing_ok=True)
        return held

    def _perform(self, effect: Effect) -> None:
        match effect:
            case Publish(topic, payload):
                self._publish(topic, payload)
            case UploadJournal(after):
                self._upload(after)
            case PruneJournal(through, before):
                self._journal.prune(through, before)
            case Fetch():
                self._cache.want(effect)
            case Remove(sha256):
                self._store.remove(sha256)
            case Sync():
                self._aside(self._sync)
            case SelfTest(command):
                self._aside(lambda: self._inbox.put(SelfTested(command, self_test(self.data))))
            case Subscribe(topics):
                self._subscribe(topics)
            case _:
                self._sound(effect)

    def _sound(self, effect: Effect) -> None:
        self._log.info("sound", effect=repr(effect))
        match effect:
            case Prepare(cue):
                self._cue(cue, None)
            case Play(cue, at):
                self._cue(cue, at)
            case Silence(cue_id, at):
                self._player.silence(cue_id, at)
            case SetVolume(cue_id, percent):
                self._player.set_volume(cue_id, percent)
            case SwitchAmplifier(on):
                self._switch(on)

    def _cue(self, cue: Cue, at: float | None) -> None:
        """Prepare, or play at `at`. The bytes are hashed once more before their decoder is opened."""
        path = self._store.path(cue.recording)
        try:
            if at is not None:
                self._player.play(cue, path, at)
                if (late_s := monotonic() - at) > 0:
                    self._log.warning("late_cue", broadcast=cue.broadcast, late_ms=round(late_s * 1000))
            elif self._store.is_whole(cue.recording):
                self._player.prepare(cue, path)
            else:
                self._inbox.put(Spoiled(cue.recording, "found before playing"))
        except (OSError, NoDecoder) as error:
            self._inbox.put(CueEnded(cue.id, None, 0, 0.0, 0.0, False, f"{type(error).__name__}: {error}"))

    def _switch(self, on: bool) -> None:
        try:
            self._amplifier.switch(on)
        except OSError as error:
            self._inbox.put(Trouble("amplifier", str(error)))

    def _publish(self, topic: str, payload: bytes) -> None:
        if self._connection is None:
            return
        try:
            self._connection.publish(topic, payload)
        except WireError as error:
            self._log.debug("unsent", topic=topic, error=repr(error))

    def _upload(self, after: int) -> None:
        batch = self._journal.batch(self.config.node, self._key, after)
        if batch is not None:
            self._publish(of_node(self.config.site, self.config.node, Up.JOURNAL), batch)

    def _subscribe(self, topics: tuple[str, ...]) -> None:
        self._topics = topics
        if self._connection is not None:
            self._connection.set_subscriptions(topics)

    def _sync(self) -> None:
        for kind, payload in get_documents(self._client).items():
            self._inbox.put(Message(of_node(self.config.site, self.config.node, Down(kind)), payload))

    def _aside(self, work: Callable[[], None]) -> None:
        threading.Thread(target=work, name="aside", daemon=True).start()

    def _close(self) -> None:
        """End everything within a second: a goodbye, silence, and what is on the disk stays there."""
        goodbye = link.presence(self.state, online=False).to_bytes()
        self._publish(of_node(self.config.site, self.config.node, Up.PRESENCE), goodbye)
        if self._connection is not None:
            self._connection.stop()
        self._player.close()
        self._switch(False)
        self._cache.close()
        self._journal.close()

"""What the node says to the server, and when: hello, heartbeat, presence, journal, and the question of the time."""

import hashlib
from datetime import timedelta

from firmware_bridge.contract import merkle
from firmware_bridge.contract.base import Payload
from firmware_bridge.contract.documents import Receipt, TimeAnswer
from firmware_bridge.contract.messages import (
    HEARTBEAT_SECONDS,
    TELEMETRY_SECONDS,
    Heartbeat,
    Held,
    Hello,
    LogHead,
    Presence,
    Telemetry,
    TimeRequest,
    policies_digest,
)
from firmware_bridge.contract.topics import Up, of_node
from firmware_bridge.contract.trust import Reason, Refused
from firmware_bridge.node.effects import Keep, PruneJournal, Publish, Sync, UploadJournal, Write
from firmware_bridge.node.state import State
from firmware_bridge.node.timekeeping import answered
from firmware_bridge.node.timing import take_answer
from firmware_bridge.node.turn import Turn

TIME_BURST = 32
TIME_AGAIN = 1
"""Questions in a row on a new connection, at most, and every quarter of an hour: each costs a kilobyte on 4G."""
TIME_EVERY_S = 900.0
TIME_GOOD_S = 0.010
"""An answer as good as this ends the questions."""
TIME_POOR_S = 0.025
TIME_SOON_S = 0.25
"""While no answer is better than poor, the next question comes soon: the link may be gone in a moment."""
ANSWER_WITHIN_S = 5.0
SYNC_AFTER_S = 30.0
"""How long the broker may be gone before the server is asked by HTTPS."""
SYNC_EVERY_S = 300.0
KEEP_ENTRIES = timedelta(days=60)
NOTHING_LOGGED = LogHead(size=0, root=merkle.EMPTY.hex())
KEEP_MOST = 50_000
"""Entries that stay although they are receipted and young: about 20 MB."""


def on_connected(turn: Turn) -> None:
    """A connection is up: everything is said anew."""
    link, now = turn.state.link, turn.mono
    turn.set_link(
        up=True, connection=link.connection + 1, hello_due=now, hello_tries=0, telemetry_due=now,
        heartbeat_due=now + HEARTBEAT_SECONDS * turn.draw(), upload_due=now, upload_tries=0, time_due=now,
        time_burst=TIME_AGAIN if _asked_enough(turn) else TIME_BURST, nonce=None)
    _publish(turn, Up.PRESENCE, presence(turn.state, online=True))


def _asked_enough(turn: Turn) -> bool:
    """A whole burst was answered a moment ago: when a broker returns, a district must not ask it all again at once."""
    samples = turn.state.time.samples
    return len(samples) >= TIME_BURST and turn.mono - samples[-1].mono < TIME_EVERY_S


def on_disconnected(turn: Turn) -> None:
    """Nothing can be said for now."""
    turn.set_link(up=False, hello_due=None, upload_due=None, nonce=None,
                  sync_due=turn.mono + SYNC_AFTER_S * (0.5 + turn.draw()))


def presence(state: State, online: bool) -> Presence:
    """The state of being connected. With `online` false, the last will of the current connection."""
    return Presence(boot=state.boot, connection=state.link.connection, online=online)


def next_will(state: State) -> Presence:
    """The last will for the connection that is about to be made."""
    return Presence(boot=state.boot, connection=state.link.connection + 1, online=False)


def speak(turn: Turn) -> None:
    """Say all that is due; without a broker, ask by HTTPS now and then."""
    if not turn.state.link.up:
        if turn.state.link.sync_due <= turn.mono:
            turn.set_link(sync_due=turn.mono + SYNC_EVERY_S * (0.75 + turn.draw() / 2))
            turn.do(Sync())
        return
    link, now = turn.state.link, turn.mono
    if link.hello_due is not None and link.hello_due <= now:
        _say_hello(turn)
    if min(link.heartbeat_due, link.telemetry_due) <= now:
        _beat(turn)
    _upload(turn)
    if link.time_due <= now and not any(isinstance(one, Write | Keep) for one in turn.effects):
        _ask_time(turn)  # never behind a commit: its wait for the disk would count as the link's


def next_due(state: State) -> float | None:
    """When something will be due to be said, on the monotonic clock."""
    link = state.link
    if not link.up:
        return link.sync_due
    dues = [link.heartbeat_due, link.telemetry_due, link.time_due]
    return min([*dues, *(due for due in (link.hello_due, link.upload_due) if due is not None)])


def heard_from_server(turn: Turn) -> None:
    """The hello has been answered; what is still to be told is due in its time."""
    turn.set_link(hello_due=turn.state.link.tell_due, hello_tries=0)


def say_hello_within(turn: Turn, window_s: float) -> None:
    """Say hello at a random moment within the window."""
    if turn.state.link.up:
        turn.set_link(hello_due=turn.mono + window_s * turn.draw(), hello_tries=0)


def tell_within(turn: Turn, window_s: float) -> None:
    """Something is held now that only a hello tells: say one within the window, whatever is answered meanwhile."""
    link = turn.state.link
    if link.up and link.tell_due is None:
        due = turn.mono + window_s * turn.draw()
        turn.set_link(tell_due=due, hello_due=due if link.hello_due is None else min(due, link.hello_due))


def on_receipt(turn: Turn, receipt: Receipt) -> None:
    """The server has stored the journal up to a seq. It may also ask from an earlier one. Raises Refused."""
    state, link = turn.state, turn.state.link
    if receipt.journal != state.journal.id:
        raise Refused(Reason.MALFORMED, f"a receipt for journal {receipt.journal}")
    if receipt.seq > state.journal.last:
        raise Refused(Reason.MALFORMED, f"a receipt for seq {receipt.seq}, the last is {state.journal.last}")
    if link.receipt_issued is not None and receipt.issued < link.receipt_issued:
        return
    heard_from_server(turn)
    asked_again = receipt.seq < link.receipted
    turn.set_link(receipted=receipt.seq, receipt_issued=receipt.issued, upload_tries=0, upload_due=None)
    if not asked_again:
        turn.do(PruneJournal(receipt.seq, turn.now - KEEP_ENTRIES, KEEP_MOST))
    turn.keep("receipted", str(receipt.seq).encode())


def on_time_answer(turn: Turn, answer: TimeAnswer, came: float) -> None:
    """The server has told its time; the answer came at monotonic `came`. Raises Refused."""
    link = turn.state.link
    take_answer(turn, answered(link.asked, came, answer.received, answer.sent))
    burst = link.time_burst - 1
    error_s = turn.state.time.error_s(turn.mono) or TIME_POOR_S
    more = burst > 0 and error_s > TIME_GOOD_S
    wait = TIME_EVERY_S if not more else TIME_SOON_S if error_s > TIME_POOR_S else 1.0
    turn.set_link(nonce=None, time_burst=burst if more else TIME_AGAIN, time_due=turn.mono + wait)


def held(state: State) -> Held:
    """What the node holds, for the server to compare with what is wanted."""
    trust = state.trust
    return Held(
        order=state.seen, root=trust.root.version, approvers=trust.approvers.version if trust.approvers else 0,
        policies=policies_digest({place: one.version for place, one in trust.policies.items()}),
        stop=state.stop.generation, log=state.log or NOTHING_LOGGED)


def heartbeat(state: State, telemetry: Telemetry | None = None) -> Heartbeat:
    """The short word that the node lives."""
    mine = held(state)
    playing = state.air.on.airing.id if state.air and state.air.on else None
    return Heartbeat(o=mine.order, t=(mine.root, mine.approvers, mine.policies), s=mine.stop, j=state.journal.last,
                     p=playing, m=telemetry)


def note_change(turn: Turn, before: State) -> None:
    """Beat at once when what is playing has changed, and with telemetry when the machine's state has."""
    if heartbeat(before).p != heartbeat(turn.state).p:
        turn.set_link(heartbeat_due=turn.mono)
    sent, fresh = turn.state.telemetry, telemetry(turn)
    if sent is not None and (sent.time_state, sent.volume, sent.power) != (fresh.time_state, fresh.volume, fresh.power):
        turn.set_link(telemetry_due=turn.mono)


def telemetry(turn: Turn) -> Telemetry:
    """Measurements now."""
    reading, state = turn.reading, turn.state
    volume = state.volume if state.volume is not None else (state.order.volume if state.order else None)
    return state.measured.model_copy(update={
        "time_state": reading.state, "offset_ms": round(reading.offset_s * 1000, 1),
        "error_ms": None if reading.error_s is None else round(reading.error_s * 1000, 1),
        "recordings": len(state.stored), "volume": volume, "uptime_s": int(turn.mono - state.boot_mono)})


def _say_hello(turn: Turn) -> None:
    state, link = turn.state, turn.state.link
    _publish(turn, Up.HELLO, Hello(
        boot=state.boot, connection=link.connection, firmware=state.who.firmware, held=held(state),
        journal=state.journal.id, first_seq=state.journal.first, last_seq=state.journal.last,
        capabilities=state.who.capabilities, time_state=turn.reading.state))
    wait = min(60.0, 2.0 * 2**min(link.hello_tries, 5)) * (0.5 + turn.draw() / 2)
    turn.set_link(hello_due=turn.mono + wait, hello_tries=link.hello_tries + 1, tell_due=None)


def _beat(turn: Turn) -> None:
    measured = telemetry(turn) if turn.state.link.telemetry_due <= turn.mono else None
    _publish(turn, Up.HEARTBEAT, heartbeat(turn.state, measured))
    turn.set_link(heartbeat_due=turn.mono + HEARTBEAT_SECONDS)
    if measured is not None:
        turn.set(telemetry=measured)
        turn.set_link(telemetry_due=turn.mono + TELEMETRY_SECONDS)


def _upload(turn: Turn) -> None:
    """Send what has no receipt, ever more seldom; but what is new at once, however long the rest has to wait."""
    link, last = turn.state.link, turn.state.journal.last
    if last <= link.receipted:
        if link.upload_due is not None:
            turn.set_link(upload_due=None)
        return
    if link.upload_due is None or link.upload_due <= turn.mono:
        turn.do(UploadJournal(link.receipted))
        wait = min(120.0, 5.0 * 2**min(link.upload_tries, 5)) * (0.75 + turn.draw() / 2)
        turn.set_link(upload_due=turn.mono + wait, upload_tries=link.upload_tries + 1, uploaded=last)
    elif last > link.uploaded:
        turn.do(UploadJournal(link.uploaded))
        turn.set_link(uploaded=last)


def _ask_time(turn: Turn) -> None:
    link = turn.state.link
    nonce = hashlib.sha256(f"{turn.state.boot}/{turn.mono}/{turn.draw()}".encode()).hexdigest()[:16]
    burst = link.time_burst if link.time_burst > 0 else TIME_AGAIN
    turn.set_link(nonce=nonce, asked=turn.mono, time_burst=burst, time_due=turn.mono + ANSWER_WITHIN_S)
    _publish(turn, Up.TIME_REQUEST, TimeRequest(nonce=nonce, sent=turn.moment.wall))


def _publish(turn: Turn, kind: Up, payload: Payload) -> None:
    who = turn.state.who
    turn.do(Publish(of_node(who.site, who.node, kind), payload.to_bytes()))

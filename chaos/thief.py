"""Who holds a stolen server key and the broker, and does to a pole all that the key allows, and more."""

from datetime import datetime, timedelta
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from firmware_bridge.contract.documents import CommandKind, Document, PlayNow, StandingStop, TimeAnswer
from firmware_bridge.contract.envelope import encode
from firmware_bridge.contract.messages import TimeRequest
from firmware_bridge.contract.topics import Down
from tests.firmware_bridge.builders import NODE, NOON, SITE, broadcast, command, order, receipt

HUGE = 2**50
LATER = timedelta(days=50 * 365)


class Robbed(Protocol):
    """A pole as the thief sees it."""

    journal_id: str

    def receive(self, payload: bytes, kind: Down = ...) -> object:
        """Take a message from the broker."""

    def said(self, kind: str) -> list[bytes]:
        """What it has published on a topic of its own."""


class Thief:
    """Does everything at once. `stolen` is the server key."""

    def __init__(self, stolen: Ed25519PrivateKey, recording: str) -> None:
        self._key, self._recording = stolen, recording

    def rob(self, pole: Robbed, tomorrow: datetime = NOON + timedelta(days=1)) -> None:
        """Move its clock fifty years, close its broadcasts, silence it for good, and claim to have its journal."""
        at = NOON
        if pole.said("time-request"):
            at = self._move_time(pole)
        self._order(pole, at, version=HUGE - 1, broadcasts=(broadcast("tomorrow", tomorrow, self._recording),))
        self._order(pole, at, version=HUGE, revoked=(self._recording,),
                    standing_stop=StandingStop(generation=HUGE, active=True))
        for name, kind, part in (
                ("quiet", CommandKind.VOLUME, {"volume": 0}),
                ("halt", CommandKind.STOP, {"standing_stop": StandingStop(generation=HUGE + 1, active=True)}),
                ("now", CommandKind.PLAY_NOW, {"play_now": PlayNow(
                    broadcast="now", latest_start=at + timedelta(days=1), recordings={"vi": self._recording})})):
            self._say(pole, command(name, kind, issued=at, **part), Down.COMMAND)
        self._say(pole, receipt(pole.journal_id, 1, issued=at + LATER), Down.RECEIPT)

    def _order(self, pole: Robbed, at: datetime, **more: object) -> None:
        broadcasts = more.pop("broadcasts", ())
        self._say(pole, order(*broadcasts, epoch=HUGE, issued=at, **more), Down.ORDER)  # type: ignore[misc, arg-type]

    def _move_time(self, pole: Robbed) -> datetime:
        asked = TimeRequest.from_bytes(pole.said("time-request")[-1])
        at = NOON + LATER
        self._say(pole, TimeAnswer(site=SITE, node=NODE, nonce=asked.nonce, received=at, sent=at), Down.TIME)
        return at

    def _say(self, pole: Robbed, document: Document, kind: Down) -> None:
        pole.receive(encode(document.sign(self._key)), kind)

"""A pole in a thief's hand, and the one root that brings it back."""

from datetime import timedelta

from chaos.thief import Thief
from firmware_bridge.contract.documents import Document, TimeAnswer
from firmware_bridge.contract.envelope import encode
from firmware_bridge.contract.messages import TimeRequest
from firmware_bridge.contract.topics import Down
from tests.firmware_bridge.builders import NODE, NOON, SITE, Commune, approved, broadcast, key, order, sha
from tests.firmware_bridge.node.pole import Pole

NEWS = sha("news")
BEFORE = Commune()
AFTER = BEFORE.then(server="new-server", key_epoch=1)


def robbed(ntp: bool, ahead: timedelta = timedelta(days=1)) -> Pole:
    """A pole that holds NEWS, to which a thief with the server key has done everything.

    It was to air NEWS `ahead`. Without `ntp` nothing but the server tells it the time.
    """
    pole = Pole(BEFORE, nap_s=600)
    pole.ready()
    pole.store(NEWS, approved(NEWS))
    if not ntp:
        pole.clock_error_s = None
        pole.connect()
        pole.run_for(1)
    Thief(key("server"), NEWS).rob(pole, NOON + ahead)
    pole.run_for(20)
    return pole


def recovers(ntp: bool, killed: bool, ahead: timedelta = timedelta(days=1)) -> bool:
    """Whether the pole airs at its true time, once and nothing else, after the new root."""
    pole = robbed(ntp, ahead)
    pole.receive(AFTER.bundle(), Down.TRUST)
    if killed:
        pole.kill()
        pole.connect()
    serve(pole, ahead)
    pole.run_until(NOON + ahead + timedelta(minutes=5))
    late = [abs((one.at - (NOON + ahead)).total_seconds()) for one in pole.heard]
    return [one.recording for one in pole.heard] == [NEWS] and late[0] < 1 and not pole.state.stop.active


def serve(pole: Pole, ahead: timedelta) -> None:
    """What the new server does with whoever says hello: the time, the trust once more, its first order."""
    pole.run_for(1)
    asked = TimeRequest.from_bytes(pole.said("time-request")[-1])
    answer = TimeAnswer(site=SITE, node=NODE, nonce=asked.nonce, received=pole.now, sent=pole.now)
    pole.receive(by_new_server(answer), Down.TIME)
    pole.receive(AFTER.bundle(), Down.TRUST)
    pole.store(NEWS, approved(NEWS))
    tomorrow = broadcast("tomorrow", NOON + ahead, NEWS)
    pole.receive(by_new_server(order(tomorrow, issued=pole.now - timedelta(seconds=1))))


def by_new_server(document: Document) -> bytes:
    """Signed by the key that the new root names."""
    return encode(document.sign(key("new-server")))

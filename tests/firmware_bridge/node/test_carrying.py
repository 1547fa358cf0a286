"""A pole carries the highest head of the server's log, and refuses one that takes something back."""

import pytest

from firmware_bridge.contract.documents import LogUpdate, TrustBundle
from firmware_bridge.contract.messages import Hello
from firmware_bridge.contract.topics import Down, Up, of_node
from firmware_bridge.node.carrying import TOLD_WITHIN_S
from tests.firmware_bridge.builders import NODE, SITE, Commune, by_server, receipt
from tests.firmware_bridge.node.pole import Pole
from tests.firmware_bridge.publiclog import PublicLog, entries

COMMUNE = Commune()
TEN = PublicLog(*entries(10))


def handed(update: LogUpdate, commune: Commune = COMMUNE) -> bytes:
    """A bundle with the update."""
    return TrustBundle.from_bytes(commune.bundle()).model_copy(update={"log": update}).to_bytes()


def carried(pole: Pole) -> tuple[int, str] | None:
    """(size, root) of the head that the pole carries."""
    head = pole.state.log
    return (head.size, head.root) if head else None


def carrying_ten() -> Pole:
    """A pole that carries the head of ten entries."""
    pole = Pole(COMMUNE).ready()
    pole.receive(handed(TEN.update(0)), Down.TRUST)
    assert carried(pole) == (10, TEN.root().hex())
    return pole


def test_the_first_head_is_taken_and_told_in_the_next_hello_even_after_a_kill() -> None:
    pole = carrying_ten()
    pole.boot()
    assert carried(pole) == (10, TEN.root().hex())
    pole.ready()
    hellos = [Hello.from_bytes(one.payload) for one in pole.published if one.topic == of_node(SITE, NODE, Up.HELLO)]
    assert hellos[-1].held.log is not None
    assert hellos[-1].held.log.size == 10
    assert hellos[0].held.log is not None
    assert hellos[0].held.log.size == 0


def test_a_log_that_grew_is_followed() -> None:
    pole, grown = carrying_ten(), PublicLog(*entries(25))
    pole.receive(handed(grown.update(10)), Down.TRUST)
    assert carried(pole) == (25, grown.root().hex())
    assert not pole.refusals("trust_refused")


@pytest.mark.parametrize(("other", "reason"), [
    (PublicLog(*entries(9)), "log_shrunk"),
    (PublicLog(*entries(10, "rewritten")), "log_forked"),
    (PublicLog(*entries(3), b"put in", *entries(25)[3:]), "log_forked"),
    (PublicLog(*entries(9), *entries(11, "rewritten")), "log_forked"),
    (PublicLog(*entries(25)[1:]), "log_forked"),
])
def test_a_log_that_takes_something_back_is_refused_and_journalled(other: PublicLog, reason: str) -> None:
    pole = carrying_ten()
    pole.receive(handed(other.update(10)), Down.TRUST)
    assert carried(pole) == (10, TEN.root().hex())
    assert pole.refusals("trust_refused") == [reason]


def test_the_rest_of_a_bundle_is_judged_whatever_its_log_is_worth() -> None:
    pole = carrying_ten()
    pole.receive(handed(PublicLog(*entries(9)).update(10), COMMUNE.then(owners_needed=(2, 2, 2))), Down.TRUST)
    assert pole.state.trust.root.version == 2
    assert pole.refusals("trust_refused") == ["log_shrunk"]


def test_a_proof_from_an_older_head_is_left_aside() -> None:
    pole = carrying_ten()
    pole.receive(handed(PublicLog(*entries(25)).update(4)), Down.TRUST)
    assert carried(pole) == (10, TEN.root().hex())
    assert not pole.refusals("trust_refused")


@pytest.mark.parametrize(("update", "reason"), [
    (TEN.update(0, signer="hoa"), "foreign_key"),
    (TEN.update(0, site="xa-khac"), "wrong_site"),
    (LogUpdate(head={"payload": "x"}), "malformed"),
])
def test_only_the_server_gives_heads(update: LogUpdate, reason: str) -> None:
    pole = Pole(COMMUNE).ready()
    pole.receive(handed(update), Down.TRUST)
    assert carried(pole) is None
    assert pole.refusals("trust_refused") == [reason]


def test_a_root_of_a_new_key_epoch_begins_a_new_log() -> None:
    pole, fresh = carrying_ten(), PublicLog(*entries(2, "new"))
    pole.receive(handed(fresh.update(0), COMMUNE.then(key_epoch=1)), Down.TRUST)
    assert carried(pole) == (2, fresh.root().hex())


def test_which_head_is_carried_is_told_whatever_is_answered_meanwhile() -> None:
    pole = carrying_ten()
    pole.receive(by_server(receipt(pole.state.journal.id, 0)), Down.RECEIPT)
    pole.run_for(TOLD_WITHIN_S + 5)
    told = pole.hello().held.log
    assert told is not None
    assert told.size == 10

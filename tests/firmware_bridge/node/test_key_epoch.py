"""A thief of the server key did all that it can; one new root, signed by the offline keys, brings the pole back."""

from datetime import timedelta

import pytest

from chaos.robbery import AFTER, BEFORE, NEWS, by_new_server, recovers, robbed
from chaos.thief import HUGE, Thief
from firmware_bridge.contract.documents import StandingStop
from firmware_bridge.contract.envelope import encode
from firmware_bridge.contract.topics import Down
from tests.firmware_bridge.builders import NOON, approved, broadcast, by_server, key, order, receipt
from tests.firmware_bridge.node.pole import Pole


@pytest.mark.parametrize("ntp", [True, False])
def test_the_thief_has_the_pole_in_its_hand(ntp: bool) -> None:
    """Or the recovery below would show nothing."""
    pole = robbed(ntp)
    assert pole.state.seen == (HUGE, HUGE)
    assert pole.state.stop.active
    assert NEWS in pole.state.revoked
    assert pole.state.link.receipt_issued is not None
    assert pole.state.time.read(pole.moment()).now.year > 2070


@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.parametrize("ntp", [True, False])
def test_a_new_root_brings_it_back_without_a_visit(ntp: bool, killed: bool) -> None:
    assert recovers(ntp, killed, ahead=timedelta(minutes=20))


def test_it_says_its_whole_journal_again_for_receipts_of_the_thief_count_for_nothing() -> None:
    pole = robbed(ntp=False)
    assert pole.state.link.receipted == 1
    pole.uploads.clear()
    pole.receive(AFTER.bundle(), Down.TRUST)
    pole.run_for(10)
    assert pole.uploads[0] == 0
    pole.receive(encode(receipt("j1", 5, issued=pole.now).sign(key("server"))), Down.RECEIPT)
    assert pole.state.link.receipted == 0
    pole.receive(by_new_server(receipt("j1", 5, issued=pole.now)), Down.RECEIPT)
    assert pole.state.link.receipted == 5


def test_the_old_key_says_nothing_any_more() -> None:
    pole = robbed(ntp=True)
    pole.receive(AFTER.bundle(), Down.TRUST)
    Thief(key("server"), NEWS).rob(pole)
    assert pole.state.seen == (0, 0)
    assert pole.state.stop == StandingStop()
    assert set(pole.refusals("order_refused")) == {"foreign_key"}
    pole.receive(BEFORE.bundle(), Down.TRUST)
    assert "older_version" in pole.refusals("trust_refused")
    pole.receive(by_server(order(version=HUGE + 1)))
    assert pole.state.seen == (0, 0)


def test_what_was_aired_today_is_not_aired_again() -> None:
    pole = Pole(BEFORE).ready()
    pole.store(NEWS, approved(NEWS))
    morning = broadcast("morning", NOON + timedelta(seconds=30), NEWS, latest_s=3600)
    pole.receive(by_server(order(morning)))
    pole.run_for(120)
    pole.receive(AFTER.bundle(), Down.TRUST)
    pole.receive(by_new_server(order(morning)))
    pole.run_for(3600)
    assert len(pole.heard) == 1
    assert len(pole.ends("morning")) == 1


def test_a_root_of_a_lower_epoch_is_refused() -> None:
    pole = Pole(AFTER.but(before=()))
    pole.ready()
    pole.receive(AFTER.then(key_epoch=0).bundle(), Down.TRUST)
    assert pole.refusals("trust_refused")[0] == "older_version"
    assert pole.state.trust.root.key_epoch == 1

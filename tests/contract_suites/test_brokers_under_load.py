"""Brokers that end while journals come in: nothing acknowledged is lost (the long form is in `chaos`)."""

from chaos.rows.brokers import one_gone, replaced, wiped
from firmware_bridge.bridge.broker import EmbeddedNats


def test_a_broker_killed_and_wiped_loses_nothing() -> None:
    seen = wiped(lambda folder, site: EmbeddedNats(folder, site), kills=1, poles=4, between_s=1)
    assert seen.met, seen


def test_a_mosquitto_that_comes_back_empty_is_given_its_users_again() -> None:
    seen = replaced(kills=1, poles=4, between_s=1)
    assert seen.met, seen


def test_either_of_two_brokers_may_end_for_good() -> None:
    seen = one_gone(poles=4, between_s=1)
    assert seen.met, seen

"""The embedded broker behind TLS: who may join it, and what it shows after its certificate was renewed."""

import ssl
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from firmware_bridge.bridge.broker import BrokerUser, EmbeddedNats, TlsFiles, new_secret
from firmware_bridge.wire import Address, Connection
from loudspeaker.conductor import tls
from loudspeaker.conductor.tls import Tls

NOW = datetime.now(UTC)
SERVER = BrokerUser("_server", new_secret(), new_secret())


@pytest.fixture
def shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tls:
    """A certificate for the public name alone, as others issue them."""
    monkeypatch.setattr(tls, "ALWAYS", ())
    return tls.own(tmp_path / "keys", tmp_path / "tls", ["radio.vn"], NOW)


@pytest.fixture
def broker(shown: Tls, tmp_path: Path) -> Iterator[EmbeddedNats]:
    running = EmbeddedNats(tmp_path / "broker", "site", tls=TlsFiles(shown.certificate, shown.key, shown.authority))
    running.set_users([SERVER])
    running.start()
    yield running
    running.stop()


def joins(address: Address) -> bool:
    connection = Connection(address, ["loudspeaker/v1/site/nodes/+/hello"], lambda *_: None, lambda: None,
                            lambda _why: None, on_error=lambda _error: None)
    connection.start()
    deadline = time.monotonic() + 4.0
    while not connection.connected and time.monotonic() < deadline:
        time.sleep(0.05)
    joined = connection.connected
    connection.stop()
    return joined


def certificate_of(broker: EmbeddedNats) -> str:
    return ssl.get_server_certificate((broker.address.host, broker.address.port))


def test_the_server_joins_its_own_broker_though_the_certificate_names_the_public_address(broker: EmbeddedNats) -> None:
    assert joins(broker.address.address_for(SERVER))


def test_who_comes_by_another_name_another_authority_or_in_plain_text_stays_outside(
        broker: EmbeddedNats, tmp_path: Path) -> None:
    good = broker.address.address_for(SERVER)
    other = tls.own(tmp_path / "other", tmp_path / "other-tls", ["radio.vn"], NOW)
    for wrong in (replace(good, any_name=False), replace(good, ca=other.authority), replace(good, tls=False),
                  replace(good, password="wrong")):
        assert not joins(wrong)


def test_a_renewed_certificate_is_shown_and_who_was_joined_stays(broker: EmbeddedNats, shown: Tls) -> None:
    before = certificate_of(broker)
    gone: list[str] = []
    connection = Connection(broker.address.address_for(SERVER), [], lambda *_: None, lambda: None, gone.append)
    connection.start()
    while not connection.connected:
        time.sleep(0.05)
    shown.certificate.unlink()
    assert tls.renew(shown, ["radio.vn"], NOW)
    broker.show_certificate()
    assert certificate_of(broker) != before
    assert gone == []
    connection.stop()

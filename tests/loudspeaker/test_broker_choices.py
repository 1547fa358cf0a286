"""The brokers that settings name."""

import pytest
from pydantic import ValidationError

from loudspeaker.broker_choices import BrokerChoice, BrokerKind, read_choices
from loudspeaker.settings import Settings


def test_by_default_there_is_one_broker_of_our_own() -> None:
    assert Settings(broker_port=1883).broker_choices == (BrokerChoice(BrokerKind.EMBEDDED, port=1883),)


def test_brokers_of_every_kind_are_read_in_their_order() -> None:
    assert read_choices("embedded:1884, mosquitto://10.0.0.2:1883, natss://nats.xa.vn:8883", 0) == (
        BrokerChoice(BrokerKind.EMBEDDED, port=1884),
        BrokerChoice(BrokerKind.MOSQUITTO, "10.0.0.2", 1883),
        BrokerChoice(BrokerKind.NATS, "nats.xa.vn", 8883, tls=True),
    )


@pytest.mark.parametrize("text", ["", "nats", "mqtt://h:1", "mosquitto://h", "mosquitto://u:p@h:1", "nats://h:99999",
                                  "embedded:0", "embedded:x", "embedded://h:1", "mosquitto://h:1/x", "embedded,"])
def test_what_names_no_broker_is_said_at_the_start(text: str) -> None:
    with pytest.raises(ValueError, match="names no broker"):
        read_choices(text, 0)


def test_two_brokers_at_one_address_are_a_mistake() -> None:
    with pytest.raises(ValidationError, match="one address"):
        Settings(brokers="nats://h:1,nats://h:1")


def test_a_broker_elsewhere_without_tls_counts_as_plain_text() -> None:
    assert Settings(brokers="embedded,mosquitto://10.0.0.2:1883").exposed == ("10.0.0.2",)
    assert Settings(brokers="embedded,mosquittos://10.0.0.2:8883,nats://127.0.0.1:1883").exposed == ()

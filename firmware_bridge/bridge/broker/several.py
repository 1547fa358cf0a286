"""Independent brokers used together: any of them may be gone."""

from collections.abc import Iterable, Sequence
from contextlib import ExitStack

import structlog

from firmware_bridge.bridge.broker.base import Broker, BrokerError, BrokerUser, Endpoint


class SeveralBrokers:
    """All with the same users. One that fails hinders none of the others."""

    def __init__(self, brokers: Sequence[Broker]) -> None:
        if not brokers:
            raise ValueError("at least one broker is needed")
        self.brokers = tuple(brokers)

    @property
    def addresses(self) -> tuple[Endpoint, ...]:
        """Where they listen for MQTT, in the order in which nodes try them."""
        return tuple(endpoint for one in self.brokers for endpoint in one.addresses)

    def start(self) -> None:
        """Start or join each. Raises BrokerError when one of ours cannot start; then none runs."""
        with ExitStack() as started:
            for one in self.brokers:
                one.start()
                started.callback(one.stop)
            started.pop_all()

    def stop(self) -> None:
        """End or leave each; may be called twice."""
        for one in reversed(self.brokers):
            one.stop()

    def set_users(self, users: Iterable[BrokerUser]) -> None:
        """These and no others on each. Raises the first BrokerError after all were asked."""
        listed, failed = tuple(users), None
        for one in self.brokers:
            try:
                one.set_users(listed)
            except BrokerError as error:
                failed = failed or error
        if failed is not None:
            raise failed

    def healthy(self) -> bool:
        """True while at least one of them is."""
        return any(one.healthy() for one in self.brokers)

    def show_certificate(self) -> None:
        """Show the newest certificate on those that are ours."""
        for one in self.brokers:
            try:
                one.show_certificate()
            except BrokerError as error:
                structlog.get_logger("broker").error("certificate_not_shown", error=str(error))

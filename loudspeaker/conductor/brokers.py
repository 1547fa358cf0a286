"""The brokers that the settings name, with what each needs to be run or changed."""

from firmware_bridge.bridge.broker import (
    Admin,
    Broker,
    BrokerError,
    EmbeddedNats,
    Endpoint,
    ExternalNats,
    Mosquitto,
    SeveralBrokers,
    TlsFiles,
)
from loudspeaker.broker_choices import BrokerChoice, BrokerKind
from loudspeaker.conductor.house import House


def brokers_of(house: House) -> SeveralBrokers:
    """All brokers of the settings, none started. Raises BrokerError where a file cannot be read."""
    return SeveralBrokers([_broker(house, one, at) for at, one in enumerate(house.settings.broker_choices)])


def _broker(house: House, choice: BrokerChoice, at: int) -> Broker:
    settings = house.settings
    if choice.kind is BrokerKind.EMBEDDED:
        folder = settings.data / ("broker" if at == 0 else f"broker-{at + 1}")
        return EmbeddedNats(folder, house.site, settings.broker_host, choice.port, _tls_files(house))
    endpoint = Endpoint(choice.host, choice.port, choice.tls, settings.broker_ca)
    if choice.kind is BrokerKind.NATS:
        return ExternalNats(endpoint, house.site, settings.data / f"nats-users-{at + 1}.conf")
    return Mosquitto(endpoint, house.site, Admin(settings.broker_admin, _admin_password(house)))


def _admin_password(house: House) -> str:
    """From its file, as systemd and containers hand secrets over, else from the settings."""
    file = house.settings.broker_admin_file
    if file is None:
        return house.settings.broker_admin_password.get_secret_value()
    try:
        return file.read_text().strip()
    except OSError as error:
        raise BrokerError(f"{file} cannot be read: {error.strerror}") from error


def _tls_files(house: House) -> TlsFiles | None:
    """What an embedded broker shows; the same as the pages."""
    return TlsFiles(house.tls.certificate, house.tls.key, house.tls.authority) if house.tls else None

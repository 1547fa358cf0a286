"""New credentials for a pole that runs: asked for with its own key, written down, then used.

They lie in the data folder, beside the configuration file, which the node need not be able to write.
"""

import threading
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import httpx2
import structlog

from firmware_bridge.contract import envelope as dsse
from firmware_bridge.contract import keys
from firmware_bridge.contract.base import MalformedPayload, Payload, Sha256
from firmware_bridge.contract.enrolment import Credentials, CredentialsRequest
from firmware_bridge.contract.nodeconfig import BrokerAddress, NodeConfig
from firmware_bridge.node.enrol import write_private

log = structlog.get_logger("credentials")

FILE = "credentials.json"
MAX_ANSWER_BYTES = 256 * 1024


class Kept(Payload):
    """The credentials that are newer than the configuration file's."""

    enrolled: Sha256
    """Of the API token in the configuration file that they follow: another enrolment makes them void."""
    api_token: str
    brokers: tuple[BrokerAddress, ...]


def with_renewed(config: NodeConfig, data: Path) -> NodeConfig:
    """The configuration with the newest credentials that are kept in the data folder."""
    kept = _kept(data / FILE)
    if kept is None or kept.enrolled != _hash(config):
        return config
    return config.model_copy(update={"api_token": kept.api_token, "brokers": kept.brokers})


class Renewal:
    """Asks for new credentials and keeps them in the folder `data` before they are used.

    `server_key` tells the key whose word counts now (base64).
    """

    def __init__(self, data: Path, server_key: Callable[[], str]) -> None:
        self._file, self._server_key = data / FILE, server_key
        self._busy = threading.Lock()

    def renew(self, config: NodeConfig, client: httpx2.Client) -> NodeConfig | None:
        """The configuration with new credentials, which `client` then carries; None where the held ones stay."""
        if not self._busy.acquire(blocking=False):
            return None
        try:
            return self._renew(config, client)
        except (httpx2.HTTPError, OSError, ValueError) as error:
            log.warning("credentials_not_renewed", error=repr(error))
            return None
        finally:
            self._busy.release()

    def _renew(self, config: NodeConfig, client: httpx2.Client) -> NodeConfig | None:
        challenge = str(client.get("/enrolment/challenge").raise_for_status().json()["challenge"])
        key = keys.private_from_base64(config.private_key)
        asked = CredentialsRequest(site=config.site, node=config.node, challenge=challenge).sign(key)
        answer = client.post("/nodes/me/credentials", content=dsse.encode(asked),
                             headers={"Content-Type": "application/json"}).raise_for_status()
        if answer.status_code == 204:
            return None
        told = self._read(answer.content, config, challenge)
        before = _kept(self._file)
        enrolled = before.enrolled if before and before.api_token == config.api_token else _hash(config)
        write_private(self._file, Kept(enrolled=enrolled, api_token=told.api_token, brokers=told.brokers).to_bytes())
        client.headers["Authorization"] = f"Bearer {told.api_token}"
        log.info("credentials_renewed", node=config.node)
        return config.model_copy(update={"api_token": told.api_token, "brokers": told.brokers})

    def _read(self, raw: bytes, config: NodeConfig, challenge: str) -> Credentials:
        """The server's signed answer to this very question. Raises ValueError."""
        signed = dsse.decode(raw, MAX_ANSWER_BYTES)
        server_key = self._server_key()
        if signed.payload_type != Credentials.TYPE or not dsse.good_signers(
                signed, {keys.key_id(server_key): server_key}):
            raise MalformedPayload("the credentials are not signed by the server's key")
        told = Credentials.from_bytes(signed.payload)
        if (told.site, told.node, told.challenge) != (config.site, config.node, challenge):
            raise MalformedPayload("the credentials are not for this question")
        return told


def _kept(file: Path) -> Kept | None:
    try:
        return Kept.from_bytes(file.read_bytes())
    except (OSError, MalformedPayload):
        return None


def _hash(config: NodeConfig) -> str:
    return sha256(config.api_token.encode()).hexdigest()

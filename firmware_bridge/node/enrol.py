"""Becoming a pole: a token and nothing else are turned into the pole's configuration file.

Nothing that is fetched is believed before it fits a hash of the token: first the authority of the server's certificate,
then the trust root. The key pair is made here and stays here. It is on the disk before it is used, so that a power cut
at any step is mended by running the same command again.
"""

import os
import ssl
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import httpx2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificates

from firmware_bridge.contract import envelope as dsse
from firmware_bridge.contract import keys, strictjson
from firmware_bridge.contract.base import MalformedPayload, Payload
from firmware_bridge.contract.documents import TrustRoot
from firmware_bridge.contract.enrolment import Enrolment, EnrolmentRequest
from firmware_bridge.contract.nodeconfig import MAX_CONFIG_BYTES, NodeConfig
from firmware_bridge.contract.token import BadToken, Token, short_hash
from firmware_bridge.node.config import BadConfig, pinned_trust, read_config

MAX_ANSWER_BYTES = 256 * 1024
TIMEOUT_S = 20.0

Door = Callable[[str, ssl.SSLContext | bool], AbstractContextManager[httpx2.Client]]
"""Opens a client of a server address, with what its certificate is checked against."""


class EnrolError(Exception):
    """The controller did not become a pole. The text says why, `advice` what to do; what was begun can go on."""

    def __init__(self, why: str, advice: str) -> None:
        super().__init__(why)
        self.advice = advice


class Draft(Payload):
    """What is kept between the steps: which token was begun, and the key made for it."""

    token: str
    """Its SHA-256, hex."""
    private_key: str


@dataclass(frozen=True)
class Begun:
    """An enrolment under way."""

    token: Token
    site: str
    root: bytes
    authority: str | None
    """PEM."""
    key: Ed25519PrivateKey


def enrol(text: str, out: Path, firmware: str = "", replace: bool = False, door: Door | None = None) -> NodeConfig:
    """Write the configuration of the pole that `text` is the token of to `out` (mode 0600).

    Raises EnrolError; OSError where the folder cannot be written.
    """
    open_door = door or client_of
    token = _token(text)
    digest, draft_path = sha256(token.secret + token.root).hexdigest(), out.with_name(out.name + ".enrolling")
    draft = _draft(draft_path)
    if out.exists() and (done := _done(out, draft, digest, replace)) is not None:
        draft_path.unlink(missing_ok=True)
        return done
    if draft is None or draft.token != digest:
        draft = Draft(token=digest, private_key=keys.private_to_base64(keys.new_key()))
        write_private(draft_path, draft.to_bytes())
    key = keys.private_from_base64(draft.private_key)
    try:
        config = _ask(token, key, firmware, open_door)
    except httpx2.HTTPError as error:
        raise EnrolError(f"{token.server} cannot be reached safely: {error}",
                         "Check the link and the clock of this controller, then run the same command again.") from error
    write_private(out, config.to_text().encode())
    draft_path.unlink(missing_ok=True)
    return config


def client_of(server: str, verify: ssl.SSLContext | bool) -> httpx2.Client:
    """A client without credentials. Proxies of the environment are not for a pole's own server."""
    return httpx2.Client(base_url=server, timeout=TIMEOUT_S, trust_env=False, verify=verify)


def write_private(path: Path, content: bytes) -> None:
    """Replace `path` in one step; durable on return, and never readable by others.

    Written by root, it belongs to whom the folder belongs to: the service runs as a user of its own.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        if os.geteuid() == 0:
            owner = path.parent.stat()
            os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _token(text: str) -> Token:
    try:
        return Token.from_text(text)
    except BadToken as error:
        raise EnrolError(str(error), "Compare it with the card, letter by letter, or scan the QR code.") from error


def _draft(path: Path) -> Draft | None:
    try:
        return Draft.from_bytes(path.read_bytes())
    except (OSError, MalformedPayload):
        return None


def _done(out: Path, draft: Draft | None, digest: str, replace: bool) -> NodeConfig | None:
    """The configuration, where a power cut left only the draft to be tidied away. Raises EnrolError."""
    try:
        held = read_config(out)
    except BadConfig:
        held = None
    if draft is not None and draft.token == digest and held is not None and held.private_key == draft.private_key:
        return held
    if not replace and not (draft is not None and draft.token == digest):
        who = f"the pole {held.node} of {held.site}" if held else "something else"
        raise EnrolError(f"{out} exists: this controller is {who} already.",
                         "Use --replace to make it another pole, or choose another --out.")
    return None


def _ask(token: Token, key: Ed25519PrivateKey, firmware: str, door: Door) -> NodeConfig:
    authority = _authority(token, door)
    verify = ssl.create_default_context(cadata=authority) if authority else True
    with door(token.server, verify) as client:
        root = _get(client, f"/enrolment/roots/{token.root.hex()}")
        begun = Begun(token, _site_of(root, token), root, authority, key)
        asked = EnrolmentRequest(site=begun.site, secret=token.secret.hex(), firmware=firmware[:64],
                                 public_key=keys.public_to_base64(key)).sign(key)
        answer = client.post("/enrolment", content=dsse.encode(asked), headers={"Content-Type": "application/json"})
        if answer.status_code != 200:
            raise _refused(answer)
        return _config(begun, answer.content)


def _authority(token: Token, door: Door) -> str | None:
    """The authority that the token vouches for, fetched from whoever answers and compared before it is used."""
    if token.authority is None:
        return None
    anybody = ssl.create_default_context()
    anybody.check_hostname = False
    anybody.verify_mode = ssl.CERT_NONE
    with door(token.server, anybody) as client:
        pem = _get(client, "/ca.crt")
    try:
        found = load_pem_x509_certificates(pem)
    except ValueError:
        found = []
    if len(found) != 1 or short_hash(found[0].public_bytes(Encoding.DER)) != token.authority:
        raise EnrolError("The server that answers is not the one of the token: its authority is another.",
                         "Somebody may stand between. Tell the administrator, and do not go on over this network.")
    return found[0].public_bytes(Encoding.PEM).decode()


def _site_of(root: bytes, token: Token) -> str:
    stranger = EnrolError("The server that answers is not the one of the token: its trust root is another.",
                          "Tell the administrator. If the server was set up anew, have a new token made.")
    if short_hash(root) != token.root:
        raise stranger
    try:
        return TrustRoot.from_bytes(dsse.decode(root).payload).site
    except (dsse.MalformedEnvelope, MalformedPayload) as error:
        raise stranger from error


def _config(begun: Begun, raw: bytes) -> NodeConfig:
    """The configuration that the server's signed answer makes. Raises EnrolError."""
    bad = EnrolError("The server's answer is not signed by the key of its trust root.",
                     "If the server's keys were changed, have a new token made; else tell the administrator.")
    try:
        signed = dsse.decode(raw, MAX_ANSWER_BYTES)
        trusted = TrustRoot.from_bytes(dsse.decode(begun.root).payload)
        told = Enrolment.from_bytes(signed.payload)
        known = {keys.key_id(trusted.server_key): trusted.server_key}
        if signed.payload_type != Enrolment.TYPE or not dsse.good_signers(signed, known):
            raise bad
        if told.site != begun.site or told.public_key != keys.public_to_base64(begun.key):
            raise EnrolError("The server answered for another controller.", "Run the same command again.")
        config = NodeConfig(
            site=told.site, node=told.node, name=told.name, place_path=told.place_path, zone=told.zone,
            server=told.server, api_token=told.api_token, ca=begun.authority, brokers=told.brokers,
            private_key=keys.private_to_base64(begun.key),
            trust_root=strictjson.loads(begun.root, MAX_CONFIG_BYTES))
        pinned_trust(config)
    except (dsse.MalformedEnvelope, MalformedPayload, BadConfig, ValueError) as error:
        raise bad from error
    return config


def _get(client: httpx2.Client, path: str) -> bytes:
    with client.stream("GET", path) as answer:
        if answer.status_code != 200:
            answer.read()
            raise _refused(answer)
        content = b""
        for chunk in answer.iter_bytes():
            content += chunk
            if len(content) > MAX_ANSWER_BYTES:
                raise EnrolError(f"{path} is too large.", "This is not a Loudspeaker server of ours; check the token.")
    return content


def _refused(answer: httpx2.Response) -> EnrolError:
    try:
        told = answer.json()
        return EnrolError(str(told["title"]), str(told.get("what_to_do", "")))
    except (ValueError, KeyError, TypeError):
        return EnrolError(f"The server answered {answer.status_code} to {answer.request.url.path}.",
                          "Check that the address on the card is that of the Loudspeaker server.")

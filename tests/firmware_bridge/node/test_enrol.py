"""A new controller among strangers: whatever does not fit the token ends it before anything is told or believed."""

import ssl
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from firmware_bridge.contract import envelope, keys
from firmware_bridge.contract.enrolment import Enrolment, EnrolmentRequest
from firmware_bridge.contract.nodeconfig import BrokerAddress
from firmware_bridge.contract.token import Token, short_hash
from firmware_bridge.node.enrol import MAX_ANSWER_BYTES, EnrolError, enrol
from tests.firmware_bridge.builders import PATH, SITE, Commune, key

NOW = datetime(2026, 3, 2, tzinfo=UTC)
Answer = Callable[[httpx2.Request], httpx2.Response]


def certificate() -> bytes:
    """Some authority's certificate, PEM."""
    signer = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "an authority")])
    made = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(signer.public_key())
            .serial_number(1).not_valid_before(NOW).not_valid_after(NOW + timedelta(days=9))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True).sign(signer, SHA256()))
    return made.public_bytes(Encoding.PEM)


class Server:
    """The server of a token; each of its answers can be replaced by a stranger's."""

    def __init__(self) -> None:
        self.commune = Commune()
        self.root = envelope.encode(self.commune.root_envelope())
        self.ca = certificate()
        self.asked: list[str] = []
        self.instead: dict[str, Answer] = {}
        self.token = Token("https://radio.vn", bytes(10), short_hash(self.root), short_hash(
            x509.load_pem_x509_certificate(self.ca).public_bytes(Encoding.DER)))

    def __call__(self, server: str, verify: ssl.SSLContext | bool) -> AbstractContextManager[httpx2.Client]:
        return httpx2.Client(base_url=server, transport=httpx2.MockTransport(self._answer))

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        self.asked.append(request.url.path)
        step = request.url.path.split("/")[1] if request.method == "GET" else "post"
        if step in self.instead:
            return self.instead[step](request)
        if step == "post":
            return httpx2.Response(200, content=envelope.encode(self.enrolment(request).sign(key(self.commune.server))))
        return httpx2.Response(200, content=self.ca if step == "ca.crt" else self.root)

    def enrolment(self, request: httpx2.Request) -> Enrolment:
        """What the real server tells who asks."""
        asked = EnrolmentRequest.from_bytes(envelope.decode(request.content).payload)
        broker = BrokerAddress(host="radio.vn", port=8883, username="n", password="p", client_id="c", tls=True)
        return Enrolment(site=SITE, node="an-binh-1", public_key=asked.public_key, place_path=PATH, issued=NOW,
                         server="https://radio.vn", api_token="t", brokers=(broker,))


@pytest.fixture
def server() -> Server:
    return Server()


def refused(server: Server, out: Path) -> list[str]:
    """What was asked until the controller gave up; nothing may have been written."""
    with pytest.raises(EnrolError):
        enrol(server.token.to_text(), out, door=server)
    assert not out.exists()
    return server.asked


def test_the_right_server_makes_the_pole(server: Server, tmp_path: Path) -> None:
    config = enrol(server.token.to_text(), tmp_path / "node.json", door=server)
    assert (config.node, config.ca) == ("an-binh-1", server.ca.decode())
    assert server.asked == ["/ca.crt", f"/enrolment/roots/{server.token.root.hex()}", "/enrolment"]


@pytest.mark.parametrize("pem", [certificate(), b"", b"no certificate", certificate() + certificate()])
def test_another_authority_learns_nothing(server: Server, tmp_path: Path, pem: bytes) -> None:
    server.instead["ca.crt"] = lambda _request: httpx2.Response(200, content=pem)
    assert refused(server, tmp_path / "node.json") == ["/ca.crt"]


@pytest.mark.parametrize("root", [
    b"", b"{}", b"x" * (MAX_ANSWER_BYTES + 1), envelope.encode(Commune(version=2).root_envelope())])
def test_another_trust_root_is_never_shown_the_secret(server: Server, tmp_path: Path, root: bytes) -> None:
    server.instead["enrolment"] = lambda _request: httpx2.Response(200, content=root)
    assert "/enrolment" not in refused(server, tmp_path / "node.json")


def signed_by_a_stranger(server: Server) -> Answer:
    return lambda request: httpx2.Response(
        200, content=envelope.encode(server.enrolment(request).sign(keys.new_key())))


def for_another_key(server: Server) -> Answer:
    other = keys.public_to_base64(keys.new_key())
    return lambda request: httpx2.Response(200, content=envelope.encode(
        server.enrolment(request).model_copy(update={"public_key": other}).sign(key(server.commune.server))))


def of_another_site(server: Server) -> Answer:
    return lambda request: httpx2.Response(200, content=envelope.encode(
        server.enrolment(request).model_copy(update={"site": "elsewhere"}).sign(key(server.commune.server))))


def another_document(server: Server) -> Answer:
    return lambda request: httpx2.Response(200, content=envelope.encode(
        envelope.sign("application/x", server.enrolment(request).to_bytes(), key(server.commune.server))))


def nonsense(server: Server) -> Answer:
    return lambda request: httpx2.Response(200, content=b"[" * 10_000)


def not_json(server: Server) -> Answer:
    return lambda request: httpx2.Response(502, content=b"<html>")


@pytest.mark.parametrize("stranger", [
    signed_by_a_stranger, for_another_key, of_another_site, another_document, nonsense, not_json])
def test_an_answer_that_does_not_fit_makes_no_pole(
        server: Server, tmp_path: Path, stranger: Callable[[Server], Answer]) -> None:
    server.instead["post"] = stranger(server)
    refused(server, tmp_path / "node.json")
    server.instead.clear()
    assert enrol(server.token.to_text(), tmp_path / "node.json", door=server).node == "an-binh-1", "and can be mended"


def test_a_link_that_fails_is_said_in_a_sentence(server: Server, tmp_path: Path) -> None:
    def fail(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("no route", request=request)

    server.instead["ca.crt"] = fail
    with pytest.raises(EnrolError, match="cannot be reached safely") as told:
        enrol(server.token.to_text(), tmp_path / "node.json", door=server)
    assert "same command again" in told.value.advice

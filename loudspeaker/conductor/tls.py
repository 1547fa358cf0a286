"""Certificates for what the server listens with: its own small authority, or files that were given.

The authority is made once. It may only vouch for this installation's name and for private networks (name constraints),
so that whoever trusts it in a browser entrusts it with nothing else. The server's certificate is made anew long before
it expires, and whenever its names change.
"""

import hashlib
import ipaddress
import os
import ssl
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_YEARS = 25
CERTIFICATE = timedelta(days=397)
"""What browsers accept at most."""
RENEWED_BEFORE = timedelta(days=120)
BACKDATED = timedelta(days=1)
"""Poles' and people's clocks may be behind."""
ALWAYS = ("localhost", "127.0.0.1", "::1")
PRIVATE_NETWORKS = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "100.64.0.0/10",
                    "::1/128", "fc00::/7")


class BadCertificate(Exception):
    """Certificates cannot be used; the text says what to do."""


@dataclass(frozen=True)
class Tls:
    """PEM files of the server's certificate (with its chain) and key, and of the authority that clients must know.

    `authority` is None where the clients' systems know it. `own` says that the authority is ours: we renew.
    """

    certificate: Path
    key: Path
    authority: Path | None
    own: bool = field(default=True)

    @property
    def authority_pem(self) -> str | None:
        """The authority's certificate as text."""
        return self.authority.read_text() if self.authority else None

    @property
    def made(self) -> int:
        """When the certificate's file was written, in nanoseconds since 1970; 0 while it is not there."""
        return self.certificate.stat().st_mtime_ns if self.certificate.exists() else 0

    def context(self) -> ssl.SSLContext:
        """For a listener: TLS 1.2 or newer. Raises BadCertificate."""
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.minimum_version = ssl.TLSVersion.TLSv1_2
        self.load_into(made)
        return made

    def load_into(self, context: ssl.SSLContext) -> None:
        """Let connections that begin from now on see the newest certificate. Raises BadCertificate."""
        try:
            context.load_cert_chain(self.certificate, self.key)
        except (OSError, ssl.SSLError) as error:
            raise BadCertificate(f"{self.certificate} and {self.key} cannot be used: {error}") from error


def der_of(pem: str) -> bytes:
    """The one certificate of `pem` as DER. Raises BadCertificate."""
    try:
        found = x509.load_pem_x509_certificates(pem.encode())
    except ValueError as error:
        raise BadCertificate(f"the authority's certificate cannot be read: {error}") from error
    if len(found) != 1:
        raise BadCertificate("the file of the authority must hold exactly one certificate")
    return found[0].public_bytes(Encoding.DER)


def fingerprint(pem: str) -> str:
    """SHA-256 of the certificate as browsers show it: `AB:CD:…`."""
    return hashlib.sha256(der_of(pem)).digest().hex(":").upper()


def given(certificate: Path, key: Path, authority: Path | None) -> Tls:
    """Certificate files of somebody else's making. Raises BadCertificate."""
    made = Tls(certificate, key, authority, own=False)
    made.context()
    if made.authority_pem is not None:
        der_of(made.authority_pem)
    return made


def own(keys: Path, folder: Path, names: Iterable[str], now: datetime) -> Tls:
    """Our own authority (`keys`/ca.*) and a certificate below `folder` for `names`, made where missing.

    Raises BadCertificate where the authority may not vouch for the first name; what it may not of the others is left
    out, such as a container's passing name.
    """
    keys.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    wanted = _wanted(names)
    made = Tls(folder / "server.crt", folder / "server.key", keys / "ca.crt")
    if not (keys / "ca.key").exists():
        _make_authority(keys, wanted, now)
    renew(made, wanted, now)
    return made


def renew(tls: Tls, names: Iterable[str], now: datetime) -> bool:
    """Make the server's certificate anew when it is missing, soon over, or for other names. Raises BadCertificate."""
    if not tls.own or tls.authority is None:
        return False
    authority = x509.load_pem_x509_certificate(tls.authority.read_bytes())
    wanted = _permitted(authority, _wanted(names), tls.authority)
    if _holds(tls, wanted, now):
        return False
    signer = load_pem_private_key(tls.authority.with_suffix(".key").read_bytes(), None)
    if not isinstance(signer, ec.EllipticCurvePrivateKey):
        raise BadCertificate(f"{tls.authority.with_suffix('.key')} is no key of ours")
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        x509.CertificateBuilder().subject_name(_name(wanted[0])).issuer_name(authority.subject)
        .public_key(key.public_key()).serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED).not_valid_after(min(now + CERTIFICATE, authority.not_valid_after_utc))
        .add_extension(x509.SubjectAlternativeName([_general(one) for one in wanted]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .sign(signer, SHA256()))
    chain = certificate.public_bytes(Encoding.PEM)
    _write(tls.key, _private(key), 0o600)
    _write(tls.certificate, chain, 0o644)
    return True


def _holds(tls: Tls, wanted: tuple[str, ...], now: datetime) -> bool:
    if not (tls.certificate.exists() and tls.key.exists()):
        return False
    try:
        held = x509.load_pem_x509_certificate(tls.certificate.read_bytes())
        tls.context()
    except (ValueError, BadCertificate):
        return False
    said = held.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    names = {*said.get_values_for_type(x509.DNSName),
             *map(str, said.get_values_for_type(x509.IPAddress))}
    return names == set(wanted) and now < held.not_valid_after_utc - RENEWED_BEFORE


def _make_authority(keys: Path, names: tuple[str, ...], now: datetime) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(f"Loudspeaker {names[0]}")
    domains = [x509.DNSName(one) for one in names if _address(one) is None]
    own = [ipaddress.ip_network(one) for one in names if _address(one) is not None]
    networks = [x509.IPAddress(one) for one in dict.fromkeys(
        (*map(ipaddress.ip_network, PRIVATE_NETWORKS), *own))]
    certificate = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED).not_valid_after(now + timedelta(days=365 * AUTHORITY_YEARS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.KeyUsage(False, False, False, False, False, True, True, False, False), critical=True)
        .add_extension(x509.NameConstraints([*domains, *networks], None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, SHA256()))
    _write(keys / "ca.crt", certificate.public_bytes(Encoding.PEM), 0o644)
    _write(keys / "ca.key", _private(key), 0o600)


def _wanted(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*(name.lower() for name in names if name), *ALWAYS)))


def _permitted(authority: x509.Certificate, names: tuple[str, ...], file: Path) -> tuple[str, ...]:
    """Those of `names` that the authority may vouch for. Raises BadCertificate when the first is not among them."""
    allowed = authority.extensions.get_extension_for_class(x509.NameConstraints).value.permitted_subtrees or []
    domains = [one.value for one in allowed if isinstance(one, x509.DNSName)]
    networks = [one.value for one in allowed
                if isinstance(one.value, ipaddress.IPv4Network | ipaddress.IPv6Network)]

    def fits(name: str) -> bool:
        address = _address(name)
        if address is None:
            return any(name == one or name.endswith(f".{one}") for one in domains)
        return any(address in one for one in networks)

    if not fits(names[0]):
        raise BadCertificate(
            f"the authority in {file} may not vouch for {names[0]}: set the former LOUDSPEAKER_PUBLIC_URL, "
            f"or move {file} and its key away for a new authority, and enrol every pole again")
    return tuple(filter(fits, names))


def _general(name: str) -> x509.GeneralName:
    address = _address(name)
    return x509.DNSName(name) if address is None else x509.IPAddress(address)


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common[:64])])


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write(path: Path, content: bytes, mode: int) -> None:
    """In one step, never readable by others on the way."""
    draft = path.with_suffix(path.suffix + ".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.chmod(mode)
    draft.replace(path)

"""The server's own authority vouches for this server and for nothing else; certificates are renewed in time."""

import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from loudspeaker.conductor import certificates, tls
from loudspeaker.conductor.certificates import names_of
from loudspeaker.conductor.opening import open_house
from loudspeaker.conductor.tls import BadCertificate, Tls
from loudspeaker.settings import Settings
from tests.loudspeaker.builders import SetClock

NOW = datetime.now(UTC)
"""OpenSSL looks at the machine's clock."""


def made(folder: Path, *names: str, now: datetime = NOW) -> Tls:
    return tls.own(folder / "keys", folder / "tls", names, now)


def greeted(shown: Tls, authority: str, name: str, least: ssl.TLSVersion | None = None) -> str | None:
    """The TLS version that a client who knows only `authority` comes to with the listener; raises what it finds."""
    listener = socket.create_server(("127.0.0.1", 0))
    context = shown.context()

    def serve() -> None:
        accepted, _ = listener.accept()
        with accepted:
            try:
                context.wrap_socket(accepted, server_side=True).close()
            except OSError:
                return

    thread = threading.Thread(target=serve)
    thread.start()
    client = ssl.create_default_context(cadata=authority)
    if least is not None:
        client.minimum_version, client.maximum_version = ssl.TLSVersion.MINIMUM_SUPPORTED, least
    try:
        with socket.create_connection(listener.getsockname()) as plain, \
                client.wrap_socket(plain, server_hostname=name) as greeting:
            return greeting.version()
    finally:
        thread.join()
        listener.close()


def test_who_knows_the_authority_reaches_the_server_by_each_of_its_names(tmp_path: Path) -> None:
    shown = made(tmp_path, "radio.minhtan.gov.vn", "192.168.1.20")
    for name in ("radio.minhtan.gov.vn", "192.168.1.20", "localhost", "127.0.0.1"):
        assert greeted(shown, shown.authority_pem or "", name) == "TLSv1.3"
    with pytest.raises(ssl.SSLCertVerificationError):
        greeted(shown, shown.authority_pem or "", "elsewhere.vn")


def test_another_authority_is_not_believed(tmp_path: Path) -> None:
    shown, other = made(tmp_path / "a", "radio.vn"), made(tmp_path / "b", "radio.vn")
    with pytest.raises(ssl.SSLCertVerificationError):
        greeted(shown, other.authority_pem or "", "radio.vn")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_nothing_older_than_tls_1_2_is_spoken(tmp_path: Path) -> None:
    shown = made(tmp_path, "radio.vn")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        greeted(shown, shown.authority_pem or "", "radio.vn", ssl.TLSVersion.TLSv1_1)


def test_the_authority_may_not_vouch_for_other_sites_even_with_its_key(tmp_path: Path) -> None:
    mine = made(tmp_path, "radio.minhtan.gov.vn")
    with pytest.raises(BadCertificate, match="may not vouch for google"):
        tls.renew(mine, ["google.com"], NOW)
    assert mine.authority is not None
    forged = Tls(tmp_path / "forged.crt", tmp_path / "forged.key", mine.authority)
    with pytest.MonkeyPatch.context() as patch:  # a thief of the key does not ask our own check
        patch.setattr(tls, "_permitted", lambda _authority, names, _file: names)
        tls.renew(forged, ["google.com"], NOW)
    with pytest.raises(ssl.SSLCertVerificationError, match="permitted subtree"):
        greeted(forged, mine.authority_pem or "", "google.com")


def test_a_passing_name_of_the_machine_is_left_out(tmp_path: Path) -> None:
    made(tmp_path, "radio.vn", "box-1")
    again = made(tmp_path, "radio.vn", "box-2")
    said = x509.load_pem_x509_certificate(again.certificate.read_bytes()).extensions.get_extension_for_class(
        x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName)
    assert "box-2" not in said
    assert "radio.vn" in said


def test_keys_are_their_owners_alone(tmp_path: Path) -> None:
    shown = made(tmp_path, "radio.vn")
    for path in (tmp_path / "keys" / "ca.key", shown.key):
        assert path.stat().st_mode & 0o777 == 0o600
    for path in (tmp_path / "keys", tmp_path / "tls"):
        assert path.stat().st_mode & 0o077 == 0


def test_a_certificate_is_made_anew_before_it_ends_and_when_names_change_but_not_otherwise(tmp_path: Path) -> None:
    shown = made(tmp_path, "radio.vn", "10.0.0.5")
    first = shown.certificate.read_bytes()
    assert not tls.renew(shown, ["radio.vn", "10.0.0.5"], NOW + timedelta(days=250))
    assert made(tmp_path, "radio.vn", "10.0.0.5").certificate.read_bytes() == first
    assert tls.renew(shown, ["radio.vn", "10.0.0.6"], NOW)
    assert tls.renew(shown, ["radio.vn", "10.0.0.6"], NOW + timedelta(days=300))


def test_a_listener_shows_the_new_certificate_without_being_opened_anew(tmp_path: Path) -> None:
    shown = made(tmp_path, "radio.vn")
    context = shown.context()
    assert tls.renew(shown, ["radio.vn", "10.0.0.6"], NOW)
    shown.load_into(context)
    assert shown.authority_pem is not None


def test_a_half_written_certificate_is_made_anew(tmp_path: Path) -> None:
    shown = made(tmp_path, "radio.vn")
    shown.certificate.write_bytes(shown.certificate.read_bytes()[:200])
    assert tls.renew(shown, ["radio.vn"], NOW)
    assert greeted(shown, shown.authority_pem or "", "radio.vn")


def test_given_files_that_cannot_be_used_are_refused_with_their_names(tmp_path: Path) -> None:
    shown, other = made(tmp_path / "a", "radio.vn"), made(tmp_path / "b", "radio.vn")
    assert tls.given(shown.certificate, shown.key, None).authority_pem is None
    with pytest.raises(BadCertificate, match="cannot be used"):
        tls.given(shown.certificate, other.key, None)
    with pytest.raises(BadCertificate, match="cannot be used"):
        tls.given(tmp_path / "no.crt", tmp_path / "no.key", None)


@pytest.mark.parametrize(("given", "exposed"), [
    ({}, ()), ({"host": "localhost"}, ()), ({"host": "::1"}, ()), ({"host": "127.3.0.1"}, ()),
    ({"host": "0.0.0.0"}, ("0.0.0.0",)), ({"host": "192.168.1.5"}, ("192.168.1.5",)), ({"host": "::"}, ("::",)),
    ({"host": ""}, ("0.0.0.0",)), ({"broker_host": "0.0.0.0"}, ("0.0.0.0",)), ({"host": "radio.vn"}, ("radio.vn",)),
    ({"host": "0.0.0.0", "tls": "own"}, ()), ({"host": "0.0.0.0", "plain_text": "behind_proxy"}, ()),
    ({"host": "0.0.0.0", "tls_cert": "a", "tls_key": "b"}, ())])
def test_plain_text_is_for_this_machine_only(given: dict[str, str], exposed: tuple[str, ...]) -> None:
    assert Settings(**given).exposed == exposed  # type: ignore[arg-type]


def test_cookies_and_browsers_are_kept_to_tls_wherever_people_have_it() -> None:
    assert not Settings().secure
    assert Settings(tls="own").secure
    assert Settings(public_url="https://radio.vn", plain_text="behind_proxy").secure


def test_a_certificate_without_its_key_is_a_mistake_in_the_settings() -> None:
    with pytest.raises(ValueError, match="belong together"):
        Settings(tls_cert=Path("a"))


def test_the_certificate_stands_for_the_public_name_first() -> None:
    settings = Settings(public_url="https://radio.vn:8443", host="0.0.0.0", broker_host="10.0.0.5", tls="own")
    assert names_of(settings)[0] == "radio.vn"
    assert "10.0.0.5" in names_of(settings)
    assert "0.0.0.0" not in names_of(settings)


def test_renewed_files_are_taken_up_by_who_listens(tmp_path: Path) -> None:
    given, later = made(tmp_path / "a", "radio.vn"), made(tmp_path / "b", "radio.vn")
    settings = Settings(data=tmp_path / "data", tls_cert=given.certificate, tls_key=given.key)
    with open_house(settings) as house:
        shown: list[int] = []
        house.renewed.append(lambda: shown.append(1))
        assert not certificates.renew(house)
        given.certificate.write_bytes(later.certificate.read_bytes())
        assert not certificates.renew(house), "half of it is there"
        given.key.write_bytes(later.key.read_bytes())
        assert certificates.renew(house)
        assert not certificates.renew(house)
        assert shown == [1]


def test_our_own_certificate_is_renewed_while_the_server_runs(tmp_path: Path) -> None:
    clock = SetClock(NOW)
    with open_house(Settings(data=tmp_path, tls="own"), clock) as house:
        assert not certificates.renew(house)
        clock.forward(timedelta(days=300))
        assert certificates.renew(house)
        assert not certificates.renew(house)

"""Passkeys sign like other keys, and only on their own pages, for a verified person, over exactly these bytes."""

from base64 import b64encode
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.contract import envelope as dsse
from firmware_bridge.contract import passkeys
from firmware_bridge.contract.documents import Approver, RecordingStatement
from firmware_bridge.contract.envelope import Envelope, MalformedEnvelope, Signature, good_signers
from firmware_bridge.contract.keys import key_id
from firmware_bridge.contract.passkeys import KeyKind, Passkey
from firmware_bridge.contract.trust import Reason, Refused, Trust, read_recording
from tests.firmware_bridge.authenticator import Authenticator
from tests.firmware_bridge.builders import COMMUNE, NOON, PATH, Commune, key, public, sha, statement

MESSAGE = b"what is signed"
KINDS = (KeyKind.PASSKEY_ES256, KeyKind.PASSKEY_ED25519)
HERS = Authenticator()


def holds(value: bytes, message: bytes = MESSAGE, passkey: Passkey = HERS.passkey) -> bool:
    """Whether the assertion counts."""
    return passkeys.is_good(passkey, value, message)


@pytest.mark.parametrize("kind", KINDS)
def test_an_assertion_over_the_message_holds(kind: KeyKind) -> None:
    hers = Authenticator(kind=kind)
    assert holds(hers.assertion(MESSAGE), passkey=hers.passkey)


@pytest.mark.parametrize("kind", KINDS)
def test_an_assertion_over_something_else_does_not(kind: KeyKind) -> None:
    hers = Authenticator(kind=kind)
    assert not holds(hers.assertion(b"something else"), passkey=hers.passkey)
    assert not holds(hers.assertion(MESSAGE), b"something else", hers.passkey)


@pytest.mark.parametrize(("wrong", "why"), [
    (replace(HERS, relying_party="evil.example"), "another relying party"),
    (replace(HERS, origin="https://evil.example"), "another origin"),
    (replace(HERS, origin="http://loa.example.vn"), "the same host in plain text"),
    (replace(HERS, origin="https://loa.example.vn:8443"), "another port"),
    (replace(HERS, flags=0x01), "nobody was verified"),
    (replace(HERS, flags=0x04), "nobody was present"),
    (replace(HERS, flags=0x85), "extensions are said to follow"),
    (replace(HERS, flags=0x45), "a credential is said to follow"),
    (replace(HERS, tail=b"\xa0", flags=0x85), "extensions follow"),
    (replace(HERS, more={"type": "webauthn.create"}), "a registration, not an assertion"),
    (replace(HERS, more={"crossOrigin": True}), "from inside another page"),
    (replace(HERS, more={"topOrigin": "https://evil.example"}), "from inside another page"),
    (replace(HERS, more={"challenge": passkeys.challenge(MESSAGE) + "="}), "another spelling of the challenge"),
    (replace(HERS, more={"challenge": None}), "no challenge"),
    (replace(HERS, more={"padding": "x" * 1024}), "huge client data"),
    (replace(HERS, more={"n": float("nan")}), "not strict JSON"),
    (replace(HERS, name="another telephone"), "another passkey"),
])
def test_an_assertion_made_otherwise_does_not_hold(wrong: Authenticator, why: str) -> None:
    assert holds(HERS.assertion(MESSAGE))
    assert not holds(wrong.assertion(MESSAGE)), why


def test_a_synchronised_passkey_holds_whatever_its_counter() -> None:
    assert holds(replace(HERS, flags=0x1D).assertion(MESSAGE))


def test_client_data_may_say_more_than_is_asked() -> None:
    assert holds(replace(HERS, more={"other_keys_can_be_added_here": "do not compare", "crossOrigin": None})
                 .assertion(MESSAGE))


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_no_bit_of_an_assertion_can_be_altered(kind: KeyKind, data: st.DataObject) -> None:
    hers = Authenticator(kind=kind)
    value = bytearray(hers.assertion(MESSAGE))
    bit = data.draw(st.integers(0, len(value) * 8 - 1))
    value[bit // 8] ^= 1 << bit % 8
    assert not holds(bytes(value), passkey=hers.passkey)


@given(st.integers(0, 400))
def test_no_assertion_can_be_cut_or_lengthened(length: int) -> None:
    value = HERS.assertion(MESSAGE)
    if length != len(value):
        assert not holds((value + bytes(400))[:length])


def test_duplicate_keys_in_the_client_data_are_refused() -> None:
    value = HERS.assertion(MESSAGE)
    head, client = value[:101], value[101:]
    assert not holds(head + client.replace(b'{"type"', b'{"type":"webauthn.get","type"'))


@pytest.mark.parametrize("point", ["04" + "00" * 64, "04" + "ff" * 64, "02" + "11" * 64])
def test_a_point_that_is_not_on_the_curve_verifies_nothing(point: str) -> None:
    bad = replace(HERS.passkey, public_key=b64encode(bytes.fromhex(point)).decode())
    assert not holds(HERS.assertion(MESSAGE), passkey=bad)


def test_a_passkey_is_no_plain_key_and_a_plain_key_no_passkey() -> None:
    hers = Authenticator(kind=KeyKind.PASSKEY_ED25519)
    signed = hers.sign("application/x", b"{}")
    named = key_id(hers.public_key)
    assert good_signers(signed, {named: hers.passkey}) == {named}
    assert good_signers(signed, {named: hers.public_key}) == frozenset()
    assert isinstance(hers.key, Ed25519PrivateKey)
    plain = dsse.sign("application/x", b"{}", hers.key)
    assert good_signers(plain, {named: hers.public_key}) == {named}
    assert good_signers(plain, {named: hers.passkey}) == frozenset()


def test_an_assertion_travels_in_the_envelope_and_nothing_between_it_and_a_signature_does() -> None:
    signed = HERS.sign("application/x", b"{}")
    assert dsse.decode(dsse.encode(signed)) == signed
    for length in (0, 63, 65, 101, passkeys.MAX_BYTES + 1):
        odd = Envelope("application/x", b"{}", (Signature("0" * 64, bytes(length)),))
        with pytest.raises(MalformedEnvelope):
            dsse.decode(dsse.encode(odd))


def listed(authenticator: Authenticator, **other: object) -> Trust:
    """The commune's trust with the passkey as Ms Hoa's only key."""
    trust = Commune().full_trust()
    assert trust.approvers is not None
    hers = Approver.model_validate({
        "owner": "hoa", "name": "Hoa", "place": COMMUNE, "public_key": authenticator.public_key,
        "kind": authenticator.kind, "relying_party": "loa.example.vn", "origin": "https://loa.example.vn",
        "valid_from": NOON, "valid_until": NOON.replace(year=2030), **other})
    return replace(trust, approvers=trust.approvers.model_copy(update={"approvers": (hers,)}))


@pytest.mark.parametrize("kind", KINDS)
def test_a_recording_approved_by_passkey_may_air(kind: KeyKind) -> None:
    hers, said = Authenticator(kind=kind), statement(sha("news"))
    signed = hers.sign(RecordingStatement.TYPE, said.to_bytes())
    assert read_recording(signed, listed(hers), PATH, NOON) == said


@pytest.mark.parametrize("change", [
    {"kind": "passkey-of-tomorrow"}, {"origin": None}, {"relying_party": None}, {"kind": "ed25519"},
    {"origin": "https://other.example.vn"}, {"public_key": public("hoa")}])
def test_a_passkey_that_is_listed_otherwise_never_counts(change: dict[str, object]) -> None:
    signed = HERS.sign(RecordingStatement.TYPE, statement(sha("news")).to_bytes())
    with pytest.raises(Refused) as refused:
        read_recording(signed, listed(HERS, **change), PATH, NOON)
    assert refused.value.reason in (Reason.FOREIGN_KEY, Reason.BAD_SIGNATURE)


def test_the_second_listener_does_not_count_as_approver() -> None:
    trust, said = Commune().full_trust(), statement(sha("news"), second_listener="hoa")
    with pytest.raises(Refused) as refused:
        read_recording(said.sign(key("hoa")), trust, PATH, NOON)
    assert read_recording(said.sign(key("hoa"), key("binh")), trust, PATH, NOON) == said
    assert refused.value.reason is Reason.TOO_FEW_OWNERS


def test_the_author_is_no_second_listener() -> None:
    said = statement(sha("news"), second_listener="an", author="an")
    with pytest.raises(Refused) as refused:
        read_recording(said.sign(key("hoa")), Commune().full_trust(), PATH, NOON)
    assert refused.value.reason is Reason.OWN_APPROVAL

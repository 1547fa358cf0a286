"""The browser's signing module, run in Node, against Python's cryptography and the protocol's own envelope code."""

import base64
import hashlib
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from firmware_bridge.contract import envelope
from tests.web.conftest import Node

IMPORTS = """
import { DamagedKey, NotWhatIsShown, WrongPassphrase, changePassphrase, checkShown, keyId, makeKey, openKey, sha256Hex,
  signPayload } from "src/signing";
import { fromBase64, toBase64 } from "src/base64";
const nameOf = async (act: () => unknown) => {
  try { await act(); return "nothing"; } catch (failure) {
    for (const kind of [DamagedKey, NotWhatIsShown, WrongPassphrase]) if (failure instanceof kind) return kind.name;
    return String(failure);
  }
};
"""
TYPE = "application/vnd.loudspeaker.recording-statement+json"


def test_what_the_browser_signs_is_what_the_protocol_verifies(in_node: Node) -> None:
    payload = json.dumps({"title": "Lời kêu gọi cử tri", "recording": "a" * 64}, ensure_ascii=False).encode()
    made = in_node(f"""{IMPORTS}
      const {{ public_key_b64, sealed, key }} = await makeKey("bốn từ khó đoán");
      const again = await openKey(sealed, "bốn từ khó đoán");
      const payload = fromBase64("{base64.b64encode(payload).decode()}");
      answer({{ public_key_b64, keyid: again.keyId, envelope: signPayload("{TYPE}", payload, again) }});
    """)
    read = envelope.decode(json.dumps(made["envelope"]).encode())
    assert read.payload == payload
    assert envelope.good_signers(read, {made["keyid"]: made["public_key_b64"]}) == {made["keyid"]}
    assert made["keyid"] == hashlib.sha256(base64.b64decode(made["public_key_b64"])).hexdigest()


def test_python_and_the_browser_make_the_same_signature(in_node: Node) -> None:
    secret = bytes(range(32))
    signed = in_node(f"""{IMPORTS}
      import {{ OpenKey }} from "src/signing";
      answer(signPayload("{TYPE}", new TextEncoder().encode("{{}}"), new OpenKey(Uint8Array.from({list(secret)}))));
    """)
    expected = envelope.sign(TYPE, b"{}", Ed25519PrivateKey.from_private_bytes(secret))
    assert signed == envelope.to_dict(expected)


def test_the_sealed_key_holds_no_open_key_and_opens_only_with_its_passphrase(in_node: Node) -> None:
    made = in_node(f"""{IMPORTS}
      const {{ sealed }} = await makeKey("bốn từ khó đoán");
      const decomposed = "bốn từ khó đoán".normalize("NFD");
      answer({{
        sealed,
        wrong: await nameOf(() => openKey(sealed, "bốn từ khó doán")),
        otherKeyboard: await nameOf(() => openKey(sealed, decomposed)),
      }});
    """)
    assert made["wrong"] == "WrongPassphrase"
    assert made["otherKeyboard"] == "nothing"
    assert len(base64.b64decode(made["sealed"]["ciphertext"])) == 32 + 16
    assert made["sealed"]["kdf"]["memory_kib"] >= 19_456


@pytest.mark.parametrize(("change", "failure"), [
    ('{ ...sealed, kdf: { ...sealed.kdf, passes: 3 } }', "WrongPassphrase"),
    ('{ ...sealed, kdf: { ...sealed.kdf, memory_kib: 8 } }', "DamagedKey"),
    ('{ ...sealed, kdf: { ...sealed.kdf, memory_kib: 4_000_000 } }', "DamagedKey"),
    ('{ ...sealed, public_key: toBase64(new Uint8Array(32)) }', "WrongPassphrase"),
    ('{ ...sealed, version: 2 }', "DamagedKey"),
])
def test_an_altered_blob_does_not_open(in_node: Node, change: str, failure: str) -> None:
    assert in_node(f"""{IMPORTS}
      const {{ sealed }} = await makeKey("bốn từ khó đoán");
      answer(await nameOf(() => openKey({change} as never, "bốn từ khó đoán")));
    """) == failure


def test_a_new_passphrase_keeps_the_key_and_ends_the_old_passphrase(in_node: Node) -> None:
    made = in_node(f"""{IMPORTS}
      const {{ sealed, public_key_b64 }} = await makeKey("bốn từ khó đoán");
      const changed = await changePassphrase(sealed, "bốn từ khó đoán", "năm từ còn khó hơn");
      const key = await openKey(changed, "năm từ còn khó hơn");
      const old = await nameOf(() => openKey(changed, "bốn từ khó đoán"));
      answer({{ same: toBase64(key.publicKey) === public_key_b64, old }});
    """)
    assert made == {"same": True, "old": "WrongPassphrase"}


def test_a_wiped_key_signs_nothing(in_node: Node) -> None:
    assert "wiped" in in_node(f"""{IMPORTS}
      const {{ key }} = await makeKey("bốn từ khó đoán");
      key.wipe();
      answer(await nameOf(() => signPayload("x", new Uint8Array(), key)));
    """)


@pytest.mark.parametrize(("shown", "verdict"), [
    ({"recording": "ab", "title": "Tin"}, "nothing"),
    ({"recording": "ac", "title": "Tin"}, "NotWhatIsShown"),
    ({"recording": "ab", "title": "Tin khác"}, "NotWhatIsShown"),
    ({"frames": [{"end": "18:30", "start": "16:30"}]}, "nothing"),
    ({"frames": [{"end": "23:30", "start": "16:30"}]}, "NotWhatIsShown"),
    ({"missing": None}, "NotWhatIsShown"),
])
def test_only_what_the_person_sees_is_signed(in_node: Node, shown: dict[str, Any], verdict: str) -> None:
    payload = {"recording": "ab", "title": "Tin", "frames": [{"start": "16:30", "end": "18:30"}]}
    assert in_node(f"""{IMPORTS}
      const payload = new TextEncoder().encode({json.dumps(json.dumps(payload))});
      answer(await nameOf(() => checkShown(payload, {json.dumps(shown)})));
    """) == verdict


def test_the_browser_hashes_as_everybody_does(in_node: Node) -> None:
    hashed = in_node(f'{IMPORTS} answer(sha256Hex(new TextEncoder().encode("loa")));')
    assert hashed == hashlib.sha256(b"loa").hexdigest()

"""Vectors of signed documents: one good, and every way that one can be wrong."""

import base64
from datetime import timedelta
from typing import Any

from firmware_bridge.contract.base import write_instant
from firmware_bridge.contract.documents import AirClass, Document
from firmware_bridge.contract.envelope import Envelope, Signature, encode, sign
from firmware_bridge.contract.trust import Reason
from firmware_bridge.contract.vectors import world
from firmware_bridge.contract.vectors.world import DAY, NOW, key

ACCEPTED = "accepted"
Case = dict[str, Any]


def cases() -> list[Case]:
    """All of them."""
    made: list[Case] = []
    for what, (document, signer) in world.documents().items():
        good = document.sign(key(signer))
        made.append(_case(what, "good", encode(good), ACCEPTED))
        made += _of_any_type(what, document, good, signer)
        for name, (changes, signers, reason) in SPECIAL.get(what, {}).items():
            wrong = document.model_copy(update=changes)
            made.append(_case(what, name, encode(wrong.sign(*map(key, signers))), reason))
    return made


def _of_any_type(what: str, document: Document, good: Envelope, signer: str) -> list[Case]:
    payload, kind, raw = good.payload, good.payload_type, encode(good)
    own = good.signatures[0]
    flipped = Signature(own.key_id, bytes([own.value[0] ^ 1]) + own.value[1:])
    other = Envelope(kind, document.model_copy(update={"site": "elsewhere"}).to_bytes(), good.signatures)
    elsewhere = document.model_copy(update={"site": "elsewhere"}).sign(key(signer))
    unknown = Reason.BAD_SIGNATURE if what == "trust-root" else Reason.FOREIGN_KEY
    return [
        _case(what, "bit of the signature flipped", encode(Envelope(kind, payload, (flipped,))), Reason.BAD_SIGNATURE),
        _case(what, "payload exchanged under the signature", encode(other), None),
        _case(what, "signed by a stranger", encode(sign(kind, payload, key("stranger"))), unknown),
        _case(what, "of another site", encode(elsewhere), Reason.WRONG_SITE),
        _case(what, "signed as another type", encode(sign("application/json", payload, key(signer))),
              Reason.WRONG_TYPE),
        _case(what, "truncated", raw[:-7], Reason.MALFORMED),
        _case(what, "a key stands twice", raw[:-1] + b',"payload":""}', Reason.MALFORMED),
        _case(what, "base64 that is not canonical", raw.replace(b'"sig":"', b'"sig":" ', 1), Reason.MALFORMED),
        _case(what, "payload is no document", encode(sign(kind, b"[1]", key(signer))), Reason.MALFORMED),
        _case(what, "payload nested too deep", encode(sign(kind, b'{"x":' + b"[" * 60 + b"]" * 60 + b"}", key(signer))),
              Reason.MALFORMED)]


_OLD, _AHEAD = NOW - timedelta(seconds=1), NOW + timedelta(minutes=6)
SPECIAL: dict[str, dict[str, tuple[dict[str, Any], tuple[str, ...], str]]] = {
    "trust-root": {
        "older than the held one": ({"version": 2}, ("root",), Reason.OLDER_VERSION),
        "a version is left out": ({"version": 5}, ("root",), Reason.VERSION_GAP),
        "expired": ({"expires": NOW}, ("root",), Reason.EXPIRED),
        "its own new key alone signed": ({"root_keys": (world.public("stranger"),)}, ("stranger",),
                                         Reason.BAD_SIGNATURE),
        "handed over to a new key by both": ({"root_keys": (world.public("stranger"),)}, ("root", "stranger"),
                                             ACCEPTED)},
    "approver-list": {
        "older than the held one": ({"version": 6}, ("leader",), Reason.OLDER_VERSION),
        "expired": ({"expires": NOW}, ("leader",), Reason.EXPIRED),
        "signed by the server": ({}, ("server",), Reason.FOREIGN_KEY)},
    "policy": {
        "older than the held one": ({"version": 3}, ("hoa",), Reason.OLDER_VERSION),
        "of a place that is not above the node": ({"place": "thon-hai"}, ("lan",), Reason.WRONG_PLACE),
        "signed by an approver of another village": ({}, ("lan",), Reason.WRONG_PLACE)},
    "recording-statement": {
        "expired": ({"valid_until": NOW}, ("hoa",), Reason.EXPIRED),
        "not yet valid": ({"valid_from": NOW + DAY}, ("hoa",), Reason.NOT_YET_VALID),
        "approved by its author": ({"author": "hoa"}, ("hoa",), Reason.OWN_APPROVAL),
        "an emergency that one owner signed": ({"air_class": AirClass.EMERGENCY}, ("hoa",), Reason.TOO_FEW_OWNERS),
        "an emergency that two owners signed": ({"air_class": AirClass.EMERGENCY}, ("hoa", "binh"), ACCEPTED),
        "signed by the server": ({}, ("server",), Reason.FOREIGN_KEY),
        "signed by an approver of another village": ({}, ("lan",), Reason.WRONG_PLACE)},
    "running-order": {
        "the held version": ({"version": 41}, ("server",), Reason.OLDER_VERSION),
        "an older epoch": ({"epoch": 0, "version": 99}, ("server",), Reason.OLDER_VERSION),
        "for another node": ({"node": "an-phu-2"}, ("server",), Reason.WRONG_NODE),
        "expired": ({"expires": NOW}, ("server",), Reason.EXPIRED),
        "issued in the future": ({"issued": _AHEAD}, ("server",), Reason.NOT_YET_VALID)},
    "command": {
        "for a group that the node is not in": ({"target": "group:thon-hai"}, ("server",), Reason.NOT_MEMBER),
        "for another node": ({"target": "node:an-phu-2"}, ("server",), Reason.WRONG_NODE),
        "for this node": ({"target": f"node:{world.NODE}"}, ("server",), ACCEPTED),
        "for everybody": ({"target": "group:all"}, ("server",), ACCEPTED),
        "expired": ({"issued": _OLD - DAY, "expires": _OLD}, ("server",), Reason.EXPIRED),
        "signed by an approver": ({}, ("hoa",), Reason.FOREIGN_KEY)},
    "receipt": {"for another node": ({"node": "an-phu-2"}, ("server",), Reason.WRONG_NODE)},
    "time": {
        "for another node": ({"node": "an-phu-2"}, ("server",), Reason.WRONG_NODE),
        "for another question": ({"nonce": "0000000000000000"}, ("server",), Reason.REPEATED)},
    "software-manifest": {
        "older than the newest seen": ({"serial": 5}, ("software",), Reason.OLDER_VERSION),
        "below the minimum": ({"version": "0.1.9", "minimum": "0.1.0"}, ("software",), Reason.OLDER_VERSION),
        "expired": ({"expires": NOW}, ("software",), Reason.EXPIRED),
        "signed by the server": ({}, ("server",), Reason.FOREIGN_KEY)},
}


def _case(what: str, name: str, raw: bytes, expected: str | None) -> Case:
    return {"document": what, "name": name, "expected": "refused" if expected is None else str(expected),
            "raw": base64.b64encode(raw).decode()}


def context() -> dict[str, Any]:
    """What the node holds and knows while it judges."""
    return {
        "site": world.SITE, "node": world.NODE, "now": write_instant(NOW), "place_path": list(world.PATH),
        "groups": list(world.GROUPS), "nonce_asked_with": world.NONCE, "held_order": list(world.HELD_ORDER),
        "held_serial": world.HELD_SERIAL, "held_minimum": world.HELD_MINIMUM,
        "keys": {name: {"seed": base64.b64encode(world.seed(name)).decode(), "public": world.public(name)}
                 for name in world.NAMES},
        "held_root": world.root().model_dump(mode="json", exclude_none=True),
        "held_approvers": world.approvers().model_dump(mode="json", exclude_none=True),
        "held_policy": world.policy().model_dump(mode="json", exclude_none=True)}

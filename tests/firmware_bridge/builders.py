"""Keys, documents and a small commune for tests of the node protocol. Plain functions that make fresh values."""

import hashlib
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from firmware_bridge.contract.documents import (
    AirClass,
    Approver,
    ApproverList,
    Command,
    CommandKind,
    NeededRecording,
    OrderBroadcast,
    OrderItem,
    PlaceAuthority,
    PlayNow,
    Policy,
    QuietHours,
    Receipt,
    RecordingStatement,
    RunningOrder,
    StandingStop,
    TimeFrame,
    TrustBundle,
    TrustRoot,
)
from firmware_bridge.contract.envelope import Envelope, encode, sign, to_dict
from firmware_bridge.contract.keys import private_to_base64, public_to_base64
from firmware_bridge.contract.nodeconfig import BrokerAddress, NodeConfig
from firmware_bridge.contract.trust import Trust

SITE = "son-duong"
COMMUNE = "xa-son-duong"
VILLAGE = "thon-an-binh"
NODE = "an-binh-1"
PATH = (COMMUNE, VILLAGE)
NOON = datetime(2026, 3, 15, 5, 0, tzinfo=UTC)
"""12:00 in Việt Nam, a Sunday."""


def key(name: str) -> Ed25519PrivateKey:
    """The private key that belongs to `name`, always the same."""
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())


def public(name: str) -> str:
    """The public half of `key(name)`."""
    return public_to_base64(key(name))


def sha(name: str) -> str:
    """A recording's name for something called `name`."""
    return hashlib.sha256(name.encode()).hexdigest()


@dataclass(frozen=True)
class Commune:
    """Who signs what: keys are named `root`, `server`, `leader`, and after the approvers."""

    issued: datetime = NOON - timedelta(days=30)
    root_keys: tuple[str, ...] = ("root",)
    root_threshold: int = 1
    server: str = "server"
    key_epoch: int = 0
    authorities: tuple[tuple[str, str], ...] = (("leader", SITE),)
    """(key name, place)."""
    owners_needed: tuple[int, int, int] = (1, 1, 1)
    owners_needed_by_kind: dict[str, int] = field(default_factory=dict)
    approvers: tuple[tuple[str, str, str], ...] = (("hoa", "hoa", COMMUNE), ("binh", "binh", COMMUNE))
    """(key name, owner, place)."""
    revoked: tuple[str, ...] = ()
    keys_until: datetime = NOON + timedelta(days=3650)
    version: int = 1
    lists_for: timedelta = timedelta(days=3650)
    before: tuple["Commune", ...] = ()
    """How it was before, oldest first: the chain of its roots."""
    frames: tuple[tuple[str, str], ...] = (("00:00", "24:00"),)
    quiet: tuple[tuple[str, str], ...] = ()
    longest_session_minutes: int = 24 * 60
    sessions_per_day: int = 1000
    volume_cap: int = 100
    policy_signer: str = "hoa"
    more: dict[str, Any] = field(default_factory=dict)

    def root(self) -> TrustRoot:
        """The trust root."""
        return TrustRoot(
            site=SITE, version=self.version, issued=self.issued, expires=self.issued + timedelta(days=3650),
            key_epoch=self.key_epoch, root_keys=tuple(public(one) for one in self.root_keys),
            root_threshold=self.root_threshold, server_key=public(self.server),
            place_authorities=tuple(PlaceAuthority(place=place, owner=name, public_key=public(name))
                                    for name, place in self.authorities),
            owners_needed=self.owners_needed, owners_needed_by_kind=self.owners_needed_by_kind)

    def approver_list(self) -> ApproverList:
        """The approver list."""
        return ApproverList(
            site=SITE, version=self.version, issued=self.issued, expires=self.issued + self.lists_for,
            approvers=tuple(
                Approver(owner=owner, name=owner, place=place, public_key=public(name), valid_from=self.issued,
                         valid_until=self.keys_until)
                for name, owner, place in self.approvers),
            revoked=self.revoked)

    def policy(self, place: str = COMMUNE) -> Policy:
        """The policy of a place."""
        return Policy(
            site=SITE, place=place, version=self.version, issued=self.issued,
            frames=tuple(TimeFrame(start=start, end=end) for start, end in self.frames),
            quiet_hours=tuple(QuietHours(start=start, end=end) for start, end in self.quiet),
            longest_session_minutes=self.longest_session_minutes, sessions_per_day=self.sessions_per_day,
            volume_cap=self.volume_cap)

    def root_envelope(self) -> Envelope:
        """The signed root: by its own root keys and those of the root before it."""
        names = (*(self.before[-1].root_keys if self.before else ()), *self.root_keys)
        return self.root().sign(*(key(one) for one in dict.fromkeys(names)))

    def trust(self) -> Trust:
        """What a verifier holds that starts from the root alone."""
        return Trust(self.root())

    def full_trust(self) -> Trust:
        """What a verifier holds that has read everything."""
        return Trust(self.root(), self.approver_list(), {COMMUNE: self.policy()})

    def list_envelope(self) -> Envelope:
        """The signed approver list."""
        return self.approver_list().sign(key(self.authorities[0][0]))

    def bundle(self, policies: bool = True) -> bytes:
        """The payload of a node's trust topic."""
        signed = (to_dict(self.policy().sign(key(self.policy_signer))),) if policies else ()
        return TrustBundle(root=to_dict(self.root_envelope()),
                           roots=tuple(to_dict(one.root_envelope()) for one in self.before),
                           approvers=to_dict(self.list_envelope()), policies=signed).to_bytes()

    def but(self, **changes: Any) -> "Commune":
        """The same with other fields."""
        return replace(self, **changes)

    def then(self, **changes: Any) -> "Commune":
        """The next version, by a root that follows this one."""
        return replace(self, version=self.version + 1, before=(*self.before, self), **changes)


def statement(
    recording: str, *, duration_ms: int = 60_000, size: int = 1000, air_class: AirClass = AirClass.ORDINARY,
    author: str = "lan", place: str = COMMUNE, issued: datetime = NOON - timedelta(days=1), **more: Any
) -> RecordingStatement:
    """A recording statement; `recording` is the hash."""
    values: dict[str, Any] = {
        "site": SITE, "place": place, "recording": recording, "bytes": size, "duration_ms": duration_ms,
        "language": "vi", "kind": "news", "air_class": air_class, "bulletin": "b1", "title": "Bản tin sáng",
        "author": author, "issued": issued, "valid_from": issued, "valid_until": issued + timedelta(days=365)}
    return RecordingStatement(**values | more)


def approved(recording: str, *signers: str, **more: Any) -> Envelope:
    """A statement signed by the keys called `signers` (`hoa` when none is given)."""
    return statement(recording, **more).sign(*(key(name) for name in signers or ("hoa",)))


def broadcast(
    name: str, start: datetime, *recordings: str, latest_s: float = 300, air_class: AirClass = AirClass.ORDINARY,
    volume: int = 100, gap_ms: int = 0
) -> OrderBroadcast:
    """A broadcast whose recordings (hashes) are Vietnamese."""
    return OrderBroadcast(
        id=name, start=start, latest_start=start + timedelta(seconds=latest_s), air_class=air_class, volume=volume,
        items=tuple(OrderItem(id=f"{name}-{number}", recordings={"vi": one}, gap_ms=gap_ms)
                    for number, one in enumerate(recordings)))


def order(
    *broadcasts: OrderBroadcast, version: int = 1, issued: datetime = NOON - timedelta(minutes=10),
    lengths: dict[str, int] | None = None, sizes: dict[str, int] | None = None, node: str = NODE, **more: Any
) -> RunningOrder:
    """A running order; `lengths` (ms) and `sizes` by recording, else 60 s and 1000 bytes."""
    used = dict.fromkeys(one for each in broadcasts for item in each.items for one in item.recordings.values())
    values: dict[str, Any] = {
        "site": SITE, "node": node, "epoch": 1, "version": version, "issued": issued,
        "expires": issued + timedelta(days=8), "place_path": PATH, "groups": PATH, "broadcasts": broadcasts,
        "volume": 100, "recordings": tuple(
            NeededRecording(sha256=one, bytes=(sizes or {}).get(one, 1000),
                            duration_ms=(lengths or {}).get(one, 60_000)) for one in used)}
    return RunningOrder(**values | more)


def command(
    name: str, kind: CommandKind, *, issued: datetime = NOON, target: str = f"node:{NODE}",
    expires_s: float = 120, **more: Any
) -> Command:
    """A command."""
    return Command(site=SITE, target=target, id=name, issued=issued, expires=issued + timedelta(seconds=expires_s),
                   kind=kind, **more)


def stop(generation: int, active: bool = True, **more: Any) -> Command:
    """A stop command."""
    return command(f"stop-{generation}", CommandKind.STOP,
                   standing_stop=StandingStop(generation=generation, active=active), **more)


def play_now(name: str, recording: str, *, issued: datetime = NOON, latest_s: float = 60, **more: Any) -> Command:
    """An emergency at once."""
    asked = PlayNow(broadcast=f"now-{name}", latest_start=issued + timedelta(seconds=latest_s),
                    recordings={"vi": recording})
    return command(name, CommandKind.PLAY_NOW, issued=issued, play_now=asked, **more)


def receipt(journal: str, seq: int, issued: datetime = NOON) -> Receipt:
    """A receipt for the node's journal."""
    return Receipt(site=SITE, node=NODE, journal=journal, seq=seq, issued=issued)


def by_server(document: Any) -> bytes:
    """The document as the server sends it."""
    return encode(document.sign(key("server")))


def by(signer: str, document: Any) -> bytes:
    """The document signed by somebody else."""
    return encode(sign(document.TYPE, document.to_bytes(), key(signer)))


def config(server: str, port: int, commune: Commune | None = None, node: str = NODE, **more: Any) -> NodeConfig:
    """A pole's configuration with one broker on this machine."""
    values: dict[str, Any] = {
        "site": SITE, "node": node, "place_path": PATH, "server": server, "api_token": "token", "player": "null",
        "brokers": (BrokerAddress(host="127.0.0.1", port=port, username=node, password="secret",
                                  client_id=f"client-{node}"),),
        "private_key": private_to_base64(key(node)), "trust_root": to_dict((commune or Commune()).root_envelope()),
        "cache_floor_mb": 0}
    return NodeConfig(**values | more)

"""The small site that the vectors are about: keys from fixed seeds, one of every document, one instant."""

import hashlib
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from firmware_bridge.contract.documents import (
    AirClass,
    Approver,
    ApproverList,
    Command,
    CommandKind,
    Document,
    NeededRecording,
    OrderBroadcast,
    OrderItem,
    PlaceAuthority,
    Policy,
    QuietHours,
    Receipt,
    RecordingStatement,
    RollCall,
    RunningOrder,
    StandingStop,
    TimeAnswer,
    TimeFrame,
    TrustRoot,
)
from firmware_bridge.contract.keys import public_to_base64
from firmware_bridge.contract.software import SoftwareFile, SoftwareManifest
from firmware_bridge.contract.trust import Trust

SITE, NODE, NONCE = "an-phu", "an-phu-1", "5f2c9a7e41d80b36"
PATH = ("xa-an-phu", "thon-mot")
GROUPS = (*PATH, "all")
NOW = datetime(2026, 3, 15, 5, 0, tzinfo=UTC)
DAY = timedelta(days=1)
NAMES = ("root", "server", "software", "leader", "hoa", "binh", "lan", "node", "stranger")
"""Who holds a key. Hoa and Bình approve for the commune, Lan for another village; nobody knows the stranger."""
HELD_ORDER, HELD_SERIAL, HELD_MINIMUM = (1, 41), 6, "0.2.0"


def seed(name: str) -> bytes:
    """The 32 bytes of a private key: SHA-256 of `loudspeaker test vector: ` and the name."""
    return hashlib.sha256(f"loudspeaker test vector: {name}".encode()).digest()


def key(name: str) -> Ed25519PrivateKey:
    """A private key."""
    return Ed25519PrivateKey.from_private_bytes(seed(name))


def public(name: str) -> str:
    """Its public half in base64."""
    return public_to_base64(key(name))


def sha(name: str) -> str:
    """The name of a recording that is called so."""
    return hashlib.sha256(name.encode()).hexdigest()


def root() -> TrustRoot:
    """The trust root that the node holds."""
    return TrustRoot(
        site=SITE, version=3, issued=NOW - 30 * DAY, expires=NOW + 3000 * DAY, root_keys=(public("root"),),
        server_key=public("server"), software_key=public("software"),
        place_authorities=(PlaceAuthority(place=PATH[0], owner="leader", public_key=public("leader")),),
        owners_needed=(1, 1, 2))


def approvers() -> ApproverList:
    """Who may approve."""
    places = {"hoa": PATH[0], "binh": PATH[0], "lan": "thon-hai"}
    return ApproverList(
        site=SITE, version=7, issued=NOW - 10 * DAY, expires=NOW + 300 * DAY, approvers=tuple(
            Approver(owner=name, name=name.title(), place=place, public_key=public(name), valid_from=NOW - 10 * DAY,
                     valid_until=NOW + 300 * DAY) for name, place in places.items()))


def trust() -> Trust:
    """What the node holds."""
    return Trust(root(), approvers(), {PATH[0]: policy()})


def policy() -> Policy:
    """What the commune allows."""
    return Policy(
        site=SITE, place=PATH[0], version=4, issued=NOW - DAY, frames=(TimeFrame(start="05:00", end="19:00"),),
        quiet_hours=(QuietHours(start="21:00", end="05:00"),), longest_session_minutes=60, sessions_per_day=4,
        volume_cap=85)


def statement() -> RecordingStatement:
    """An approval."""
    return RecordingStatement(
        site=SITE, place=PATH[0], recording=sha("morning"), bytes=48_000, duration_ms=12_000, language="vi",
        kind="news", air_class=AirClass.ORDINARY, bulletin="b1", title="Bản tin sáng", author="minh", issued=NOW - DAY,
        valid_from=NOW - DAY, valid_until=NOW + 30 * DAY)


def order() -> RunningOrder:
    """What the node airs."""
    item = OrderItem(id="1", recordings={"vi": sha("morning")}, gap_ms=500)
    return RunningOrder(
        site=SITE, node=NODE, epoch=1, version=42, issued=NOW, expires=NOW + 8 * DAY, place_path=PATH, groups=PATH,
        volume=80, broadcasts=(OrderBroadcast(
            id="6f9619ff-8b86-d011-b42d-00c04fc964ff", start=NOW + timedelta(hours=1),
            latest_start=NOW + timedelta(hours=1, minutes=5), air_class=AirClass.ORDINARY, volume=100, items=(item,)),),
        recordings=(NeededRecording(sha256=sha("morning"), bytes=48_000, duration_ms=12_000),))


def command() -> Command:
    """A stop for the village."""
    return Command(site=SITE, target=f"group:{PATH[1]}", id="c1", issued=NOW, expires=NOW + timedelta(minutes=10),
                   kind=CommandKind.STOP, standing_stop=StandingStop(generation=9, active=True))


def receipt() -> Receipt:
    """The server has the journal."""
    return Receipt(site=SITE, node=NODE, journal="j1", seq=17, issued=NOW)


def time_answer() -> TimeAnswer:
    """The server's clock."""
    return TimeAnswer(site=SITE, node=NODE, nonce=NONCE, received=NOW, sent=NOW + timedelta(milliseconds=4))


def roll_call() -> RollCall:
    """The server calls."""
    return RollCall(site=SITE, issued=NOW, window_s=30)


def manifest() -> SoftwareManifest:
    """A release."""
    return SoftwareManifest(
        site=SITE, serial=7, version="0.3.0", minimum="0.2.0", issued=NOW - DAY, expires=NOW + 90 * DAY,
        files=(SoftwareFile(name="loudspeaker-0.3.0-py3-none-any.whl", sha256=sha("wheel"), bytes=1_200_000),))


def documents() -> dict[str, tuple[Document, str]]:
    """One good document of every type, with who signs it."""
    return {
        "trust-root": (root().model_copy(update={"version": 4}), "root"), "approver-list": (approvers(), "leader"),
        "policy": (policy(), "hoa"), "recording-statement": (statement(), "hoa"), "running-order": (order(), "server"),
        "command": (command(), "server"), "receipt": (receipt(), "server"), "time": (time_answer(), "server"),
        "roll-call": (roll_call(), "server"), "software-manifest": (manifest(), "software")}

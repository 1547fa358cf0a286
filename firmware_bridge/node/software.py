"""A new program for the pole: judged, installed beside the old one, tried, and kept only when it is well. Pure."""

from firmware_bridge.contract import envelope as dsse
from firmware_bridge.contract.messages import EntryKind
from firmware_bridge.contract.software import SoftwareManifest, order_of, read_manifest
from firmware_bridge.contract.trust import Reason, Refused
from firmware_bridge.node import cueing
from firmware_bridge.node.effects import Confirm, Install, Restart
from firmware_bridge.node.inputs import SoftwareConfirmed, SoftwareInput, SoftwareInstalled, SoftwareOffered
from firmware_bridge.node.state import KeptSoftware
from firmware_bridge.node.turn import Turn

KEPT = "software"


def on_software(turn: Turn, happened: SoftwareInput) -> None:
    """Take one step of an update."""
    if isinstance(happened, SoftwareOffered):
        _offered(turn, happened.raw)
    elif isinstance(happened, SoftwareInstalled):
        _installed(turn, happened)
    elif isinstance(happened, SoftwareConfirmed):
        turn.write(EntryKind.SOFTWARE, result="healthy", version=turn.state.who.firmware)
    elif happened.rolled_back:
        _give_up(turn)
        turn.write(EntryKind.SOFTWARE, result="rolled_back", version=turn.state.who.firmware)
    else:
        turn.set(on_trial=True)


def mind_software(turn: Turn) -> None:
    """Restart into the new release when nothing airs; confirm it once the server has answered it."""
    state = turn.state
    if state.restart_due and cueing.is_free(state, turn.now):
        turn.set(restart_due=False)
        turn.do(Restart())
    link = state.link
    if state.on_trial and link.up and link.connection > 0 and link.hello_due is None:
        turn.set(on_trial=False)
        turn.do(Confirm())


def _offered(turn: Turn, raw: bytes) -> None:
    held = turn.state.software
    if not turn.knows_time or turn.state.installing is not None or turn.state.on_trial:
        return
    try:
        manifest = _read(turn, raw, held)
    except Refused as refused:
        turn.refuse(EntryKind.SOFTWARE, refused.reason, {"result": "refused", "detail": refused.detail[:200] or None})
        return
    kept = KeptSoftware(serial=manifest.serial, failed=held.failed,
                        minimum=max(held.minimum, manifest.minimum, key=order_of))
    if kept != held:
        _keep(turn, kept)
    if order_of(manifest.version) == order_of(turn.state.who.firmware) or manifest.serial == held.failed:
        return
    turn.set(installing=manifest.version)
    turn.write(EntryKind.SOFTWARE, result="accepted", version=manifest.version, serial=manifest.serial)
    turn.do(Install(manifest))


def _read(turn: Turn, raw: bytes, held: KeptSoftware) -> SoftwareManifest:
    try:
        envelope = dsse.decode(raw)
    except dsse.MalformedEnvelope as error:
        raise Refused(Reason.MALFORMED, str(error)[:200]) from error
    return read_manifest(envelope, turn.state.trust, held.serial, held.minimum, turn.safe_now)


def _installed(turn: Turn, told: SoftwareInstalled) -> None:
    turn.set(installing=None, restart_due=told.error is None)
    if told.error is not None:
        _give_up(turn)
    turn.write(EntryKind.SOFTWARE, result="installed" if told.error is None else "failed", version=told.version,
               detail=told.error[:300] if told.error else None)


def _give_up(turn: Turn) -> None:
    _keep(turn, turn.state.software.model_copy(update={"failed": turn.state.software.serial}))


def _keep(turn: Turn, kept: KeptSoftware) -> None:
    turn.set(software=kept)
    turn.keep(KEPT, kept)

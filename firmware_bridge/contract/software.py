"""New programs for poles: what to install, signed by the software key of the trust root, never by the server."""

import re
from datetime import datetime
from typing import Annotated

from pydantic import Field

from firmware_bridge.contract.base import Id, Instant, MalformedPayload, Payload, Sha256, Version
from firmware_bridge.contract.documents import Document
from firmware_bridge.contract.envelope import Envelope, good_signers
from firmware_bridge.contract.keys import key_id
from firmware_bridge.contract.trust import AHEAD, Reason, Refused, Trust

Release = Annotated[str, Field(pattern=r"^\d{1,4}(\.\d{1,4}){0,3}$")]
"""A version of the program: up to four numbers, `0.2.0`."""
MAX_FILE_BYTES = 200 * 1024 * 1024


class SoftwareFile(Payload):
    """One file of a release; fetched by its hash."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.+-]{1,200}$")]
    sha256: Sha256
    bytes: Annotated[int, Field(gt=0, le=MAX_FILE_BYTES)]


class SoftwareManifest(Document):
    """One release of the pole's program. Signed by the software key."""

    TYPE = "application/vnd.loudspeaker.software-manifest+json"
    site: Id
    serial: Version
    """Grows with every manifest: an older one is refused."""
    version: Release
    minimum: Release
    """Nothing older than this may be installed from now on."""
    issued: Instant
    expires: Instant
    files: Annotated[tuple[SoftwareFile, ...], Field(min_length=1, max_length=64)]


def order_of(release: str) -> tuple[int, ...]:
    """What releases are compared by; trailing zeros count nothing. Anything but numbers counts as nothing."""
    numbers = [int(one) for one in release.split(".")] if re.fullmatch(r"\d+(\.\d+)*", release) else []
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def read_manifest(
    envelope: Envelope, trust: Trust, held_serial: int, held_minimum: str, now: datetime
) -> SoftwareManifest:
    """A manifest that may be installed: signed, ours, newer, in its time, not below the minimum. Raises Refused."""
    manifest = _read(envelope)
    if manifest.site != trust.site:
        raise Refused(Reason.WRONG_SITE, manifest.site)
    key = trust.root.software_key
    known = {key_id(key): key} if key is not None else {}
    if not good_signers(envelope, known):
        named = any(one.key_id in known for one in envelope.signatures)
        raise Refused(Reason.BAD_SIGNATURE if named else Reason.FOREIGN_KEY, "not signed by the software key")
    if manifest.serial < held_serial:
        raise Refused(Reason.OLDER_VERSION, f"{manifest.serial} < {held_serial}")
    minimum = max(manifest.minimum, held_minimum, key=order_of)
    if order_of(manifest.version) < order_of(minimum):
        raise Refused(Reason.OLDER_VERSION, f"{manifest.version} is below the minimum {minimum}")
    if manifest.issued > now + AHEAD:
        raise Refused(Reason.NOT_YET_VALID, str(manifest.issued))
    if now >= manifest.expires:
        raise Refused(Reason.EXPIRED, str(manifest.expires))
    return manifest


def _read(envelope: Envelope) -> SoftwareManifest:
    if envelope.payload_type != SoftwareManifest.TYPE:
        raise Refused(Reason.WRONG_TYPE, envelope.payload_type)
    try:
        return SoftwareManifest.from_bytes(envelope.payload)
    except MalformedPayload as error:
        raise Refused(Reason.MALFORMED, str(error)[:300]) from error

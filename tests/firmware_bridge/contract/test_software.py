"""Which manifests a pole believes: signed by the software key, newer, ours, in time, and never below the minimum."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.contract.envelope import Envelope
from firmware_bridge.contract.software import SoftwareFile, SoftwareManifest, order_of, read_manifest
from firmware_bridge.contract.trust import Reason, Refused, Trust
from tests.firmware_bridge.builders import NOON, SITE, Commune, key, public, sha

TRUST = Trust(Commune().root().model_copy(update={"software_key": public("software")}))


def manifest(serial: int = 5, version: str = "0.3.0", **more: Any) -> SoftwareManifest:
    values: dict[str, Any] = {
        "site": SITE, "serial": serial, "version": version, "minimum": "0.2.0", "issued": NOON,
        "expires": NOON + timedelta(days=30),
        "files": (SoftwareFile(name="loudspeaker-0.3.0-py3-none-any.whl", sha256=sha("wheel"), bytes=1000),)}
    return SoftwareManifest(**values | more)


def read(signed: Envelope, serial: int = 0, minimum: str = "0", trust: Trust = TRUST) -> SoftwareManifest:
    return read_manifest(signed, trust, serial, minimum, NOON)


def test_a_manifest_of_the_software_key_is_believed() -> None:
    assert read(manifest().sign(key("software"))) == manifest()


@pytest.mark.parametrize(("changes", "held", "reason"), [
    ({"site": "elsewhere"}, {}, Reason.WRONG_SITE),
    ({}, {"serial": 6}, Reason.OLDER_VERSION),
    ({"version": "0.1.9"}, {}, Reason.OLDER_VERSION),
    ({}, {"minimum": "0.3.1"}, Reason.OLDER_VERSION),
    ({"expires": NOON}, {}, Reason.EXPIRED),
    ({"issued": NOON + timedelta(hours=1)}, {}, Reason.NOT_YET_VALID),
])
def test_a_wrong_one_is_refused(changes: dict[str, Any], held: dict[str, Any], reason: Reason) -> None:
    with pytest.raises(Refused) as refused:
        read(manifest(**changes).sign(key("software")), **held)
    assert refused.value.reason is reason


@pytest.mark.parametrize("signer", ["server", "root", "leader", "hoa"])
def test_no_other_key_can_bring_a_program(signer: str) -> None:
    with pytest.raises(Refused) as refused:
        read(manifest().sign(key(signer)))
    assert refused.value.reason is Reason.FOREIGN_KEY


def test_without_a_software_key_in_the_root_there_are_no_programs() -> None:
    with pytest.raises(Refused):
        read(manifest().sign(key("software")), trust=Commune().trust())


def test_an_altered_manifest_is_refused() -> None:
    signed = manifest().sign(key("software"))
    altered = Envelope(signed.payload_type, signed.payload.replace(b"0.3.0", b"0.3.1"), signed.signatures)
    with pytest.raises(Refused) as refused:
        read(altered)
    assert refused.value.reason is Reason.BAD_SIGNATURE


@given(st.lists(st.integers(0, 99), min_size=1, max_size=4), st.lists(st.integers(0, 99), min_size=1, max_size=4))
def test_releases_are_ordered_as_their_numbers(one: list[int], other: list[int]) -> None:
    def padded(numbers: list[int]) -> list[int]:
        return numbers + [0] * (4 - len(numbers))

    told = order_of(".".join(map(str, one))) < order_of(".".join(map(str, other)))
    assert told == (padded(one) < padded(other))

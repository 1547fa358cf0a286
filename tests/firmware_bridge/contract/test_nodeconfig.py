"""The pole's configuration file."""

from pathlib import Path

import pytest

from firmware_bridge.contract.base import MalformedPayload
from firmware_bridge.contract.envelope import to_dict
from firmware_bridge.contract.nodeconfig import NodeConfig
from firmware_bridge.node.config import BadConfig, pinned_trust, read_config
from tests.firmware_bridge.builders import SITE, Commune, config, key


def test_what_the_server_writes_the_node_reads(tmp_path: Path) -> None:
    made = config("http://127.0.0.1:8000/", 1883)
    path = tmp_path / "node.json"
    path.write_text(made.to_text())
    assert read_config(path) == made
    assert made.server == "http://127.0.0.1:8000"
    assert pinned_trust(made).root.site == SITE


@pytest.mark.parametrize("wrong", [
    {"private_key": "short"}, {"place_path": ()}, {"place_path": ("Xã",)}, {"server": "ftp://x"}, {"node": "a/b"},
    {"site": "#"}, {"player": "loud"}])
def test_a_wrong_field_is_refused(wrong: dict[str, object]) -> None:
    made = config("http://127.0.0.1:8000", 1883)
    text = made.model_copy(update=wrong).to_text() if "player" not in wrong else made.to_text().replace("null", "loud")
    with pytest.raises(MalformedPayload):
        NodeConfig.from_text(text)


def test_a_root_that_its_own_keys_did_not_sign_is_no_anchor() -> None:
    forged = config("http://x", 1).model_copy(update={"trust_root": _signed_by("stranger")})
    with pytest.raises(BadConfig):
        pinned_trust(forged)


def _signed_by(name: str) -> dict[str, object]:
    return to_dict(Commune().root().sign(key(name)))

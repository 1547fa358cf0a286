"""Reading the pole's configuration file and what follows from it."""

import stat
from pathlib import Path

from firmware_bridge.contract import envelope as dsse
from firmware_bridge.contract.base import MalformedPayload
from firmware_bridge.contract.documents import TrustRoot
from firmware_bridge.contract.keys import key_id
from firmware_bridge.contract.nodeconfig import NodeConfig
from firmware_bridge.contract.trust import Trust


class BadConfig(ValueError):
    """The configuration file cannot be used."""


def read_config(path: Path) -> NodeConfig:
    """The configuration in `path`. Raises BadConfig."""
    try:
        return NodeConfig.from_text(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, MalformedPayload) as error:
        raise BadConfig(f"{path}: {error}") from error


def pinned_trust(config: NodeConfig) -> Trust:
    """The trust that the pole starts from: the pinned root, whose own keys must have signed it. Raises BadConfig."""
    try:
        envelope = dsse.from_dict(config.trust_root)
        root = TrustRoot.from_bytes(envelope.payload)
    except (dsse.MalformedEnvelope, MalformedPayload) as error:
        raise BadConfig(f"trust root: {error}") from error
    known = {key_id(key): key for key in root.root_keys}
    signed = len(dsse.good_signers(envelope, known)) >= root.root_threshold
    if envelope.payload_type != TrustRoot.TYPE or not signed:
        raise BadConfig("the trust root is not signed by its own keys")
    if root.site != config.site:
        raise BadConfig(f"the trust root is of site {root.site}, the node of {config.site}")
    return Trust(root)


def is_private(path: Path) -> bool:
    """Whether only its owner can read the file."""
    return not path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH)

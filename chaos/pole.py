"""A real pole beside a real server: `loudspeaker-node run` in a process of its own."""

import json
import subprocess
import sys
from pathlib import Path

from sqlmodel import select

from chaos.writers import SECRET, Commune
from firmware_bridge.contract import keys
from firmware_bridge.contract.envelope import decode, to_dict
from firmware_bridge.contract.nodeconfig import BrokerAddress, NodeConfig
from loudspeaker.database import Database
from loudspeaker.settings import Settings
from loudspeaker.trust.models import TrustDocument, TrustKind


class RealPole:
    """The commune's one pole, with a null player."""

    def __init__(self, commune: Commune, folder: Path, server: str, broker_port: int) -> None:
        folder.mkdir()
        config = folder / "config.json"
        config.touch(mode=0o600)
        config.write_text(NodeConfig(
            site=commune.site, node=commune.node, place_path=(commune.place,), server=server, api_token=SECRET,
            brokers=(BrokerAddress(host="127.0.0.1", port=broker_port, username=commune.username,
                                   password=commune.password, client_id=commune.client_id),),
            private_key=keys.private_to_base64(commune.key), trust_root=json.loads(json.dumps(_root(commune.data))),
            player="null").to_text())
        self._errors = (folder / "stderr").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "firmware_bridge.node", "run", "--config", str(config), "--data",
             str(folder / "data")], stderr=self._errors, stdout=subprocess.DEVNULL)

    def kill(self) -> None:
        """As a power cut would."""
        self.process.kill()
        self.process.wait(10)
        self._errors.close()


def _root(data: Path) -> dict[str, object]:
    database = Database(Settings(data=data).database)
    try:
        with database.read() as session:
            query = select(TrustDocument.envelope).where(TrustDocument.kind == TrustKind.ROOT)
            return dict(to_dict(decode(session.exec(query).first() or b"")))
    finally:
        database.close()

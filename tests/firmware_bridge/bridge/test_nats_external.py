"""A NATS that somebody else runs: it includes the file of users that we write."""

import signal
import subprocess
from pathlib import Path

from firmware_bridge.bridge.broker import Endpoint, ExternalNats, server_user
from firmware_bridge.bridge.broker.child import accepts, find_program, free_port
from tests.firmware_bridge.bridge.clients import SITE, BareClient, node_user, wait_until

CONFIG = """
server_name: elsewhere
listen: 127.0.0.1:-1
jetstream {{ store_dir: "{folder}/store" }}
mqtt {{ host: 127.0.0.1, port: {port} }}
include ./users.conf
"""


def test_users_hold_from_its_next_reload_on(tmp_path: Path) -> None:
    endpoint = Endpoint("127.0.0.1", free_port("127.0.0.1"))
    server, n1, n2 = server_user(), node_user("n1"), node_user("n2")
    broker = ExternalNats(endpoint, SITE, tmp_path / "users.conf")
    broker.set_users([server, n1])
    config = tmp_path / "nats.conf"
    config.write_text(CONFIG.format(folder=tmp_path, port=endpoint.port))
    assert not broker.healthy()
    process = subprocess.Popen([str(find_program("nats-server")), "-c", str(config)], stderr=subprocess.DEVNULL)
    try:
        assert wait_until(lambda: accepts(endpoint))
        with BareClient(endpoint, n1) as client:
            assert client.accepted
            broker.set_users([server, n2])
            process.send_signal(signal.SIGHUP)
            assert client.is_closed()
        with BareClient(endpoint, n1) as former, BareClient(endpoint, n2) as new:
            assert (former.accepted, new.accepted) == (False, True)
        assert broker.healthy()
    finally:
        process.terminate()
        process.wait()

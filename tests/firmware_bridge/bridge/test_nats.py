"""The embedded broker as a child process: files, ports, crashes, and an end with its parent."""

import contextlib
import ipaddress
import os
import signal
import socket
import stat
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from firmware_bridge.bridge.broker import (
    BrokerUser,
    EmbeddedNats,
    Endpoint,
    PortTaken,
    TlsFiles,
    new_secret,
    server_user,
)
from firmware_bridge.bridge.broker.child import accepts
from firmware_bridge.bridge.broker.nats_config import NatsFiles, render
from firmware_bridge.bridge.broker.nats_limits import Keeper
from firmware_bridge.contract import topics
from firmware_bridge.contract.topics import Down, ToGroup, Up
from firmware_bridge.wire import Will
from tests.firmware_bridge.bridge.clients import SITE, BareClient, Client, CutLink, node_user, wait_until

ORDER = topics.of_node(SITE, "n1", Down.ORDER)
HELLO = topics.of_node(SITE, "n1", Up.HELLO)
PRESENCE = topics.of_node(SITE, "n1", Up.PRESENCE)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedNats]:
    broker = EmbeddedNats(tmp_path_factory.mktemp("broker") / "below" / "it's a \"folder\"", SITE)
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture
def server(broker: EmbeddedNats) -> Iterator[Client]:
    with Client(broker.address.address_for(SERVER), topics.of_server(SITE)) as client:
        broker.set_users([SERVER, N1, N2])
        assert wait_until(lambda: client.connected)
        yield client


SERVER, N1, N2 = server_user(), node_user("n1"), node_user("n2")


def directory_of(broker: EmbeddedNats) -> Path:
    return broker._files.directory


def test_nobody_else_can_read_what_the_broker_writes(broker: EmbeddedNats, server: Client) -> None:
    directory = directory_of(broker)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    readable = [path.name for path in directory.rglob("*") if path.stat().st_mode & 0o077]
    assert {"nats.conf", "nats.log", "nats.pid"} <= {path.name for path in directory.iterdir()}
    assert not readable


def test_a_user_with_a_name_that_could_widen_a_right_is_no_user() -> None:
    for text in ('x", permissions: {}', "a b", "", "tên", "x\n"):
        with pytest.raises(ValueError, match="A-Z"):
            BrokerUser(text, "p", "c")
        with pytest.raises(ValueError, match="A-Z"):
            BrokerUser("u", text, "c")


def test_two_users_with_one_client_id_are_refused(broker: EmbeddedNats) -> None:
    with pytest.raises(ValueError, match="share"):
        broker.set_users([SERVER, N1, BrokerUser("n2", new_secret(), N1.client_id, N2.rights)])


def test_secrets_are_not_in_the_users_repr() -> None:
    assert N1.password not in repr(N1)
    assert N1.client_id not in repr(N1)


def test_a_user_without_any_right_gets_none(tmp_path: Path) -> None:
    nobody = BrokerUser("nobody", "p", "c", topics.Rights((), ()))
    assert render(SITE, [nobody], Endpoint("h", 1), NatsFiles(tmp_path), None, Keeper()).count('{deny: ">"}') == 2


def test_no_user_can_log_in_with_the_brokers_own_protocol(broker: EmbeddedNats, server: Client) -> None:
    log = (directory_of(broker) / "nats.log").read_text()
    port = int(log.rsplit("Listening for client connections on 127.0.0.1:", 1)[1].split()[0])
    with socket.create_connection(("127.0.0.1", port), 5) as client:
        assert client.recv(65536).startswith(b"INFO")
        login = f'{{"user":"{SERVER.username}","pass":"{SERVER.password}","verbose":true}}'
        client.sendall(f"CONNECT {login}\r\nPING\r\n".encode())
        assert b"Authorization Violation" in client.recv(65536)


def test_a_will_is_spoken_when_the_link_is_cut(broker: EmbeddedNats, server: Client) -> None:
    with BareClient(broker.address, N1, new_secret(), will=Will(PRESENCE, b"gone")) as dying:
        assert dying.accepted
    assert wait_until(lambda: server.got == [(PRESENCE, b"gone", False)])


def test_a_foreign_will_goes_nowhere(broker: EmbeddedNats, server: Client) -> None:
    rights = N2.rights
    assert rights is not None
    with Client(broker.address.address_for(N2), rights.subscribe) as other:
        assert wait_until(lambda: other.connected)
        for topic in (topics.of_node(SITE, "n2", Down.COMMAND), topics.of_node(SITE, "n2", Up.PRESENCE),
                      topics.of_group(SITE, "all", ToGroup.COMMAND), "$SYS/x"):
            BareClient(broker.address, N1, new_secret(), will=Will(topic, b"forged")).vanish()
        BareClient(broker.address, N1, new_secret(), will=Will(PRESENCE, b"own")).vanish()
        assert wait_until(lambda: b"own" in server.payloads())
        assert server.payloads() == [b"own"]
        assert not other.got


def test_nothing_is_retained_whoever_asks_for_it(broker: EmbeddedNats, server: Client) -> None:
    with BareClient(broker.address, N1) as sly:
        sly.publish(HELLO, b"for ever", retained=True)
        assert wait_until(lambda: server.got == [(HELLO, b"for ever", False)])
    with Client(broker.address.address_for(BrokerUser(SERVER.username, SERVER.password, new_secret())),
                topics.of_server(SITE)) as later:
        assert wait_until(lambda: later.connected)
        assert not wait_until(lambda: bool(later.got), 0.3)


def test_a_node_cannot_fill_the_store_and_lock_the_others_out(broker: EmbeddedNats, server: Client) -> None:
    """Five retained topics of 4 MB, and two hundred kept sessions with QoS 1, of one stolen login."""
    rights = N1.rights
    assert rights is not None
    for qos in (0, 1):
        for topic in rights.publish:
            with BareClient(broker.address, N1, new_secret()) as thief, contextlib.suppress(ConnectionError):
                thief.publish(topic, b"x" * 4_000_000, retained=True, qos=qos)
                thief.received(0.1)
    for at in range(200):
        with BareClient(broker.address, N1, client_id=f"kept-{at}", clean=False) as kept:
            kept.subscribe(ORDER, qos=1)
    kept_bytes = sum(path.stat().st_size for path in (directory_of(broker) / "nats-store").rglob("*.blk"))
    assert kept_bytes < 4_000_000
    with BareClient(broker.address, N2) as other:
        assert other.accepted
        assert other.subscribe(topics.of_node(SITE, "n2", Down.ORDER)) == [0]
    assert not server.lost


def test_a_killed_broker_is_back_with_its_data_wiped_and_traffic_resumes(
        broker: EmbeddedNats, server: Client) -> None:
    rights = N1.rights
    assert rights is not None
    with (BareClient(broker.address, N2, clean=False) as keeper,
          Client(broker.address.address_for(N1), rights.subscribe) as node):
        assert keeper.subscribe(topics.of_node(SITE, "n2", Down.ORDER)) == [0]
        keeper.publish(topics.of_node(SITE, "n2", Up.HELLO), b"retained", retained=True)
        assert wait_until(lambda: node.connected and b"retained" in server.payloads())
        server.got.clear()
        pid, port = broker.pid, broker.address.port
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        assert wait_until(lambda: bool(node.lost) and bool(server.lost))
        assert node.lost == ["the broker closed the connection"]
        assert wait_until(lambda: node.times_connected == 2 and server.times_connected == 2 and broker.healthy(), 15)
        assert broker.address.port == port
        assert broker.pid != pid
        server.publish(ORDER, b"after the crash")
        node.publish(HELLO, b"back")
        assert wait_until(lambda: node.got == [(ORDER, b"after the crash", False)])
        assert wait_until(lambda: server.got == [(HELLO, b"back", False)])


def test_new_users_are_in_force_after_a_crash(broker: EmbeddedNats, server: Client) -> None:
    n3 = node_user("n3")
    broker.set_users([SERVER, N1, N2, n3])
    pid = broker.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: broker.pid not in (None, pid) and broker.healthy(), 15)
    with BareClient(broker.address, n3) as client:
        assert client.accepted


def test_a_taken_port_is_said_clearly(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortTaken, match=f"127.0.0.1:{port} is in use by another program"):
            EmbeddedNats(tmp_path, SITE, port=port).start()


# paho leaves the socket of a refused certificate to the garbage collector
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_over_tls_a_client_checks_the_brokers_certificate(tmp_path: Path) -> None:
    files = own_certificate(tmp_path)
    broker = EmbeddedNats(tmp_path / "broker", SITE, tls=files)
    broker.set_users([SERVER])
    broker.start()
    with (Client(broker.address.address_for(SERVER)) as trusting,
          Client(replace(broker.address, ca=None).address_for(N1)) as doubting):
        assert wait_until(lambda: trusting.connected)
        assert wait_until(lambda: bool(doubting.errors))
        assert "CERTIFICATE_VERIFY_FAILED" in str(doubting.errors[0])
    broker.stop()


def test_a_broker_that_listens_everywhere_is_joined_over_loopback(tmp_path: Path) -> None:
    broker = EmbeddedNats(tmp_path, SITE, host="0.0.0.0")
    broker.set_users([SERVER])
    broker.start()
    with Client(broker.address.address_for(SERVER)) as client:
        assert wait_until(lambda: client.connected)
        assert broker.healthy()
    broker.stop()


def test_a_stopped_broker_starts_again(tmp_path: Path) -> None:
    broker = EmbeddedNats(tmp_path, SITE)
    broker.set_users([SERVER])
    for _ in range(2):
        broker.start()
        with BareClient(broker.address, SERVER) as client:
            assert client.accepted
        broker.stop()
        assert not broker.healthy()
    broker.stop()


PARENT = textwrap.dedent("""
    import sys, time
    from pathlib import Path
    from firmware_bridge.bridge.broker import EmbeddedNats
    broker = EmbeddedNats(Path(sys.argv[1]), "demo", port=int(sys.argv[2]))
    broker.start()
    print(broker.pid, broker.address.port, flush=True)
    time.sleep(60)
""")


def start_parent(directory: Path, port: int = 0) -> tuple["subprocess.Popen[str]", int, int]:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(directory), str(port)], stdout=subprocess.PIPE,
                              text=True)
    assert parent.stdout is not None
    with parent.stdout:
        pid, listening = map(int, parent.stdout.readline().split())
    return parent, pid, listening


def test_a_killed_server_leaves_no_broker_behind(tmp_path: Path) -> None:
    """On Linux; other systems clean up at the next start, as the next test shows."""
    parent, pid, port = start_parent(tmp_path)
    assert running(pid)
    parent.kill()
    parent.wait()
    assert wait_until(lambda: not running(pid))
    assert wait_until(lambda: not accepts(Endpoint("127.0.0.1", port)))


def test_a_broker_left_behind_is_ended_by_the_next_start(tmp_path: Path) -> None:
    """As on a system that cannot tie a child to its parent: the broker runs on without one."""
    broker = EmbeddedNats(tmp_path, SITE)
    broker.start()
    port = broker.address.port
    broker.stop()
    from_path = broker._files
    left = subprocess.Popen([str(Path(sys.executable).parent / "nats-server"), "-c", str(from_path.config)])
    assert wait_until(lambda: accepts(broker.address) and from_path.pid.exists())
    heir = EmbeddedNats(tmp_path, SITE, port=port)
    heir.start()
    assert left.wait(5) is not None
    assert heir.healthy()
    heir.stop()


def test_a_half_open_link_ends_and_the_node_returns(broker: EmbeddedNats, server: Client) -> None:
    link = CutLink(broker.address)
    with Client(link.endpoint.address_for(N1), (ORDER,)) as node:
        assert wait_until(lambda: node.connected)
        link.cut()
        assert wait_until(lambda: node.times_connected == 2)
        server.publish(ORDER, b"again")
        assert wait_until(lambda: node.payloads() == [b"again"])
    link.close()


def test_ten_thousand_users_are_in_force_within_seconds(broker: EmbeddedNats, server: Client) -> None:
    many = [node_user(f"many-{at}", ("commune-1", f"village-{at // 10}")) for at in range(10_000)]
    began = time.monotonic()
    broker.set_users([SERVER, *many])
    assert time.monotonic() - began < 5
    with BareClient(broker.address, many[-1]) as client:
        assert client.accepted
    assert not server.lost
    broker.set_users([SERVER, N1, N2])


def own_certificate(directory: Path) -> TlsFiles:
    """A certificate for 127.0.0.1 that is its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "broker")])
    now = datetime.now(UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256()))
    files = TlsFiles(directory / "broker.pem", directory / "broker.key", directory / "broker.pem")
    files.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files.key.write_bytes(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return files


def running(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False

"""The limit of ingest: paho reading the same messages from a socket, on one core, and doing nothing with them."""

import socket
import threading
from time import thread_time

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from firmware_bridge.fleet import mqtt

CONNACK = b"\x20\x02\0\0"


def cpu_seconds(messages: list[tuple[str, bytes]]) -> float:
    """CPU seconds of this thread for receiving `messages` bare."""
    stream = CONNACK + b"".join(mqtt.publish(topic, payload) for topic, payload in messages)
    seen = 0

    def count(*_: object) -> None:
        nonlocal seen
        seen += 1

    with socket.create_server(("127.0.0.1", 0)) as server:
        feeder = threading.Thread(target=_feed, args=(server, stream), daemon=True)
        feeder.start()
        client = Client(CallbackAPIVersion.VERSION2)
        client.on_message = count
        client.connect("127.0.0.1", server.getsockname()[1])
        began = thread_time()
        while seen < len(messages):
            client.loop_read(100)
        spent = thread_time() - began
        client.disconnect()
        feeder.join(5)
    return spent


def _feed(server: socket.socket, stream: bytes) -> None:
    peer, _ = server.accept()
    with peer:
        peer.recv(1024)
        peer.sendall(stream)
        while peer.recv(1024):
            pass

"""The embedded NATS server's configuration, as text.

NATS bridges MQTT topics to its own subjects, `/` becoming `.`; rights are written as literal subjects. Its own
protocol is of no use to us: the listener stands on a random loopback port and only the keeper of the limits may log in.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from firmware_bridge.bridge.broker.base import BrokerUser, Endpoint, TlsFiles
from firmware_bridge.bridge.broker.nats_limits import Keeper
from firmware_bridge.contract import topics

MAX_PAYLOAD = 5 * 1024 * 1024
"""Bytes: an envelope's 4 MiB and some."""
PATIENCE_S = 60
"""How long a node on a poor link may take what is sent to it, before it is cut off as too slow."""
STORE = "128MB"
"""More than all limits of `nats_limits` together: NATS refuses logins when its store is full."""


@dataclass(frozen=True)
class NatsFiles:
    """Where the embedded broker keeps its things, all below one directory."""

    directory: Path

    @property
    def config(self) -> Path:
        """Written by us, mode 0600: it holds the passwords."""
        return self.directory / "nats.conf"

    @property
    def log(self) -> Path:
        """Mode 0600: it names client ids."""
        return self.directory / "nats.log"

    @property
    def pid(self) -> Path:
        """Process id of the running broker."""
        return self.directory / "nats.pid"

    @property
    def store(self) -> Path:
        """What NATS needs for its MQTT sessions; emptied at each start."""
        return self.directory / "nats-store"


def render(site: str, users: Iterable[BrokerUser], endpoint: Endpoint, files: NatsFiles, tls: TlsFiles | None,
           keeper: Keeper) -> str:
    """The whole configuration file."""
    secure = f", tls {{ cert_file: {_text(tls.certificate)}, key_file: {_text(tls.key)} }}" if tls else ""
    lines = [
        "server_name: loudspeaker",
        "host: 127.0.0.1",
        "port: -1",
        f"max_payload: {MAX_PAYLOAD}",
        f'write_deadline: "{PATIENCE_S}s"',
        f"log_file: {_text(files.log)}",
        "logfile_size_limit: 8MB",
        "logfile_max_num: 3",
        f"pid_file: {_text(files.pid)}",
        f"jetstream {{ store_dir: {_text(files.store)}, max_mem: 16MB, max_file: {STORE} }}",
        f"mqtt {{ host: {_text(endpoint.host)}, port: {endpoint.port}, reject_qos2_publish: true{secure} }}",
        *render_users(site, users, keeper.rendered()),
        "",
    ]
    return "\n".join(lines)


def render_users(site: str, users: Iterable[BrokerUser], *more: str) -> list[str]:
    """The lines that say who may join; `more` stands before them."""
    return ["authorization { users = [", *more, *(_user(one, site) for one in users), "] }"]


def _user(user: BrokerUser, site: str) -> str:
    if user.rights is None:
        publish = subscribe = [f"{topics.ROOT}/{topics.check_level(site)}/>"]
    else:
        publish, subscribe = list(user.rights.publish), list(user.rights.subscribe)
    return (f'{{user: "{user.username}", password: "{user.password}", allowed_connection_types: ["MQTT"], '
            f"permissions: {{publish: {_subjects(publish)}, subscribe: {_subjects(subscribe)}}}}}")


def _subjects(mqtt_topics: list[str]) -> str:
    """Literal subjects; the empty list must be written as a denial, since NATS reads it as "everything"."""
    if not mqtt_topics:
        return '{deny: ">"}'
    return "[" + ",".join(f'"{topic.replace("/", ".")}"' for topic in mqtt_topics) + "]"


def _text(value: object) -> str:
    return json.dumps(str(value), ensure_ascii=False)

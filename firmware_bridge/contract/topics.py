"""MQTT topics of the protocol, and the literal rights that each node has to them."""

import re
from dataclasses import dataclass
from enum import StrEnum

ROOT = "loudspeaker/v1"
ALL = "all"
"""The group that every node belongs to."""

_LEVEL = re.compile(r"[a-z0-9-]{1,64}")


class BadTopic(ValueError):
    """The topic is not one of the protocol's."""


class Up(StrEnum):
    """Kinds of message from a node to the server."""

    HELLO = "hello"
    PRESENCE = "presence"
    HEARTBEAT = "heartbeat"
    JOURNAL = "journal"
    TIME_REQUEST = "time-request"
    BLOCK_REQUEST = "block-request"


class Down(StrEnum):
    """Kinds of message from the server to one node."""

    ORDER = "order"
    TRUST = "trust"
    COMMAND = "command"
    RECEIPT = "receipt"
    TIME = "time"
    BLOCK = "block"


class ToGroup(StrEnum):
    """Kinds of message from the server to a group of nodes."""

    COMMAND = "command"
    ROLL_CALL = "roll-call"


@dataclass(frozen=True)
class NodeTopic:
    """A parsed topic of one node."""

    site: str
    node: str
    kind: Up | Down


@dataclass(frozen=True)
class Rights:
    """Exact topics that a node may publish and subscribe to; nothing else is allowed."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]


def check_level(level: str) -> str:
    """`level` itself when it is 1 to 64 of a-z, 0-9 and hyphen. Raises BadTopic."""
    if not _LEVEL.fullmatch(level):
        raise BadTopic(f"{level!r} is not a topic level: only a-z, 0-9 and hyphens")
    return level


def of_node(site: str, node: str, kind: Up | Down) -> str:
    """The topic of one node. Raises BadTopic on ids that could widen a right."""
    return f"{ROOT}/{check_level(site)}/nodes/{check_level(node)}/{kind}"


def of_group(site: str, group: str, kind: ToGroup) -> str:
    """The topic of a group (a place id, a zone id, or `all`)."""
    return f"{ROOT}/{check_level(site)}/groups/{check_level(group)}/{kind}"


def of_server(site: str) -> tuple[str, ...]:
    """The filters that the server subscribes to: every node's upward messages."""
    return tuple(f"{ROOT}/{check_level(site)}/nodes/+/{kind}" for kind in Up)


def parse_up(topic: str, site: str) -> NodeTopic:
    """Read a topic of the node → server kind. Raises BadTopic."""
    parts = topic.split("/")
    if len(parts) != 6 or "/".join(parts[:2]) != ROOT or parts[2] != site or parts[3] != "nodes":
        raise BadTopic(f"{topic!r} is not a node's topic of this site")
    try:
        return NodeTopic(site, check_level(parts[4]), Up(parts[5]))
    except ValueError as error:
        raise BadTopic(f"{topic!r} is not a node's topic of this site") from error


def node_rights(site: str, node: str, groups: tuple[str, ...]) -> Rights:
    """What one node may do, all literal: its own topics, its groups' commands, and the roll-call of all."""
    return Rights(
        publish=tuple(of_node(site, node, kind) for kind in Up),
        subscribe=(
            *(of_node(site, node, kind) for kind in Down),
            *(of_group(site, group, ToGroup.COMMAND) for group in dict.fromkeys((*groups, ALL))),
            of_group(site, ALL, ToGroup.ROLL_CALL),
        ),
    )

"""The AsyncAPI 3 document of the node protocol, from the contract: `python -m tests.firmware_bridge.asyncapi`."""

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from firmware_bridge.contract import blocks, documents, messages, topics
from firmware_bridge.contract.documents import Document
from firmware_bridge.contract.topics import Down, ToGroup, Up

FILE = Path(__file__).parents[2] / "docs" / "asyncapi.yaml"

PAYLOADS: dict[Up | Down | ToGroup, type[BaseModel]] = {
    Up.HELLO: messages.Hello,
    Up.PRESENCE: messages.Presence,
    Up.HEARTBEAT: messages.Heartbeat,
    Up.JOURNAL: messages.JournalBatch,
    Up.TIME_REQUEST: messages.TimeRequest,
    Up.BLOCK_REQUEST: blocks.BlockRequest,
    Down.ORDER: documents.RunningOrder,
    Down.TRUST: documents.TrustBundle,
    Down.COMMAND: documents.Command,
    Down.RECEIPT: documents.Receipt,
    Down.TIME: documents.TimeAnswer,
    Down.BLOCK: blocks.Block,
    ToGroup.ROLL_CALL: documents.RollCall,
}
INSIDE = (documents.TrustRoot, documents.ApproverList, documents.Policy, documents.RecordingStatement,
          documents.TreeHead, messages.Entry)
"""What travels inside others, or over HTTPS."""


def first_sentence(text: str | None) -> str:
    return " ".join((text or "").split("\n\n")[0].split())


def document() -> dict[str, Any]:
    """The whole document, as plain values."""
    kinds = list(dict.fromkeys(PAYLOADS.values()))
    every: list[type[BaseModel]] = [*kinds, *INSIDE]
    _, schemas = models_json_schema([(one, "validation") for one in every],
                                    ref_template="#/components/schemas/{model}")
    channels = dict(all_channels())
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Loudspeaker node protocol",
            "version": "1",
            "description": "Between a node (this application) and its server, over any MQTT 3.1.1 broker. QoS 0, clean "
                           "sessions, nothing retained. protocol.md says what it means.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {"broker": {"host": "{host}", "protocol": "mqtt", "protocolVersion": "3.1.1",
                               "variables": {"host": {"description": "Host and port, as configured in the node."}},
                               "security": [{"type": "userPassword"}]}},
        "channels": channels,
        "operations": {name: operation(name, channel) for name, channel in channels.items()},
        "components": {
            "messages": {one.__name__: message(one) for one in kinds},
            "schemas": {"Envelope": envelope(), **dict(sorted(schemas["$defs"].items()))},
        },
    }


def all_channels() -> list[tuple[str, dict[str, Any]]]:
    """Every topic, under a name of its own."""
    listed = []
    for kind in (*Up, *Down):
        listed.append((f"node-{kind}", channel(f"{topics.ROOT}/{{site}}/nodes/{{node}}/{kind}", PAYLOADS[kind])))
    listed.append(("group-command", channel(f"{topics.ROOT}/{{site}}/groups/{{group}}/command", documents.Command)))
    listed.append(("roll-call", channel(f"{topics.ROOT}/{{site}}/groups/{topics.ALL}/roll-call", documents.RollCall)))
    return listed


def channel(address: str, payload: type[BaseModel]) -> dict[str, Any]:
    named = {"site": "The installation.", "node": "The node's id.", "group": "A place or zone of the node, or `all`."}
    return {
        "address": address,
        "parameters": {name: {"description": text} for name, text in named.items() if f"{{{name}}}" in address},
        "messages": {payload.__name__: {"$ref": f"#/components/messages/{payload.__name__}"}},
    }


def operation(name: str, channel: dict[str, Any]) -> dict[str, Any]:
    """What the node does there."""
    upward = name.removeprefix("node-") in {*Up}
    return {
        "action": "send" if upward else "receive",
        "channel": {"$ref": f"#/channels/{name}"},
        "bindings": {"mqtt": {"qos": 0, "retain": False}},
        "messages": [{"$ref": f"#/channels/{name}/messages/{one}"} for one in channel["messages"]],
    }


def message(kind: type[BaseModel]) -> dict[str, Any]:
    inner = {"$ref": f"#/components/schemas/{kind.__name__}"}
    content = "application/octet-stream" if kind is blocks.Block else "application/json"
    described = {"name": kind.__name__, "summary": first_sentence(kind.__doc__), "contentType": content}
    if not issubclass(kind, Document):
        return described | {"payload": inner}
    return described | {"payload": {
        "allOf": [{"$ref": "#/components/schemas/Envelope"}],
        "properties": {
            "payloadType": {"const": kind.TYPE},
            "payload": {"contentEncoding": "base64", "contentMediaType": "application/json", "contentSchema": inner},
        },
    }}


def envelope() -> dict[str, Any]:
    text = {"type": "string", "contentEncoding": "base64"}
    signature = {"type": "object", "additionalProperties": False, "required": ["keyid", "sig"], "properties": {
        "keyid": {"type": "string", "pattern": "^[0-9a-f]{64}$"}, "sig": text}}
    return {
        "title": "Envelope", "type": "object", "additionalProperties": False,
        "description": "DSSE version 1, Ed25519 only.",
        "required": ["payloadType", "payload", "signatures"],
        "properties": {
            "payloadType": {"type": "string", "maxLength": 100},
            "payload": text,
            "signatures": {"type": "array", "minItems": 1, "maxItems": 8, "items": signature},
        },
    }


def to_yaml(value: Any, indent: int = 0) -> str:
    """Block YAML whose texts are JSON strings, which every YAML reader takes."""
    pad = "  " * indent
    if isinstance(value, dict) and value:
        return "".join(f"\n{pad}{key_text(key)}:{to_yaml(inner, indent + 1)}" for key, inner in value.items())
    if isinstance(value, list) and value:
        return "".join(f"\n{pad}- {to_yaml(inner, indent + 1).lstrip()}" for inner in value)
    return " " + json.dumps(value, ensure_ascii=False)


def key_text(key: str) -> str:
    return key if key.replace("-", "").replace("_", "").isalnum() and key not in ("y", "n") else json.dumps(key)


def text() -> str:
    head = "# Made by `python -m tests.firmware_bridge.asyncapi` from firmware_bridge/contract."
    return head + to_yaml(document()) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")

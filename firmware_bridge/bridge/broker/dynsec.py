"""Mosquitto's dynamic security: who may do what, as its control commands and as its file.

Every user has one role with literal rights; whatever no role names is denied, also on the way out of the broker. What
a user's rights and secrets are is remembered as a digest in the description that Mosquitto keeps, so that only
differences are sent, whoever sent the last ones. Users without our mark are not ours and stay as they are.
"""

import base64
import hashlib
import json
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from firmware_bridge.bridge.broker.base import BrokerUser
from firmware_bridge.contract import topics

TOPIC = "$CONTROL/dynamic-security/v1"
ANSWERS = f"{TOPIC}/response"
MARK = "loudspeaker"
"""Begins the text name of every user that is ours."""
ITERATIONS = 101
"""As Mosquitto's own; the passwords are 192 random bits, so that hashing them long protects nobody."""
DENIED = {"publishClientSend": False, "publishClientReceive": False, "subscribe": False, "unsubscribe": True}
"""What holds where no role says otherwise."""
ABSENT = ("Role not found", "Client not found")


@dataclass(frozen=True)
class Admin:
    """The login that may change Mosquitto's users."""

    username: str
    password: str = field(repr=False)


def list_users() -> dict[str, Any]:
    """The command that asks which users there are."""
    return {"command": "listClients", "verbose": True, "count": -1, "offset": 0}


def deny_by_default() -> dict[str, Any]:
    """The command that denies whatever no role names."""
    return {"command": "setDefaultACLAccess",
            "acls": [{"acltype": kind, "allow": allow} for kind, allow in DENIED.items()]}


def present(answer: Mapping[str, Any]) -> dict[str, str]:
    """Digest by name of our users, from the answer to `list_users`. Raises KeyError when it is none."""
    return {one["username"]: one.get("textdescription", "") for one in answer["data"]["clients"]
            if one.get("textname", "").startswith(MARK)}


def differences(there: Mapping[str, str], users: Iterable[BrokerUser], site: str) -> Iterator[dict[str, Any]]:
    """Commands that make `users` out of what is `there`; first those that cut somebody off.

    A changed user is removed and made again: Mosquitto cuts it off in either case.
    """
    wanted = {one.username: one for one in users}
    digests = {name: digest(one, site) for name, one in wanted.items()}
    for name, held in there.items():
        if digests.get(name) != held:
            yield {"command": "deleteClient", "username": name}
            yield {"command": "deleteRole", "rolename": _role(name)}
    for name, one in wanted.items():
        if there.get(name) != digests[name]:
            yield {"command": "deleteRole", "rolename": _role(name)}
            yield {"command": "createRole", "rolename": _role(name), "acls": _acls(one, site)}
            yield {"command": "createClient", "username": name, "password": one.password, "clientid": one.client_id,
                   "textname": f"{MARK} {site}", "textdescription": digests[name],
                   "roles": [{"rolename": _role(name), "priority": 0}]}


def failures(answers: Iterable[Mapping[str, Any]]) -> list[str]:
    """What Mosquitto refused; that something to be removed was not there is no failure."""
    return [f"{one.get('command')}: {one['error']}" for one in answers
            if "error" in one and one["error"] not in ABSENT]


def digest(user: BrokerUser, site: str) -> str:
    """Changes with the user's secrets and rights; tells nothing of them."""
    told = json.dumps([user.password, user.client_id, _acls(user, site)])
    return hashlib.sha256(told.encode()).hexdigest()


def file(users: Iterable[BrokerUser], admin: Admin, site: str) -> str:
    """The plugin's file, as it is found when Mosquitto starts: these users, and the admin."""
    listed = list(users)
    clients = [_client(admin.username, admin.password, {"roles": [{"rolename": "admin"}]}),
               *(_client(one.username, one.password, {
                   "clientid": one.client_id, "textname": f"{MARK} {site}", "textdescription": digest(one, site),
                   "roles": [{"rolename": _role(one.username)}]}) for one in listed)]
    roles = [{"rolename": "admin", "acls": [
                 {"acltype": kind, "topic": f"{TOPIC}/#", "allow": True, "priority": 0}
                 for kind in ("publishClientSend", "publishClientReceive", "subscribePattern")]},
             *({"rolename": _role(one.username), "acls": _acls(one, site)} for one in listed)]
    return json.dumps({"defaultACLAccess": DENIED, "clients": clients, "groups": [], "roles": roles})


def _client(name: str, password: str, more: Mapping[str, Any]) -> dict[str, Any]:
    salt = secrets.token_bytes(12)
    hashed = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, ITERATIONS)
    return {"username": name, "password": base64.b64encode(hashed).decode(), "salt": base64.b64encode(salt).decode(),
            "iterations": ITERATIONS, **more}


def _role(username: str) -> str:
    return f"{MARK}-{username}"


def _acls(user: BrokerUser, site: str) -> list[dict[str, Any]]:
    if user.rights is None:
        everything = f"{topics.ROOT}/{topics.check_level(site)}/#"
        pairs = [(kind, everything) for kind in ("publishClientSend", "publishClientReceive", "subscribePattern")]
    else:
        pairs = [("publishClientSend", topic) for topic in user.rights.publish]
        pairs += [(kind, topic) for topic in user.rights.subscribe
                  for kind in ("publishClientReceive", "subscribeLiteral")]
    return [{"acltype": kind, "topic": topic, "allow": True, "priority": 0} for kind, topic in pairs]

"""Mosquitto 2 with its dynamic security: its users are brought to what is wanted over its control topic."""

import json
import queue
import threading
import time
from collections.abc import Iterable
from typing import Any

import structlog

from firmware_bridge.bridge.broker import dynsec
from firmware_bridge.bridge.broker.base import BrokerRefused, BrokerUser, Endpoint, checked_users, new_secret
from firmware_bridge.bridge.broker.child import accepts
from firmware_bridge.bridge.broker.dynsec import Admin
from firmware_bridge.wire import Backoff, Connection, WireError

ANSWER_S = 30.0
START_S = 5.0
"""How long `start` waits for a broker that may be away."""
BATCH = 50
"""Commands at once. Mosquitto 2.0 writes its whole file after each and serves nobody meanwhile."""
RETURN = Backoff(0.2, 5.0)


class Mosquitto:
    """A Mosquitto that somebody else runs, at `endpoint`; `admin` may change its users.

    While it is away, what is wanted waits: a broker that comes back, perhaps wiped, is brought to it at once.
    """

    def __init__(self, endpoint: Endpoint, site: str, admin: Admin) -> None:
        self._endpoint, self._site = endpoint, site
        self._admin = BrokerUser(admin.username, admin.password, new_secret())
        self._users: tuple[BrokerUser, ...] | None = None
        self._lock = threading.Lock()
        self._answers: queue.SimpleQueue[list[dict[str, Any]] | None] = queue.SimpleQueue()
        self._returned, self._in_force, self._stopping = threading.Event(), threading.Event(), threading.Event()
        self._link: Connection | None = None
        self._thread: threading.Thread | None = None

    @property
    def address(self) -> Endpoint:
        """Where it listens for MQTT."""
        return self._endpoint

    @property
    def addresses(self) -> tuple[Endpoint, ...]:
        """The one address."""
        return (self.address,)

    def start(self) -> None:
        """Join its control topic; returns when the users are in force, or after 5 s while it is away."""
        self._stopping.clear()
        self._in_force.clear()
        self._link = Connection(
            self._endpoint.address_for(self._admin), (dynsec.ANSWERS,), self._on_answer, self._on_connected,
            self._on_lost, on_error=self._on_error, backoff=RETURN)
        self._thread = threading.Thread(target=self._keep, name="mosquitto-users", daemon=True)
        self._thread.start()
        self._link.start()
        self._in_force.wait(START_S)

    def stop(self) -> None:
        """Leave its control topic; the broker runs on. May be called twice."""
        self._stopping.set()
        self._returned.set()
        link, self._link = self._link, None
        if link is not None:
            link.stop()
        if self._thread is not None:
            self._thread.join(ANSWER_S)

    def set_users(self, users: Iterable[BrokerUser]) -> None:
        """These and no others of ours: in force on return, or, while it is away, as soon as it is back.

        Raises BrokerRefused, ValueError.
        """
        self._users = checked_users(users)
        if self._link is not None and self._link.connected:
            self._apply()

    def healthy(self) -> bool:
        """True while we may change its users and it accepts connections."""
        return self._link is not None and self._link.connected and accepts(self._endpoint)

    def show_certificate(self) -> None:
        """Its certificate is not ours to show."""

    def _keep(self) -> None:
        """Bring a broker that has come back to what is wanted, until it succeeds."""
        while True:
            self._returned.wait()
            if self._stopping.is_set():
                return
            self._returned.clear()
            try:
                self._apply()
            except (BrokerRefused, WireError) as failure:
                structlog.get_logger("broker").error("broker_users_not_in_force", error=str(failure))
                self._stopping.wait(RETURN.base_s)
                if self._link is not None and self._link.connected:
                    self._returned.set()

    def _apply(self) -> None:
        with self._lock:
            users = self._users
            if users is None:
                return
            listed = self._ask([dynsec.deny_by_default(), dynsec.list_users()])
            try:
                there = dynsec.present(listed[-1])
            except (KeyError, TypeError) as error:
                raise BrokerRefused("Mosquitto does not tell its users", str(listed)[:2000]) from error
            commands = list(dynsec.differences(there, users, self._site))
            for at in range(0, len(commands), BATCH):
                self._ask(commands[at:at + BATCH])
        self._in_force.set()

    def _ask(self, commands: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Mosquitto's answers. Raises BrokerRefused."""
        link = self._link
        if link is None:
            raise BrokerRefused("the broker was left", "")
        while not self._answers.empty():
            self._answers.get()
        question = _with_word(commands)
        try:
            link.publish(dynsec.TOPIC, json.dumps({"commands": question}).encode())
            answers = self._await(question[0]["correlationData"])
        except (WireError, queue.Empty) as error:
            raise BrokerRefused(f"Mosquitto does not answer: {error!r}", "") from error
        if refused := dynsec.failures(answers):
            raise BrokerRefused("Mosquitto refused its new users", "\n".join(refused[:10]))
        return answers

    def _await(self, word: str) -> list[dict[str, Any]]:
        deadline = time.monotonic() + ANSWER_S
        while True:
            answers = self._answers.get(timeout=max(0.0, deadline - time.monotonic()))
            if answers is None:
                raise BrokerRefused("Mosquitto was lost while its users changed", "")
            if answers and answers[0].get("correlationData") == word:
                return answers

    def _on_answer(self, _topic: str, payload: bytes, _retained: bool) -> None:
        try:
            answers = json.loads(payload)["responses"]
        except (ValueError, KeyError, TypeError):
            return
        if isinstance(answers, list):
            self._answers.put([one for one in answers if isinstance(one, dict)])

    def _on_connected(self) -> None:
        self._returned.set()

    def _on_lost(self, _reason: str) -> None:
        self._answers.put(None)

    def _on_error(self, error: Exception) -> None:
        if not self._stopping.is_set():
            structlog.get_logger("broker").warning("broker_control", error=str(error))


def _with_word(commands: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The commands of one question, each with the word by which its answer is known."""
    word = new_secret()
    return [one | {"correlationData": word} for one in commands]

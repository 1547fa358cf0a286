"""The keys that verify the nodes' journals, read from the database in one go, and kept."""

from datetime import datetime, timedelta

from sqlmodel import col, select

from loudspeaker.conductor.house import House
from loudspeaker.nodes.models import Node

KEPT = timedelta(seconds=20)
"""Until then a key that another process replaced may still be the old one."""


class JournalKeys:
    """Public key by node; retired nodes may still tell how they ended. For one thread, the draining one.

    A stranger is looked up once in each stretch, so that nobody makes the database work with invented names.
    """

    def __init__(self, house: House) -> None:
        self._house = house
        self._keys: dict[str, str | None] = {}
        self._read_at: datetime | None = None

    def outdated(self) -> None:
        """A node changed: read them all anew."""
        self._read_at = None

    def __call__(self, node_id: str) -> str | None:
        """The base64 public key, None for a stranger or a node without one."""
        now = self._house.now()
        if self._read_at is None or not self._read_at <= now < self._read_at + KEPT:
            with self._house.database.read() as session:
                rows = session.connection().execute(select(col(Node.id), col(Node.public_key)))
                self._keys = {node: key or None for node, key in rows}
            self._read_at = now
        elif node_id not in self._keys:
            with self._house.database.read() as session:
                found = session.get(Node, node_id)
            self._keys[node_id] = (found.public_key or None) if found else None
        return self._keys.get(node_id)

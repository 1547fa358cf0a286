"""A server's public log in memory, for tests and fault rows."""

from datetime import datetime

from firmware_bridge.contract import merkle
from firmware_bridge.contract.documents import LogUpdate, TreeHead
from firmware_bridge.contract.envelope import to_dict
from tests.firmware_bridge.builders import NOON, SITE, key


class PublicLog:
    """Entries and their stored subtrees."""

    def __init__(self, *entries: bytes) -> None:
        self.entries: list[bytes] = []
        self._hashes: dict[tuple[int, int], bytes] = {}
        for one in entries:
            self.append(one)

    def append(self, entry: bytes) -> None:
        """One entry more."""
        for level, number, value in merkle.completed(len(self.entries), merkle.leaf_hash(entry), self.subtree):
            assert (level, number) not in self._hashes
            self._hashes[level, number] = value
        self.entries.append(entry)

    def subtree(self, level: int, number: int) -> bytes:
        """As `merkle` asks for it."""
        return self._hashes[level, number]

    def root(self, size: int | None = None) -> bytes:
        """Over the first `size` entries, or all."""
        return merkle.root(len(self.entries) if size is None else size, self.subtree)

    def update(self, since: int, issued: datetime = NOON, signer: str = "server", site: str = SITE) -> LogUpdate:
        """The newest head, proved from the first `since` entries as far as this log has them."""
        size = len(self.entries)
        head = TreeHead(site=site, size=size, root=self.root().hex(), issued=issued)
        proof = merkle.consistency(since, size, self.subtree) if since <= size else []
        return LogUpdate(head=to_dict(head.sign(key(signer))), since=since, proof=tuple(one.hex() for one in proof))


def entries(count: int, kind: str = "statement") -> list[bytes]:
    """So many entries of a log."""
    return [f"{kind} {number}".encode() for number in range(count)]

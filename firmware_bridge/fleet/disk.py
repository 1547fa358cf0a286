"""A pole's disk in memory: its chained journal, what it keeps over restarts, and its recordings."""

import uuid
from collections.abc import Iterable
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from firmware_bridge.contract.envelope import encode
from firmware_bridge.contract.messages import FIRST_HASH, Entry, JournalBatch, chain
from firmware_bridge.node.effects import Keep, Write
from firmware_bridge.node.inputs import JournalMark, OnDisk
from firmware_bridge.node.journal import BATCH_BYTES, BATCH_ENTRIES


class VirtualDisk:
    """What survives a kill. The journal is the same, byte for byte, as a real node's."""

    def __init__(self) -> None:
        self.journal = uuid.uuid4().hex
        self.kept: dict[str, bytes] = {}
        self.recordings: dict[str, OnDisk] = {}
        self._entries: list[Entry] = []
        self._texts: list[str] = []
        self._hashes: list[str] = []
        self._pruned = 0
        self._before = FIRST_HASH
        """Hash of the newest pruned entry."""

    def commit(self, writes: Iterable[Write | Keep]) -> None:
        """Carry out the effects."""
        for one in writes:
            if isinstance(one, Keep):
                if one.value is None:
                    self.kept.pop(one.key, None)
                else:
                    self.kept[one.key] = one.value
                continue
            text = one.entry.to_bytes().decode()
            self._hashes.append(chain(self._hashes[-1] if self._hashes else self._before, text))
            self._texts.append(text)
            self._entries.append(one.entry)

    def entries(self, after: int = 0) -> list[Entry]:
        """Entries with seq above `after` that are not pruned, oldest first."""
        return self._entries[max(0, after - self._pruned):]

    def mark(self) -> JournalMark:
        """Where the journal stands."""
        last = self._pruned + len(self._entries)
        return JournalMark(self.journal, self._pruned + 1 if self._entries else 0, last)

    def batch(self, node: str, key: Ed25519PrivateKey, after: int) -> bytes | None:
        """The signed envelope of the entries after `after`, as many as fit; None when there are none."""
        begin = max(0, after - self._pruned)
        taken: list[str] = []
        size = 0
        for text in self._texts[begin:begin + BATCH_ENTRIES]:
            size += len(text)
            if taken and size > BATCH_BYTES:
                break
            taken.append(text)
        if not taken:
            return None
        document = JournalBatch(node=node, journal=self.journal, first_seq=self._pruned + begin + 1,
                                previous=self._hashes[begin - 1] if begin else self._before, entries=tuple(taken))
        return encode(document.sign(key))

    def prune(self, through: int, before: datetime, most: int) -> None:
        """Forget entries up to `through` that are older than `before` or beyond the newest `most`; the last stays."""
        old = 0
        spare = len(self._entries) - max(most, 1)
        for number, entry in enumerate(self._entries[:max(0, through - self._pruned)]):
            if entry.at >= before and number >= spare:
                break
            old = number + 1
        old = min(old, len(self._entries) - 1)
        if old > 0:
            self._before = self._hashes[old - 1]
            del self._entries[:old], self._texts[:old], self._hashes[:old]
            self._pruned += old

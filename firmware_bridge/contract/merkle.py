"""Merkle trees as in RFC 6962: one hash over a whole log, and short proofs of what is in it and that it only grew.

A tree is read through `Subtree`: the hash of the full subtree of 2^level leaves that begins at leaf number × 2^level.
So a log of any size gives roots and proofs from a few stored hashes.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

Subtree: TypeAlias = Callable[[int, int], bytes]
"""(level, number) → hash."""
EMPTY = hashlib.sha256(b"").digest()
"""Root of a log without entries."""


def leaf_hash(entry: bytes) -> bytes:
    """Hash of one entry."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of two subtrees, the older one left."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def completed(position: int, leaf: bytes, subtree: Subtree) -> Iterable[tuple[int, int, bytes]]:
    """(level, number, hash) of the full subtrees that the leaf at `position` completes, itself first."""
    level, number, value = 0, position, leaf
    yield level, number, value
    while number % 2 == 1:
        value = node_hash(subtree(level, number - 1), value)
        level, number = level + 1, number // 2
        yield level, number, value


def root(size: int, subtree: Subtree) -> bytes:
    """Root over the first `size` entries."""
    return _hash_of(0, size, subtree) if size else EMPTY


def inclusion(position: int, size: int, subtree: Subtree) -> list[bytes]:
    """Proof that the entry at `position` is among the first `size`. Raises ValueError outside of them."""
    if not 0 <= position < size:
        raise ValueError(f"entry {position} of {size}")
    proof, start, end = [], 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if position < middle:
            proof.append(_hash_of(middle, end, subtree))
            end = middle
        else:
            proof.append(_hash_of(start, middle, subtree))
            start = middle
    return proof[::-1]


def consistency(old: int, new: int, subtree: Subtree) -> list[bytes]:
    """Proof that the first `old` of `new` entries are what they were. Raises ValueError unless 0 ≤ old ≤ new."""
    if not 0 <= old <= new:
        raise ValueError(f"from {old} to {new} entries")
    if old in (0, new):
        return []
    proof, start, end, whole = [], 0, new, True
    while end != old:
        middle = start + _split(end - start)
        if old <= middle:
            proof.append(_hash_of(middle, end, subtree))
            end = middle
        else:
            proof.append(_hash_of(start, middle, subtree))
            start, whole = middle, False
    return [*([] if whole else [_hash_of(start, end, subtree)]), *proof[::-1]]


def includes(entry: bytes, position: int, size: int, proof: Sequence[bytes], expected_root: bytes) -> bool:
    """Whether `proof` shows that `entry` stands at `position` of the log of `size` entries under `expected_root`."""
    if not 0 <= position < size:
        return False
    number, last, value = position, size - 1, leaf_hash(entry)
    for step in proof:
        if last == 0:
            return False
        if number % 2 == 1 or number == last:
            value = node_hash(step, value)
            while number % 2 == 0 and number:
                number, last = number // 2, last // 2
        else:
            value = node_hash(value, step)
        number, last = number // 2, last // 2
    return last == 0 and value == expected_root


def goes_on(old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether `proof` shows that the log of `new` entries begins with exactly the `old` ones; it does from 0."""
    if not 0 <= old <= new:
        return False
    if old in (0, new):
        return not proof and (old == 0 or old_root == new_root)
    steps = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    number, last = old - 1, new - 1
    while number % 2 == 1:
        number, last = number // 2, last // 2
    if not steps:
        return False
    before = after = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if number % 2 == 1 or number == last:
            before, after = node_hash(step, before), node_hash(step, after)
            while number % 2 == 0 and number:
                number, last = number // 2, last // 2
        else:
            after = node_hash(after, step)
        number, last = number // 2, last // 2
    return last == 0 and before == old_root and after == new_root


def _hash_of(start: int, end: int, subtree: Subtree) -> bytes:
    """Hash over leaves `start` to `end`, not included."""
    size = end - start
    if size & (size - 1) == 0 and start % size == 0:
        level = size.bit_length() - 1
        return subtree(level, start >> level)
    middle = start + _split(size)
    return node_hash(_hash_of(start, middle, subtree), _hash_of(middle, end, subtree))


def _split(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << (size - 1).bit_length() - 1

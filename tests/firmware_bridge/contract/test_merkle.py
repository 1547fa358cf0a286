"""The log's tree: every proof that is given holds, and nothing that is altered does."""

import hashlib

from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge.contract import merkle
from tests.firmware_bridge.publiclog import PublicLog, entries

SIZES = st.integers(1, 70)


def by_the_book(leaves: list[bytes]) -> bytes:
    """RFC 6962, 2.1, word by word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return hashlib.sha256(b"\x01" + by_the_book(leaves[:split]) + by_the_book(leaves[split:])).digest()


KEPT = PublicLog(*entries(70))


def test_the_empty_log_has_the_root_of_the_book() -> None:
    assert merkle.root(0, KEPT.subtree) == merkle.EMPTY == by_the_book([])


@given(SIZES)
def test_roots_are_those_of_the_book(size: int) -> None:
    assert merkle.root(size, KEPT.subtree) == by_the_book(entries(size))


@given(st.data(), SIZES)
def test_every_entry_is_proved_to_be_in_the_log_and_no_other(data: st.DataObject, size: int) -> None:
    position = data.draw(st.integers(0, size - 1))
    proof, root = merkle.inclusion(position, size, KEPT.subtree), by_the_book(entries(size))
    assert merkle.includes(entries(size)[position], position, size, proof, root)
    assert not merkle.includes(b"another", position, size, proof, root)
    assert not merkle.includes(entries(size)[position], position, size, [*proof, root], root)
    if proof:
        assert not merkle.includes(entries(size)[position], position, size, proof[:-1], root)


@settings(max_examples=300)
@given(st.data(), SIZES)
def test_a_log_that_grew_is_proved_to_go_on(data: st.DataObject, new: int) -> None:
    old = data.draw(st.integers(0, new))
    proof = merkle.consistency(old, new, KEPT.subtree)
    assert merkle.goes_on(old, by_the_book(entries(old)), new, by_the_book(entries(new)), proof)


@settings(max_examples=300)
@given(st.data(), SIZES)
def test_a_log_that_was_rewritten_has_no_proof(data: st.DataObject, new: int) -> None:
    old = data.draw(st.integers(1, new))
    altered = entries(new)
    altered[data.draw(st.integers(0, old - 1))] = b"rewritten"
    other = PublicLog(*altered)
    proof = data.draw(st.sampled_from([merkle.consistency(old, new, other.subtree),
                                       merkle.consistency(old, new, KEPT.subtree)]))
    assert not merkle.goes_on(old, by_the_book(entries(old)), new, by_the_book(altered), proof)


@given(st.data(), SIZES)
def test_an_altered_proof_does_not_hold(data: st.DataObject, new: int) -> None:
    old = data.draw(st.integers(0, new))
    proof = merkle.consistency(old, new, KEPT.subtree)
    wrong = [*proof, merkle.EMPTY] if not proof else [
        bytes([one[0] ^ 1, *one[1:]]) if number == len(proof) // 2 else one for number, one in enumerate(proof)]
    assert not merkle.goes_on(old, by_the_book(entries(old)), new, by_the_book(entries(new)), wrong)


def test_a_log_never_goes_on_backwards() -> None:
    assert not merkle.goes_on(3, by_the_book(entries(3)), 2, by_the_book(entries(2)), [])

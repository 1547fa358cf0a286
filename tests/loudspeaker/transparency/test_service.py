"""The log of signed documents in the database: it grows with what is signed, and proves it."""

from datetime import timedelta

import pytest
from sqlmodel import Session

from firmware_bridge.contract import envelope as dsse
from firmware_bridge.contract import keys, merkle
from firmware_bridge.contract.documents import TreeHead
from firmware_bridge.contract.envelope import Envelope, good_signers
from loudspeaker.audit.service import record
from loudspeaker.database import Database
from loudspeaker.errors import NotFoundError
from loudspeaker.transparency import service as log
from tests.loudspeaker.builders import START

KEY = keys.new_key()


def signed(number: int) -> Envelope:
    """Some signed document."""
    return dsse.sign("application/x", f"document {number}".encode(), KEY)


def logged(session: Session, count: int) -> list[bytes]:
    """The roots after each of `count` documents."""
    roots = [log.root(session, 0)]
    for number in range(count):
        assert log.append(session, START + timedelta(hours=number), signed(number)) == number
        roots.append(log.root(session, number + 1))
    return roots


def test_the_log_proves_that_it_only_grew(database: Database) -> None:
    with database.work() as session:
        roots = logged(session, 21)
        assert log.size(session) == 21
        for new in range(22):
            assert log.root(session, new) == roots[new]
            for old in range(new + 1):
                assert merkle.goes_on(old, roots[old], new, roots[new], log.consistency(session, old, new))


def test_every_entry_is_proved_to_be_in_it(database: Database) -> None:
    with database.work() as session:
        roots = logged(session, 11)
        for position, one in enumerate(log.documents(session, 0, 100)):
            assert one.envelope == dsse.encode(signed(position))
            assert merkle.includes(one.envelope, position, 11, log.inclusion(session, position, 11), roots[11])


def test_what_lies_beyond_its_end_is_not_found(database: Database) -> None:
    with database.work() as session:
        logged(session, 3)
        for asked in (lambda: log.root(session, 4), lambda: log.inclusion(session, 3, 3),
                      lambda: log.consistency(session, 1, 4), lambda: log.consistency(session, -1, 2)):
            with pytest.raises(NotFoundError):
                asked()


def test_its_size_at_an_instant_counts_what_was_there_before(database: Database) -> None:
    with database.work() as session:
        logged(session, 3)
        assert log.size_at(session, START) == 0
        assert log.size_at(session, START + timedelta(hours=1, minutes=1)) == 2


def test_the_head_is_signed_by_the_server_and_names_the_end_of_the_audit_log(database: Database) -> None:
    with database.work() as session:
        logged(session, 5)
        line = record(session, START, None, "site.set_up", "place:xa")
        head = log.head(session, START, "xa-minh-tan", KEY)
        said = TreeHead.from_bytes(head.payload)
        public = keys.public_to_base64(KEY)
        assert good_signers(head, {keys.key_id(public): public})
        assert (said.size, said.root) == (5, log.root(session, 5).hex())
        assert said.audit is not None
        assert (said.audit.seq, said.audit.hash) == (line.seq, line.hash)


def test_an_update_begins_at_what_the_node_carries(database: Database) -> None:
    with database.work() as session:
        roots = logged(session, 9)
        update = log.update_since(session, START, "xa-minh-tan", KEY, 4)
        proof = [bytes.fromhex(one) for one in update.proof]
        assert update.since == 4
        assert merkle.goes_on(4, roots[4], 9, roots[9], proof)
        assert log.update_since(session, START, "xa-minh-tan", KEY, 40).proof == ()

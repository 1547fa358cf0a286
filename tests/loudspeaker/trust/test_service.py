"""The site's trust documents."""

from datetime import timedelta

import pytest
from sqlmodel import Session

from firmware_bridge.contract import envelope, keys
from firmware_bridge.contract.documents import Approver, ApproverList, TrustRoot
from firmware_bridge.contract.trust import Trust, read_approvers, read_root
from loudspeaker.database import Database
from loudspeaker.errors import UnavailableError
from loudspeaker.trust.service import current_trust, ensure_root, publish_approvers, trust_bundle
from tests.loudspeaker.builders import START, a_commune

ROOT, SERVER, AUTHORITY = keys.new_key(), keys.new_key(), keys.new_key()


def make_root(session: Session, **changes: object) -> TrustRoot:
    given = {"now": START, "site": "xa-minh-tan", "root_key": ROOT, "server_key": SERVER, "authority_key": AUTHORITY}
    return ensure_root(session, **(given | changes))  # type: ignore[arg-type]


def an_approver(owner: str = "tung") -> Approver:
    return Approver(owner=owner, name="Lê Văn Tùng", place="xa", public_key=keys.public_to_base64(keys.new_key()),
                    valid_from=START, valid_until=START + timedelta(days=1))


def test_the_root_is_made_once(database: Database) -> None:
    with database.work() as session:
        with pytest.raises(UnavailableError):
            current_trust(session)
        assert make_root(session).version == 1
        assert make_root(session, now=START + timedelta(days=1)).version == 1
        assert current_trust(session).root.owners_needed == (1, 1, 1)


def test_it_is_signed_anew_when_keys_or_thresholds_change_or_it_grows_old(database: Database) -> None:
    with database.work() as session:
        first = make_root(session)
        assert make_root(session, owners_needed=(1, 1, 2)).version == 2
        assert make_root(session).owners_needed == (1, 1, 2), "what holds is kept"
        assert make_root(session, server_key=keys.new_key()).version == 3
        late = first.expires - timedelta(days=30)
        renewed = make_root(session, now=late, server_key=SERVER)
        assert renewed.expires > late + timedelta(days=365)


def test_a_node_that_holds_an_older_root_takes_the_newer(database: Database) -> None:
    with database.work() as session:
        held = make_root(session)
        newer = make_root(session, owners_needed=(2, 2, 2))
        bundle = trust_bundle(session, a_commune(session))
    assert read_root(envelope.from_dict(bundle.root), held, START) == newer


def test_the_approver_list_grows_by_version_and_nodes_believe_it(database: Database) -> None:
    with database.work() as session:
        root = make_root(session)
        assert publish_approvers(session, START, AUTHORITY, [an_approver()], []).version == 1
        listed = publish_approvers(session, START, AUTHORITY, [an_approver(), an_approver("mai")], ["0" * 64])
        bundle = trust_bundle(session, a_commune(session))
        assert current_trust(session).approvers == listed
    assert bundle.approvers is not None
    read = read_approvers(envelope.from_dict(bundle.approvers), Trust(root), START)
    assert isinstance(read, ApproverList)
    assert (read.version, len(read.approvers), read.revoked) == (2, 2, ("0" * 64,))

"""The site's trust documents: drawn up here, signed elsewhere, and stored only when a node would believe them."""

from datetime import datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlmodel import Session

from firmware_bridge.contract import envelope
from firmware_bridge.contract.documents import Approver, PlaceAuthority, TrustRoot
from firmware_bridge.contract.keys import new_key, public_to_base64
from firmware_bridge.contract.trust import Trust, read_approvers, read_root
from loudspeaker.database import Database
from loudspeaker.errors import ConflictError, InvalidError, UnavailableError
from loudspeaker.trust.service import (
    RootChanges,
    adopt_list,
    adopt_root,
    current_trust,
    first_root,
    next_list,
    next_root,
    trust_bundle,
)
from tests.loudspeaker.authority import AUTHORITY, ROOT, offline_key
from tests.loudspeaker.builders import START, a_commune

SITE, SERVER, NEW_SERVER = "xa-minh-tan", offline_key("server"), offline_key("new server")
SERVERS = [public_to_base64(SERVER), public_to_base64(NEW_SERVER)]


def adopt(session: Session, root: TrustRoot, *signers: Ed25519PrivateKey, at: datetime = START) -> TrustRoot:
    return adopt_root(session, None, at, root.sign(*signers), SERVERS, SITE)


def begin(session: Session, *roots: Ed25519PrivateKey, threshold: int = 1) -> TrustRoot:
    roots = roots or (ROOT,)
    keys = [public_to_base64(one) for one in roots]
    root = first_root(START, SITE, SERVERS[0], keys, threshold, public_to_base64(AUTHORITY))
    return adopt(session, root, *roots)


def an_approver(owner: str = "tung") -> Approver:
    return Approver(owner=owner, name="Lê Văn Tùng", place="xa", public_key=public_to_base64(new_key()),
                    valid_from=START, valid_until=START + timedelta(days=1))


def test_there_is_no_trust_before_somebody_signs_the_first_root(database: Database) -> None:
    with database.work() as session:
        with pytest.raises(UnavailableError):
            current_trust(session)
        assert begin(session).version == 1
        assert current_trust(session).root.owners_needed == (1, 1, 1)


def test_the_first_root_needs_its_own_threshold(database: Database) -> None:
    with database.work() as session:
        keys = [public_to_base64(one) for one in (ROOT, offline_key("b"))]
        root = first_root(START, SITE, SERVERS[0], keys, 2, public_to_base64(AUTHORITY))
        with pytest.raises(InvalidError):
            adopt(session, root, ROOT)
        assert adopt(session, root, ROOT, offline_key("b")).root_threshold == 2


def test_the_next_root_needs_the_thresholds_of_both(database: Database) -> None:
    with database.work() as session:
        begin(session)
        new = offline_key("b")
        root = next_root(session, START, RootChanges(root_keys=[public_to_base64(new)]))
        for alone in (ROOT, new):
            with pytest.raises(InvalidError):
                adopt(session, root, alone)
        assert adopt(session, root, ROOT, new).version == 2


def test_another_server_key_begins_a_new_key_epoch_and_must_be_one_of_ours(database: Database) -> None:
    with database.work() as session:
        begin(session)
        foreign = next_root(session, START, RootChanges(server_key=public_to_base64(new_key())))
        with pytest.raises(InvalidError):
            adopt(session, foreign, ROOT)
        root = adopt(session, next_root(session, START, RootChanges(server_key=SERVERS[1])), ROOT)
        assert (root.key_epoch, root.server_key) == (1, SERVERS[1])
        assert adopt(session, next_root(session, START, RootChanges(owners_needed=(2, 2, 2))), ROOT).key_epoch == 1


@pytest.mark.parametrize("changes", [
    RootChanges(root_threshold=2), RootChanges(owners_needed=(0, 1, 1)), RootChanges(root_keys=["x"]),
    RootChanges(owners_needed_by_kind={"result": 9})])
def test_a_root_that_nobody_could_follow_is_not_drawn_up(database: Database, changes: RootChanges) -> None:
    with database.work() as session:
        begin(session)
        with pytest.raises(InvalidError):
            next_root(session, START, changes)


def test_a_node_that_was_away_is_handed_the_whole_chain(database: Database) -> None:
    with database.work() as session:
        held = begin(session)
        for number in range(3):
            new = RootChanges(root_keys=[public_to_base64(offline_key(f"r{number}"))])
            before = ROOT if number == 0 else offline_key(f"r{number - 1}")
            adopt(session, next_root(session, START, new), before, offline_key(f"r{number}"))
        bundle = trust_bundle(session, a_commune(session))
    for one in (*bundle.roots, bundle.root):
        held = read_root(envelope.from_dict(one), held, START)
    assert held.version == 4


def test_the_approver_list_grows_by_version_and_nodes_believe_it(database: Database) -> None:
    with database.work() as session:
        root = begin(session)
        first = next_list(session, START, [an_approver()], []).sign(AUTHORITY)
        version = adopt_list(session, None, START, first).version
        draft = next_list(session, START, [an_approver(), an_approver("mai")], ["0" * 64])
        listed = adopt_list(session, None, START, draft.sign(AUTHORITY))
        bundle = trust_bundle(session, a_commune(session))
        assert current_trust(session).approvers == listed
        assert next_list(session, START, [], []).revoked == ("0" * 64,), "what was revoked stays so"
    assert bundle.approvers is not None
    read = read_approvers(envelope.from_dict(bundle.approvers), Trust(root), START)
    assert (read.version, len(read.approvers), read.revoked) == (version + 1, 2, ("0" * 64,))


def test_a_list_by_nobody_of_the_root_or_of_another_version_is_not_stored(database: Database) -> None:
    with database.work() as session:
        begin(session)
        draft = next_list(session, START, [], [])
        for stranger in (ROOT, SERVER, new_key()):
            with pytest.raises(InvalidError):
                adopt_list(session, None, START, draft.sign(stranger))
        with pytest.raises(ConflictError):
            adopt_list(session, None, START, draft.model_copy(update={"version": draft.version + 7}).sign(AUTHORITY))


def test_an_authority_goes_only_when_another_has_signed_the_list(database: Database) -> None:
    with database.work() as session:
        begin(session)
        adopt_list(session, None, START, next_list(session, START, [], []).sign(AUTHORITY))
        chairman = new_key()
        only = (PlaceAuthority(place=SITE, owner="chairman", public_key=public_to_base64(chairman)),)
        with pytest.raises(ConflictError):
            adopt(session, next_root(session, START, RootChanges(place_authorities=only)), ROOT)
        both = (*current_trust(session).root.place_authorities, *only)
        adopt(session, next_root(session, START, RootChanges(place_authorities=both)), ROOT)
        adopt_list(session, None, START, next_list(session, START, [], []).sign(chairman))
        root = adopt(session, next_root(session, START, RootChanges(place_authorities=only)), ROOT)
    assert [one.owner for one in root.place_authorities] == ["chairman"]

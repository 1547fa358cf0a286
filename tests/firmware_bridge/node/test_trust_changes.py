"""How a pole's trust changes over the years: roots that follow each other, keys that go, lists that end."""

from datetime import timedelta

import pytest

from firmware_bridge.contract.documents import AirClass, TrustBundle
from firmware_bridge.contract.envelope import to_dict
from firmware_bridge.contract.keys import key_id
from firmware_bridge.contract.topics import Down
from tests.firmware_bridge.builders import (
    NOON,
    SITE,
    VILLAGE,
    Commune,
    approved,
    broadcast,
    by_server,
    order,
    public,
    sha,
)
from tests.firmware_bridge.node.pole import Pole

NEWS, OTHER = sha("news"), sha("other")
TWO_OF_THREE = Commune(root_keys=("a", "b", "c"), root_threshold=2)
SOON = NOON + timedelta(seconds=30)


def root_of(pole: Pole) -> int:
    return pole.state.trust.root.version


def test_a_pole_that_was_away_walks_the_chain_of_roots_and_keeps_it_over_a_kill() -> None:
    first = Commune()
    now = first.then(root_keys=("r2",)).then(root_keys=("r3", "r4"), root_threshold=2).then(
        root_keys=("r5",), root_threshold=1)
    pole = Pole(first).ready()
    pole.receive(now.bundle(), Down.TRUST)
    assert root_of(pole) == 4
    pole.boot()
    assert (root_of(pole), pole.state.trust.approvers) == (4, now.approver_list())


def test_a_gap_in_the_chain_is_refused() -> None:
    first = Commune()
    now = first.then(root_keys=("r2",)).then(root_keys=("r3",))
    pole = Pole(first).ready()
    signed_by_all = now.but(root_keys=("root", "r3"))
    pole.receive(signed_by_all.but(before=()).bundle(), Down.TRUST)
    assert (root_of(pole), pole.refusals("trust_refused")[0]) == (1, "version_gap")


def test_a_root_needs_the_thresholds_of_both() -> None:
    pole = Pole(TWO_OF_THREE).ready()
    one_of_the_old = TWO_OF_THREE.then(root_keys=("a", "x"), root_threshold=2)
    pole.receive(one_of_the_old.but(before=(TWO_OF_THREE.but(root_keys=("a",)),)).bundle(), Down.TRUST)
    assert (root_of(pole), pole.refusals("trust_refused")[0]) == (1, "bad_signature")
    both = TWO_OF_THREE.then(root_keys=("a", "b", "x"), root_threshold=2)
    pole.receive(both.bundle(), Down.TRUST)
    assert root_of(pole) == 2


def test_an_expired_list_vouches_for_nothing_new_but_what_it_vouched_for_airs_on() -> None:
    commune = Commune(issued=NOON - timedelta(days=1), lists_for=timedelta(days=1, seconds=60))
    pole = Pole(commune).ready()
    pole.store(NEWS, approved(NEWS))
    late = NOON + timedelta(seconds=300)
    pole.receive(by_server(order(broadcast("b1", late, NEWS), broadcast("b2", late + timedelta(seconds=100), OTHER))))
    pole.run_for(120)
    assert [one.data["what"] for one in pole.journal if one.kind == "fault"] == ["approvers_expired"]
    pole.boot()
    pole.connect()
    pole.store(OTHER, approved(OTHER))
    assert pole.refusals("recording_refused") == ["expired"]
    pole.run_for(600)
    assert {one.recording for one in pole.heard} == {NEWS}


def test_a_list_signed_by_an_authority_that_the_root_dropped_counts_no_more() -> None:
    commune = Commune()
    pole = Pole(commune).ready()
    pole.store(NEWS, approved(NEWS))
    after = commune.then(authorities=(("chairman", SITE),))
    unsigned = TrustBundle(root=to_dict(after.root_envelope()), approvers=to_dict(commune.list_envelope()))
    pole.receive(unsigned.to_bytes(), Down.TRUST)
    assert pole.refusals("trust_refused") == ["foreign_key"]
    assert pole.state.trust.approvers is None
    pole.receive(by_server(order(broadcast("b1", SOON, NEWS))))
    pole.run_for(120)
    assert not pole.heard


def test_a_stolen_authority_that_pushed_the_list_to_the_last_version_is_undone_by_a_root() -> None:
    commune = Commune()
    pole = Pole(commune).ready()
    pole.receive(commune.but(version=2**53, approvers=(("thief", "thief", SITE),)).bundle(policies=False), Down.TRUST)
    after = commune.then(authorities=(("chairman", SITE),))
    pole.receive(after.bundle(), Down.TRUST)
    pole.boot()
    assert pole.state.trust.approvers == after.approver_list()


def test_the_authority_of_a_village_lists_nobody_for_the_commune() -> None:
    commune = Commune(authorities=(("head", VILLAGE),))
    pole = Pole(commune).ready()
    pole.store(NEWS, approved(NEWS))
    assert pole.refusals("recording_refused") == ["wrong_place"]
    pole.boot()
    pole.store(OTHER, approved(OTHER))
    assert pole.refusals("recording_refused")[-1] == "wrong_place"


@pytest.mark.parametrize(("kind", "signers", "heard"), [
    ("electioneering", ("hoa",), False), ("electioneering", ("hoa", "binh"), True), ("news", ("hoa",), True)])
def test_a_kind_can_demand_two_owners(kind: str, signers: tuple[str, ...], heard: bool) -> None:
    pole = Pole(Commune(owners_needed_by_kind={"electioneering": 2})).ready()
    pole.store(NEWS, approved(NEWS, *signers, kind=kind))
    pole.receive(by_server(order(broadcast("b1", SOON, NEWS))))
    pole.run_for(120)
    assert bool(pole.heard) is heard


def test_the_larger_of_class_and_kind_holds() -> None:
    root = Commune(owners_needed=(1, 1, 3), owners_needed_by_kind={"result": 2}).root()
    assert [root.owners_for(AirClass.EMERGENCY, "result"), root.owners_for(AirClass.ORDINARY, "result"),
            root.owners_for(AirClass.ORDINARY, "news")] == [3, 2, 1]


def test_a_revoked_key_is_not_given_back_by_a_later_list() -> None:
    pole = Pole(Commune()).ready()
    pole.receive(Commune(version=2, revoked=(key_id(public("hoa")),)).bundle(policies=False), Down.TRUST)
    pole.receive(Commune(version=3).bundle(), Down.TRUST)
    assert "revoked" in pole.refusals("trust_refused")
    pole.store(NEWS, approved(NEWS))
    assert pole.refusals("recording_refused") == ["revoked"]

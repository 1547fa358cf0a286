"""Who may sign what: TUF's attacks on roots, lists, policies and orders, one by one."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from firmware_bridge.contract.documents import AirClass, Approver, Command, TimeAnswer
from firmware_bridge.contract.envelope import Envelope, sign
from firmware_bridge.contract.keys import key_id
from firmware_bridge.contract.trust import (
    Reason,
    Refused,
    Trust,
    check_class,
    read_approvers,
    read_command,
    read_order,
    read_policy,
    read_receipt,
    read_recording,
    read_root,
    read_time,
)
from tests.firmware_bridge.builders import (
    COMMUNE,
    NODE,
    NOON,
    PATH,
    SITE,
    VILLAGE,
    Commune,
    approved,
    key,
    order,
    public,
    receipt,
    sha,
    statement,
    stop,
)

TRUST = Commune().full_trust()
NEWS = sha("news")


def reason_of(read: Callable[[], object]) -> Reason:
    with pytest.raises(Refused) as caught:
        read()
    return caught.value.reason


def recording(envelope: Envelope, trust: Trust = TRUST) -> object:
    return read_recording(envelope, trust, PATH, NOON)


def test_a_new_root_needs_the_thresholds_of_the_old_and_of_itself() -> None:
    held = Commune().root()
    new = held.model_copy(update={"version": 2, "root_keys": (public("new-root"),)})
    assert reason_of(lambda: read_root(new.sign(key("new-root")), held, NOON)) is Reason.BAD_SIGNATURE
    assert reason_of(lambda: read_root(new.sign(key("root")), held, NOON)) is Reason.BAD_SIGNATURE
    assert read_root(new.sign(key("root"), key("new-root")), held, NOON) == new


def test_a_root_does_not_go_back_expire_or_change_its_site() -> None:
    held = Commune(version=5).root()
    assert reason_of(lambda: read_root(Commune(version=4).root_envelope(), held, NOON)) is Reason.OLDER_VERSION
    old = held.model_copy(update={"version": 6, "expires": NOON})
    assert reason_of(lambda: read_root(old.sign(key("root")), held, NOON)) is Reason.EXPIRED
    other = held.model_copy(update={"version": 6, "site": "khac"})
    assert reason_of(lambda: read_root(other.sign(key("root")), held, NOON)) is Reason.WRONG_SITE


def test_only_a_place_authority_lists_approvers() -> None:
    listed = Commune(version=2).approver_list()
    for stranger in ("server", "hoa", "root"):
        signed = listed.sign(key(stranger))
        assert reason_of(partial(read_approvers, signed, TRUST, NOON)) is Reason.FOREIGN_KEY
    assert read_approvers(listed.sign(key("leader")), TRUST, NOON) == listed


def test_an_approver_list_does_not_go_back_or_list_a_key_twice() -> None:
    newer = replace(TRUST, approvers=Commune(version=3).approver_list())
    assert reason_of(lambda: read_approvers(
        Commune(version=2).approver_list().sign(key("leader")), newer, NOON)) is Reason.OLDER_VERSION
    twice = Commune(approvers=(("hoa", "hoa", COMMUNE), ("hoa", "binh", COMMUNE))).approver_list()
    assert reason_of(lambda: read_approvers(twice.sign(key("leader")), TRUST, NOON)) is Reason.MALFORMED


def test_a_policy_is_signed_by_an_approver_at_or_above_its_place() -> None:
    low = Commune(approvers=(("minh", "minh", VILLAGE),)).full_trust()
    commune_wide = Commune(version=2).policy()
    assert reason_of(lambda: read_policy(
        commune_wide.sign(key("minh")), low, PATH, NOON)) is Reason.WRONG_PLACE
    assert read_policy(Commune().policy(VILLAGE).sign(key("minh")), low, PATH, NOON).place == VILLAGE
    assert reason_of(lambda: read_policy(
        Commune().policy("xa-khac").sign(key("hoa")), TRUST, PATH, NOON)) is Reason.WRONG_PLACE


def test_a_policy_does_not_go_back_or_come_from_the_future() -> None:
    held = Commune(version=3).full_trust()
    assert reason_of(lambda: read_policy(Commune(version=2).policy().sign(key("hoa")), held, PATH, NOON)) \
        is Reason.OLDER_VERSION
    future = Commune(issued=NOON + timedelta(hours=1)).policy()
    assert reason_of(lambda: read_policy(future.sign(key("hoa")), Commune(
        issued=NOON).full_trust(), PATH, NOON)) is Reason.NOT_YET_VALID


def test_an_order_is_newer_ours_fresh_and_from_the_server() -> None:
    good = order(version=3)
    assert read_order(good.sign(key("server")), TRUST, NODE, (1, 2), NOON) == good
    assert reason_of(lambda: read_order(good.sign(key("server")), TRUST, NODE, (1, 3), NOON)) is Reason.OLDER_VERSION
    assert reason_of(lambda: read_order(good.sign(key("server")), TRUST, NODE, (2, 0), NOON)) is Reason.OLDER_VERSION
    assert reason_of(lambda: read_order(good.sign(key("server")), TRUST, "n2", (0, 0), NOON)) is Reason.WRONG_NODE
    assert reason_of(lambda: read_order(good.sign(key("hoa")), TRUST, NODE, (0, 0), NOON)) is Reason.FOREIGN_KEY
    assert reason_of(lambda: read_order(
        good.sign(key("server")), TRUST, NODE, (0, 0), NOON + timedelta(days=9))) is Reason.EXPIRED
    ahead = order(issued=NOON + timedelta(hours=1))
    assert reason_of(lambda: read_order(ahead.sign(key("server")), TRUST, NODE, (0, 0), NOON)) is Reason.NOT_YET_VALID


def test_a_higher_epoch_starts_the_versions_anew() -> None:
    restored = order(version=1, epoch=2)
    assert read_order(restored.sign(key("server")), TRUST, NODE, (1, 900), NOON) == restored


def test_a_command_is_for_the_node_or_a_group_of_its_own() -> None:
    assert read_command(stop(1).sign(key("server")), TRUST, NODE, (), NOON).id == "stop-1"
    assert reason_of(lambda: read_command(stop(1).sign(key("server")), TRUST, "n2", (), NOON)) is Reason.WRONG_NODE
    group = stop(1, target=f"group:{VILLAGE}")
    assert read_command(group.sign(key("server")), TRUST, NODE, (VILLAGE,), NOON).target == group.target
    assert reason_of(lambda: read_command(group.sign(key("server")), TRUST, NODE, (), NOON)) is Reason.NOT_MEMBER
    strange = stop(1, target="everyone")
    assert reason_of(lambda: read_command(strange.sign(key("server")), TRUST, NODE, PATH, NOON)) is Reason.NOT_MEMBER


def test_owners_are_counted_and_the_author_is_none_of_them() -> None:
    two = Commune(owners_needed=(1, 2, 2)).full_trust()
    alone = approved(NEWS, "hoa", air_class=AirClass.PRIORITY)
    assert reason_of(lambda: recording(alone, two)) is Reason.TOO_FEW_OWNERS
    both = approved(NEWS, "hoa", "binh", air_class=AirClass.PRIORITY)
    assert recording(both, two)
    own = approved(NEWS, "hoa", "binh", air_class=AirClass.PRIORITY, author="binh")
    assert reason_of(lambda: recording(own, two)) is Reason.TOO_FEW_OWNERS
    assert reason_of(lambda: recording(approved(NEWS, "hoa", author="hoa"))) is Reason.OWN_APPROVAL


def test_an_approvers_key_counts_only_while_it_is_valid() -> None:
    late = Commune().approver_list()
    short = late.model_copy(update={"approvers": tuple(
        Approver(**{**dict(one), "valid_until": NOON}) for one in late.approvers)})
    assert reason_of(lambda: recording(approved(NEWS), replace(TRUST, approvers=short))) is Reason.EXPIRED
    revoked = late.model_copy(update={"revoked": (key_id(public("hoa")),)})
    assert reason_of(lambda: recording(approved(NEWS), replace(TRUST, approvers=revoked))) is Reason.REVOKED
    assert reason_of(lambda: recording(approved(NEWS), replace(TRUST, approvers=None))) is Reason.FOREIGN_KEY


def test_a_class_is_at_most_the_one_that_was_signed() -> None:
    priority = statement(NEWS, air_class=AirClass.PRIORITY)
    check_class(priority, AirClass.ORDINARY)
    check_class(priority, AirClass.PRIORITY)
    assert reason_of(lambda: check_class(priority, AirClass.EMERGENCY)) is Reason.CLASS_TOO_HIGH


def test_receipts_and_times_are_the_servers_and_ours() -> None:
    assert read_receipt(receipt("j1", 5).sign(key("server")), TRUST, NODE).seq == 5
    assert reason_of(lambda: read_receipt(receipt("j1", 5).sign(key("hoa")), TRUST, NODE)) is Reason.FOREIGN_KEY
    assert reason_of(lambda: read_receipt(receipt("j1", 5).sign(key("server")), TRUST, "n2")) is Reason.WRONG_NODE
    told = TimeAnswer(site=SITE, node=NODE, nonce="n", received=NOON, sent=NOON)
    assert read_time(told.sign(key("server")), TRUST, NODE, "n") == told
    assert reason_of(lambda: read_time(told.sign(key("server")), TRUST, NODE, "m")) is Reason.REPEATED


def test_a_document_that_lacks_a_field_is_malformed() -> None:
    broken = sign(Command.TYPE, b'{"site":"son-duong"}', key("server"))
    assert reason_of(lambda: read_command(broken, TRUST, NODE, (), NOON)) is Reason.MALFORMED

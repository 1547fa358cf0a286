"""What a node refuses, each visible in its journal: one test per attack that the product promises to stop."""

from dataclasses import replace
from datetime import timedelta

from firmware_bridge.contract.documents import AirClass, CommandKind, StandingStop
from firmware_bridge.contract.envelope import Envelope
from firmware_bridge.contract.keys import key_id
from firmware_bridge.contract.topics import Down
from tests.firmware_bridge.builders import (
    COMMUNE,
    NOON,
    VILLAGE,
    Commune,
    approved,
    broadcast,
    by,
    by_server,
    command,
    order,
    play_now,
    public,
    receipt,
    sha,
    stop,
)
from tests.firmware_bridge.node.pole import Pole

NEWS, OTHER, ALARM = sha("news"), sha("other"), sha("alarm")
SOON = NOON + timedelta(seconds=30)


def pole_with(*statements: Envelope, commune: Commune | None = None, size: int = 1000) -> Pole:
    """A pole that holds NEWS with these statements, and an order to air it in half a minute."""
    pole = Pole(commune or Commune()).ready()
    pole.store(NEWS, *statements, size=size)
    pole.receive(by_server(order(broadcast("b1", SOON, NEWS))))
    return pole


def is_silent_because(pole: Pole, reason: str, broadcast_id: str = "b1") -> bool:
    pole.run_for(600)
    (end,) = pole.ends(broadcast_id)
    return not pole.heard and end.kind == "play_missed" and end.data["reason"] == reason


def test_self_approval_does_not_air() -> None:
    pole = pole_with(approved(NEWS, "hoa", author="hoa"))
    assert pole.refusals("recording_refused") == ["own_approval"]
    assert is_silent_because(pole, "own_approval")


def test_altered_bytes_do_not_air() -> None:
    pole = pole_with(approved(NEWS), size=1001)
    assert pole.refusals("recording_refused") == ["altered"]
    assert is_silent_because(pole, "altered")


def test_a_statement_about_other_bytes_does_not_air() -> None:
    assert is_silent_because(pole_with(approved(OTHER)), "not_approved")


def test_an_altered_statement_does_not_air() -> None:
    good = approved(NEWS)
    forged = replace(good, payload=good.payload.replace(b'"bulletin":"b1"', b'"bulletin":"b2"'))
    assert forged.payload != good.payload
    assert is_silent_because(pole_with(forged), "bad_signature")


def test_a_foreign_key_does_not_air() -> None:
    pole = pole_with(approved(NEWS, "stranger"))
    assert pole.refusals("recording_refused") == ["foreign_key"]
    assert is_silent_because(pole, "foreign_key")


def test_the_server_key_cannot_approve() -> None:
    assert is_silent_because(pole_with(approved(NEWS, "server")), "foreign_key")


def test_two_keys_of_one_owner_count_once() -> None:
    commune = Commune(owners_needed=(2, 2, 2), approvers=(
        ("hoa", "hoa", COMMUNE), ("hoa-second", "hoa", COMMUNE), ("binh", "binh", COMMUNE)))
    assert is_silent_because(pole_with(approved(NEWS, "hoa", "hoa-second"), commune=commune), "too_few_owners")
    both = pole_with(approved(NEWS, "hoa", "binh"), commune=commune)
    both.run_for(200)
    assert both.heard


def test_an_approver_of_another_place_does_not_count() -> None:
    commune = Commune(approvers=(("hoa", "hoa", COMMUNE), ("minh", "minh", "xa-khac")))
    assert is_silent_because(pole_with(approved(NEWS, "minh"), commune=commune), "wrong_place")


def test_a_village_approver_does_not_count_for_the_commune() -> None:
    commune = Commune(approvers=(("hoa", "hoa", COMMUNE), ("minh", "minh", VILLAGE)))
    assert is_silent_because(pole_with(approved(NEWS, "minh"), commune=commune), "wrong_place")


def test_a_class_above_the_statements_does_not_air() -> None:
    pole = Pole().ready()
    pole.store(NEWS, approved(NEWS, air_class=AirClass.ORDINARY))
    pole.receive(by_server(order(broadcast("b1", SOON, NEWS, air_class=AirClass.EMERGENCY))))
    assert is_silent_because(pole, "class_too_high")
    assert "class_too_high" in pole.refusals("recording_refused") or pole.ends("b1")


def test_an_expired_approval_does_not_air() -> None:
    assert is_silent_because(pole_with(approved(NEWS, valid_until=NOON + timedelta(seconds=10))), "expired")


def test_an_approval_that_begins_later_does_not_air_yet() -> None:
    assert is_silent_because(pole_with(approved(NEWS, valid_from=NOON + timedelta(hours=1))), "not_yet_valid")


def test_an_hour_outside_the_signed_frames_stays_silent() -> None:
    assert is_silent_because(pole_with(approved(NEWS), commune=Commune(frames=(("05:00", "06:30"),))), "outside_frames")


def test_quiet_hours_stay_silent() -> None:
    assert is_silent_because(pole_with(approved(NEWS), commune=Commune(quiet=(("11:00", "13:00"),))), "quiet_hours")


def test_an_emergency_airs_outside_the_frames() -> None:
    pole = Pole(Commune(frames=(("05:00", "06:30"),))).ready()
    pole.store(NEWS, approved(NEWS, air_class=AirClass.EMERGENCY))
    pole.receive(by_server(order(broadcast("b1", SOON, NEWS, air_class=AirClass.EMERGENCY))))
    pole.run_for(120)
    assert pole.ends("b1")[0].data["state"] == "played"


def test_more_sessions_than_the_policy_allows_stay_silent() -> None:
    pole = Pole(Commune(sessions_per_day=1)).ready()
    pole.store(NEWS, approved(NEWS))
    pole.receive(by_server(order(broadcast("b1", SOON, NEWS), broadcast("b2", NOON + timedelta(minutes=30), NEWS))))
    pole.run_for(3600)
    assert pole.ends("b1")[0].data["state"] == "played"
    assert pole.ends("b2")[0].data["reason"] == "too_many_sessions"


def test_a_new_order_does_not_make_room_for_more_sessions() -> None:
    pole = Pole(Commune(sessions_per_day=1)).ready()
    pole.store(NEWS, approved(NEWS))
    pole.receive(by_server(order(broadcast("b1", SOON, NEWS))))
    pole.run_for(600)
    pole.receive(by_server(order(broadcast("b2", NOON + timedelta(minutes=30), NEWS), version=2)))
    pole.run_for(3600)
    assert pole.ends("b2")[0].data["reason"] == "too_many_sessions"


def test_what_does_not_fit_into_the_longest_session_is_lost() -> None:
    pole = Pole(Commune(longest_session_minutes=1)).ready()
    pole.store(NEWS, approved(NEWS))
    pole.receive(by_server(order(broadcast("b1", SOON, NEWS, NEWS))))
    pole.run_for(600)
    (end,) = pole.ends("b1")
    assert end.data["state"] == "partial"
    assert end.data["reason"] == "session_too_long"


def test_the_volume_cap_holds_whatever_the_order_says() -> None:
    pole = Pole(Commune(volume_cap=60)).ready()
    pole.store(NEWS, approved(NEWS))
    pole.receive(by_server(order(broadcast("b1", SOON, NEWS, volume=100))))
    pole.run_for(35)
    assert [one.cue.volume for one in pole.playing.values()] == [60]


def test_without_a_policy_only_an_emergency_airs() -> None:
    pole = Pole()
    pole.connect()
    pole.receive(pole.commune.bundle(policies=False), Down.TRUST)
    pole.store(NEWS, approved(NEWS, air_class=AirClass.EMERGENCY))
    pole.receive(by_server(order(broadcast("b1", SOON, NEWS),
                                 broadcast("b2", SOON + timedelta(minutes=10), NEWS, air_class=AirClass.EMERGENCY))))
    pole.run_for(900)
    assert pole.ends("b1")[0].data["reason"] == "no_policy"
    assert pole.ends("b2")[0].data["state"] == "played"


def test_a_policy_signed_by_the_server_is_refused() -> None:
    pole = Pole(Commune(policy_signer="server")).ready()
    assert pole.refusals("trust_refused") == ["foreign_key"]
    assert not pole.state.trust.policies


def test_an_older_policy_is_refused() -> None:
    pole = Pole(Commune(version=5)).ready()
    pole.receive(Commune(version=4, frames=(("00:00", "24:00"),)).bundle(), Down.TRUST)
    assert pole.refusals("trust_refused") == ["older_version"]
    assert pole.state.trust.policies[COMMUNE].version == 5


def test_an_older_version_of_the_order_is_refused() -> None:
    pole = Pole().ready()
    pole.receive(by_server(order(version=5)))
    pole.receive(by_server(order(version=4)))
    assert pole.refusals("order_refused") == ["older_version"]
    assert pole.entries("order_refused")[0].data["version"] == 4
    assert pole.state.seen == (1, 5)


def test_an_older_order_is_refused_after_a_kill_too() -> None:
    pole = Pole().ready()
    pole.receive(by_server(order(version=5)))
    pole.kill()
    pole.ready().receive(by_server(order(version=4)))
    assert pole.refusals("order_refused") == ["older_version"]


def test_the_same_order_again_is_no_news() -> None:
    pole = Pole().ready()
    pole.receive(by_server(order(version=5)))
    written = len(pole.journal)
    pole.receive(by_server(order(version=5)))
    assert len(pole.journal) == written


def test_another_nodes_order_is_refused() -> None:
    pole = Pole().ready()
    pole.receive(by_server(order(node="an-binh-2")))
    assert pole.refusals("order_refused") == ["wrong_node"]
    assert pole.state.order is None


def test_another_sites_order_is_refused() -> None:
    pole = Pole().ready()
    pole.receive(by_server(order(site="xa-khac")))
    assert pole.refusals("order_refused") == ["wrong_site"]


def test_an_order_signed_by_an_approver_is_refused() -> None:
    pole = Pole().ready()
    pole.receive(by("hoa", order()))
    assert pole.refusals("order_refused") == ["foreign_key"]


def test_an_expired_order_is_refused() -> None:
    pole = Pole().ready()
    pole.receive(by_server(order(issued=NOON - timedelta(days=9))))
    assert pole.refusals("order_refused") == ["expired"]


def test_garbage_is_refused_and_limited() -> None:
    pole = Pole().ready()
    for _ in range(50):
        pole.receive(b"\xff{")
    assert pole.refusals("order_refused") == ["malformed"]
    pole.run_for(61)
    pole.receive(b"")
    assert pole.entries("order_refused")[1].data["suppressed"] == 49


def test_an_expired_command_is_refused() -> None:
    pole = Pole().ready()
    pole.receive(by_server(stop(1, issued=NOON - timedelta(minutes=10))), Down.COMMAND)
    assert pole.refusals("command_refused") == ["expired"]
    assert not pole.state.stop.active


def test_a_repeated_command_acts_once() -> None:
    pole = Pole().ready()
    louder = by_server(command("c1", CommandKind.VOLUME, volume=70))
    pole.receive(louder, Down.COMMAND)
    pole.receive(by_server(command("c2", CommandKind.VOLUME, volume=20)), Down.COMMAND)
    pole.receive(louder, Down.COMMAND)
    assert pole.state.volume == 20
    assert pole.refusals("command_refused") == ["repeated"]
    assert pole.entries("command_refused")[0].data["id"] == "c1"


def test_a_repeated_command_acts_once_over_a_kill() -> None:
    pole = Pole().ready()
    louder = by_server(command("c1", CommandKind.VOLUME, volume=70))
    pole.receive(louder, Down.COMMAND)
    pole.kill()
    pole.ready().receive(louder, Down.COMMAND)
    assert pole.refusals("command_refused") == ["repeated"]


def test_a_command_by_retained_message_is_refused() -> None:
    pole = Pole().ready()
    pole.receive(by_server(stop(1)), Down.COMMAND, retained=True)
    assert pole.refusals("command_refused") == ["retained"]
    assert not pole.state.stop.active


def test_an_order_by_retained_message_is_refused() -> None:
    pole = Pole().ready()
    pole.receive(by_server(order()), retained=True)
    assert pole.refusals("order_refused") == ["retained"]
    assert pole.state.order is None


def test_a_command_for_a_group_that_the_node_is_not_in_is_refused() -> None:
    pole = Pole().ready()
    pole.receive(by_server(order(groups=(COMMUNE,))))
    pole.receive(by_server(stop(1, target="group:xa-khac")), Down.COMMAND)
    assert pole.refusals("command_refused") == ["not_member"]


def test_a_group_command_from_before_the_membership_is_refused() -> None:
    pole = Pole().ready()
    pole.receive(by_server(order(groups=(COMMUNE,), issued=NOON)))
    pole.receive_group(by_server(stop(1, target=f"group:{COMMUNE}", issued=NOON - timedelta(seconds=60))), COMMUNE)
    assert pole.refusals("command_refused") == ["not_member"]
    pole.receive_group(by_server(stop(2, target=f"group:{COMMUNE}", issued=NOON)), COMMUNE)
    assert pole.state.stop.generation == 2


def test_a_command_signed_by_a_stranger_is_refused() -> None:
    pole = Pole().ready()
    pole.receive(by("stranger", stop(1)), Down.COMMAND)
    assert pole.refusals("command_refused") == ["foreign_key"]


def test_play_now_needs_an_emergency_approval() -> None:
    pole = Pole().ready()
    pole.store(NEWS, approved(NEWS, air_class=AirClass.PRIORITY))
    pole.receive(by_server(play_now("c1", NEWS)), Down.COMMAND)
    pole.run_for(120)
    assert not pole.heard
    assert pole.ends("now-c1")[0].kind == "play_missed"


def test_a_forged_receipt_deletes_nothing() -> None:
    pole = Pole().ready()
    last = pole.journal[-1].seq
    pole.receive(by("stranger", receipt(pole.journal_id, last)), Down.RECEIPT)
    pole.receive(by_server(receipt("another-journal", last)), Down.RECEIPT)
    pole.receive(by_server(receipt(pole.journal_id, last + 50)), Down.RECEIPT)
    assert pole.state.link.receipted == 0
    reasons = [one.data["reason"] for one in pole.entries("fault")]
    assert "foreign_key" in reasons
    assert "malformed" in reasons


def test_a_revoked_approvers_key_no_longer_counts() -> None:
    pole = pole_with(approved(NEWS))
    pole.receive(Commune(version=2, revoked=(key_id(public("hoa")),), policy_signer="binh").bundle(), Down.TRUST)
    assert is_silent_because(pole, "revoked")


def test_a_statement_whose_length_differs_from_the_orders_does_not_air() -> None:
    pole = Pole().ready()
    pole.store(NEWS, approved(NEWS, duration_ms=50_000))
    pole.receive(by_server(order(broadcast("b1", SOON, NEWS))))
    assert is_silent_because(pole, "altered")


def test_a_stop_of_a_lower_generation_lifts_nothing() -> None:
    pole = Pole().ready()
    pole.receive(by_server(stop(5)), Down.COMMAND)
    pole.receive(by_server(order(standing_stop=StandingStop(generation=4, active=False))))
    assert pole.state.stop.active


def test_an_approver_whose_validity_ended_since_the_fetch_no_longer_counts() -> None:
    pole = pole_with(approved(NEWS), commune=Commune(keys_until=SOON - timedelta(seconds=5)))
    assert pole.entries("recording_stored")
    assert is_silent_because(pole, "expired")

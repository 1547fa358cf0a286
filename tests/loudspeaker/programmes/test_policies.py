"""Signed documents as rules of time."""

from datetime import time, timedelta

from loudspeaker.database import Database
from loudspeaker.programmes.policies import policy_on, signed_policies
from schedules.policy import TimeFrame
from tests.loudspeaker.airing_builders import a_policy
from tests.loudspeaker.builders import a_commune, a_village


def test_the_newest_signed_version_holds_and_a_draft_does_not(database: Database) -> None:
    with database.work() as session:
        commune = a_commune(session)
        a_policy(session, commune, frames=(("05:00", "06:00"),))
        a_policy(session, commune, frames=(("18:00", "24:00"),), version=2, longest=20)
        a_policy(session, commune, version=3).envelope = None
        session.flush()
        policy = signed_policies(session)[commune.id]
        assert policy.frames == (TimeFrame(time(18), time(0)),)
        assert policy.longest_session == timedelta(minutes=20)


def test_a_village_may_only_tighten_its_commune(database: Database) -> None:
    with database.work() as session:
        commune = a_commune(session)
        village = a_village(session, commune)
        a_policy(session, commune, frames=(("05:00", "07:00"),), cap=70)
        a_policy(session, village, frames=(("06:00", "20:00"),), cap=90)
        policy = policy_on(signed_policies(session), village.path_ids)
        assert policy is not None
        assert (policy.frames, policy.volume_cap) == ((TimeFrame(time(6), time(7)),), 70)


def test_where_nothing_is_signed_nothing_is_allowed(database: Database) -> None:
    with database.work() as session:
        assert policy_on(signed_policies(session), a_commune(session).path_ids) is None

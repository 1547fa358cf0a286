"""One leader at a time, however many servers are started by mistake."""

from datetime import datetime, timedelta

import pytest

from loudspeaker.database import Database
from loudspeaker.lease import service
from loudspeaker.lease.service import TERM, FencedError, OtherServerError, Process
from tests.loudspeaker.builders import START

ONE, OTHER = Process("one", "boot", 10), Process("other", "boot", 20)


def take(database: Database, at: datetime, who: Process, ended: bool = False) -> int:
    with database.work() as session:
        return service.take(session, at, who, lambda _: ended)


def test_a_second_server_is_refused_while_the_first_leads(database: Database) -> None:
    take(database, START, ONE)
    with pytest.raises(OtherServerError, match="process 10 on one"):
        take(database, START + TERM / 2, OTHER)


def test_another_takes_over_when_the_term_has_run_out_or_the_process_has_ended(database: Database) -> None:
    first = take(database, START, ONE)
    second = take(database, START + timedelta(seconds=1), OTHER, ended=True)
    third = take(database, START + timedelta(seconds=1) + TERM, ONE)
    assert first < second < third


def test_who_was_overtaken_renews_and_writes_no_more(database: Database) -> None:
    first = take(database, START, ONE)
    second = take(database, START + TERM, OTHER)
    with pytest.raises(FencedError), database.work() as session:
        service.renew(session, START + TERM, first)
    with pytest.raises(FencedError), database.work() as session:
        service.check(session, first)
    with database.work() as session:
        service.renew(session, START + 2 * TERM, second)
        service.check(session, second)


def test_a_guarded_unit_of_work_of_the_overtaken_is_rolled_back(database: Database) -> None:
    first = take(database, START, ONE)
    take(database, START + TERM, OTHER)
    database.guard = lambda session: service.check(session, first)
    with pytest.raises(FencedError), database.work() as session:
        service.give_up(session, START, 2)
    database.guard = None
    with pytest.raises(OtherServerError):
        take(database, START + TERM, ONE)


def test_who_gives_up_is_followed_at_once(database: Database) -> None:
    first = take(database, START, ONE)
    with database.work() as session:
        service.give_up(session, START, first)
    take(database, START, OTHER)

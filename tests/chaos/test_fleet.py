"""Short forms of the fleet's rows: the real agent, conductor and database on a virtual clock."""

from datetime import timedelta

from chaos.rows.fleet_virtual import away_for, stopped_content


def test_what_is_planned_airs_once_while_server_and_broker_are_gone_and_the_log_is_complete_after() -> None:
    broadcasts, missed, repeated, _ = away_for(3, 1, timedelta(days=1))
    assert broadcasts >= 3 * 19
    assert (missed, repeated) == (0, 0)


def test_poles_that_were_away_while_stop_was_pressed_are_silent_on_return() -> None:
    assert stopped_content(12, 3) == [0.0] * 12

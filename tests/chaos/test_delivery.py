"""Recordings over a line that is cut thirty times: nothing corrupt arrives, and hardly anything comes twice."""

from chaos.delivery import by_broker, by_https
from chaos.proxy import Line

QUICK = Line(latency_s=0.001, bytes_per_s=800_000)


def test_a_download_cut_thirty_times_costs_hardly_more_than_one() -> None:
    journey = by_https(2_000_000, 30, QUICK)
    assert (journey.same, journey.cuts) == (True, 30)
    assert journey.good, journey


def test_where_only_the_broker_is_reached_it_costs_hardly_more_either() -> None:
    journey = by_broker(2_000_000, 30, QUICK)
    assert (journey.same, journey.cuts) == (True, 30)
    assert journey.good, journey


def test_a_black_hole_on_the_way_is_waited_out() -> None:
    journey = by_https(500_000, 2, QUICK, holes=(0.5,), hole_s=0.5)
    assert journey.good, journey

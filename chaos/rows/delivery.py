"""Bad links: recordings that are cut off again and again, and connections that die without a word."""

from chaos.delivery import LIMIT, Journey, by_broker, by_https
from chaos.frame import Outcome, Row, Scale
from chaos.proxy import Line

MEGABYTE = 1_000_000
CUTS = 30
FAST = Line(latency_s=0.006, bytes_per_s=128_000)
"""As much under way as on the slow line, sixteen times as fast."""
SLOW = Line(latency_s=0.1, jitter_s=0.02, bytes_per_s=8_000)
"""64 kb/s."""
HOLES = (0.3, 0.7)
"""Where on its way a recording meets a black hole."""


def cut_downloads(scale: Scale) -> Outcome:
    """2 MB by HTTPS and by way of the broker, cut thirty times, with black holes between."""
    line = SLOW if scale.long else FAST
    hole_s = 40.0 if scale.long else 2.0
    journeys: list[Journey] = []
    for number in range(scale.pick(1, 5)):
        for way in (by_https, by_broker):
            journeys.append(way(2 * MEGABYTE, CUTS, line, scale.seed + number, holes=HOLES, hole_s=hole_s))
    figures = ", ".join(f"{one.ratio:.3f}× ({one.cuts} cuts)" for one in journeys)
    return Outcome(len(journeys), sum(not one.good for one in journeys), f"{figures}; limit {LIMIT}×")


ROWS = (
    Row("faults", "Download cut 30 times, slow or black-hole link",
        f"resumes: at most {LIMIT}× bytes, 0 corrupt plays", cut_downloads),
)

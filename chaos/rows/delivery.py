"""Bad links: recordings that are cut off again and again, and connections that die without a word."""

from concurrent.futures import ThreadPoolExecutor

from chaos.delivery import LIMIT, Journey, by_broker, by_https
from chaos.frame import Outcome, Row, Scale
from chaos.half_open import LIMIT_S, seen_by_node, seen_by_server
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


def half_open(scale: Scale) -> Outcome:
    """Nodes that fall silent at any moment of their beat, on a virtual clock; and real connections in a black hole."""
    nodes, links = scale.pick(1000, 100_000), scale.pick(1, 20)
    seen = [one for start in range(0, nodes, 1000) for one in seen_by_server(1000, scale.seed + start)]
    with ThreadPoolExecutor(links) as poles:
        given_up = list(poles.map(lambda _: seen_by_node(), range(links)))
    bad = sum(one > LIMIT_S for one in (*seen, *given_up))
    note = f"by the server at most {max(seen):.0f} s, by the pole {max(given_up):.0f} s"
    return Outcome(len(seen) + links, bad, note)


ROWS = (
    Row("faults", "Download cut 30 times, slow or black-hole link",
        f"resumes: at most {LIMIT}× bytes, 0 corrupt plays", cut_downloads),
    Row("faults", "Half-open TCP, node dead", f"seen within {LIMIT_S:.0f} s, always", half_open),
)

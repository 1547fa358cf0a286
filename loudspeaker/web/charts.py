"""Small line charts as SVG paths: pure geometry, drawn by `components/charts.html`."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

WIDTH, HEIGHT = 336, 64
COLUMNS = 336
"""Of seven days each column is half an hour."""
JOINED = timedelta(minutes=15)
"""Measurements further apart are not joined: nothing is known of the time between."""
Pick = Callable[[Iterable[float]], float]


@dataclass(frozen=True)
class Chart:
    """A path in a box of WIDTH × HEIGHT; `low` and `high` are the values at its bottom and top, `last` the newest."""

    path: str
    low: float
    high: float
    last: float


def line_chart(points: Sequence[tuple[datetime, float | None]], since: datetime, until: datetime,
               pick: Pick = max, floor: float | None = None) -> Chart | None:
    """A line over time, broken where nothing was measured; None when there is no value at all.

    `pick` chooses what stands for a column, `floor` is a value that the chart shows in any case (0 for a count).
    """
    known = [(at, value) for at, value in points if value is not None and since <= at <= until]
    if not known:
        return None
    columns: dict[int, list[float]] = {}
    for at, value in known:
        place = int((at - since) / (until - since) * (COLUMNS - 1))
        columns.setdefault(place, []).append(value)
    drawn = {place: pick(values) for place, values in sorted(columns.items())}
    joined = max(1, int(JOINED * COLUMNS / (until - since)))
    low = min([*drawn.values(), *([] if floor is None else [floor])])
    high = max([*drawn.values(), *([] if floor is None else [floor])])
    return Chart(_path(drawn, low, high, joined), low, high, known[-1][1])


def _path(drawn: dict[int, float], low: float, high: float, joined: int) -> str:
    span = high - low
    pieces: list[str] = []
    before = -joined - 1
    for place, value in drawn.items():
        x = place * WIDTH / COLUMNS
        y = HEIGHT - 2 - (value - low) / span * (HEIGHT - 4) if span else HEIGHT / 2
        pieces.append(f"L{x:.0f} {y:.1f}" if place - before <= joined else f"M{x:.0f} {y:.1f}h2")
        before = place
    return "".join(pieces)

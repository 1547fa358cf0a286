"""Builders for the tests of `schedules`: local times of a commune, broadcasts in few words, strategies."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from schedules import AirClass, Airing, ForecastPlayback, ItemLength

HANOI = ZoneInfo("Asia/Ho_Chi_Minh")
NOON = datetime(2026, 3, 15, 5, 0, tzinfo=UTC)
ORDINARY, PRIORITY, EMERGENCY = AirClass


def local(wall: str, day: int = 15) -> datetime:
    """`05:30` or `05:30:10` on a day of March 2026 in Hà Nội; 15/3 is a Sunday."""
    return datetime.fromisoformat(f"2026-03-{day:02} {wall}").replace(tzinfo=HANOI)


def wall(instant: datetime) -> str:
    """The instant as a clock in Hà Nội shows it."""
    return instant.astimezone(HANOI).strftime("%H:%M:%S")


def airing(
    name: str,
    start: datetime,
    *seconds: float,
    air_class: AirClass = ORDINARY,
    gap: float = 0,
    late: float = 60,
    volume: int = 70,
) -> Airing:
    """A broadcast of items of so many seconds, named `name1`, `name2` …, with `gap` seconds between them."""
    items = tuple(
        ItemLength(f"{name}{number}", round(length * 1000), round(gap * 1000))
        for number, length in enumerate(seconds, start=1)
    )
    return Airing(name, start, start + timedelta(seconds=late), air_class, items, volume)


def heard(playback: ForecastPlayback) -> list[tuple[str, str, int, int]]:
    """All segments as (item, wall time, from ms, to ms), in order of time."""
    parts = [(segment.at_utc, item.item_id, segment) for item in playback.items for segment in item.segments]
    return [(item_id, wall(at), segment.from_ms, segment.to_ms) for at, item_id, segment in sorted(parts)]


def airings(most: int = 6, within: int = 60, longest_item: int = 20) -> st.SearchStrategy[list[Airing]]:
    """Broadcasts at one node in whole seconds, close enough together to meet often; ids are unique.

    Half of them are on a grid of five seconds, so that ends and starts fall together.
    """
    return st.sampled_from([1, 5]).flatmap(lambda grid: _on_grid(grid, most, within // grid, longest_item // grid))


def _on_grid(grid: int, most: int, within: int, longest_item: int) -> st.SearchStrategy[list[Airing]]:
    def seconds(low: int, high: int) -> st.SearchStrategy[int]:
        return st.integers(low, high).map(lambda number: number * grid)

    items = st.lists(st.tuples(seconds(1, longest_item), seconds(0, max(1, 5 // grid))), min_size=1, max_size=3)
    shape = st.tuples(seconds(0, within), seconds(0, 40 // grid), st.sampled_from(AirClass), items)
    return st.lists(shape, max_size=most).map(
        lambda shapes: [
            Airing(
                f"b{number}",
                NOON + timedelta(seconds=start),
                NOON + timedelta(seconds=start + late),
                air_class,
                tuple(ItemLength(f"i{n}", d * 1000, g * 1000) for n, (d, g) in enumerate(items)),
            )
            for number, (start, late, air_class, items) in enumerate(shapes)
        ]
    )


CLOCK_CHANGES = [
    ("Europe/Berlin", datetime(2026, 3, 29, 1, 0, tzinfo=UTC)),
    ("Europe/Berlin", datetime(2026, 10, 25, 1, 0, tzinfo=UTC)),
    ("America/Santiago", datetime(2026, 4, 5, 3, 0, tzinfo=UTC)),
    ("America/Santiago", datetime(2026, 9, 6, 4, 0, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 4, 4, 15, 0, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 10, 3, 15, 30, tzinfo=UTC)),
    ("Africa/Cairo", datetime(2026, 4, 23, 22, 0, tzinfo=UTC)),
    ("Africa/Cairo", datetime(2026, 10, 29, 21, 0, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 11, 1, 6, 0, tzinfo=UTC)),
    ("Asia/Ho_Chi_Minh", datetime(2026, 3, 14, 17, 0, tzinfo=UTC)),
]
"""Zones and instants at which their clocks jump (Hà Nội's never does: there it is a midnight)."""

"""From programmes to dated broadcasts: the rolling horizon and ids that stay the same at every expansion."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID, uuid5

from schedules.instants import aware

HORIZON = timedelta(days=8)
"""How far ahead broadcasts are dated: a week, and a day in which the server may be down."""

BROADCASTS = UUID("8b0c9e0e-6a6f-5d1c-9a55-2f1f8b6f6f10")


def broadcast_id(programme_id: str, occurrence: datetime) -> str:
    """The id of a programme's broadcast at `occurrence`: the same whoever computes it, whenever, in whatever zone."""
    return str(uuid5(BROADCASTS, f"{programme_id}/{aware('occurrence', occurrence).isoformat()}"))


def horizon(now: datetime) -> tuple[datetime, datetime]:
    """From `now` to eight days later, UTC."""
    start = aware("now", now)
    return start, start + HORIZON

"""A limit on how often one node may make the server work at once."""

from datetime import UTC, datetime, timedelta


class Throttle:
    """At most `most` acts of one name within each stretch of `per`. Not thread-safe."""

    def __init__(self, most: int, per: timedelta) -> None:
        self._most, self._per = most, per
        self._since = self._until = datetime.max.replace(tzinfo=UTC)
        self._counts: dict[str, int] = {}

    def allows(self, name: str, now: datetime) -> bool:
        """Count one act of `name`; True while it is within the limit. A clock set back begins anew."""
        if not self._since <= now < self._until:
            self._since, self._until = now, now + self._per
            self._counts.clear()
        count = self._counts.get(name, 0) + 1
        self._counts[name] = count
        return count <= self._most

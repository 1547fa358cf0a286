"""A limit on how often one node may make the server work at once."""

from datetime import datetime, timedelta


class Throttle:
    """At most `most` acts of one name within each stretch of `per`. Not thread-safe."""

    def __init__(self, most: int, per: timedelta) -> None:
        self._most, self._per = most, per
        self._since: datetime | None = None
        self._counts: dict[str, int] = {}

    def allows(self, name: str, now: datetime) -> bool:
        """Count one act of `name`; True while it is within the limit. A clock set back begins anew."""
        if self._since is None or not self._since <= now < self._since + self._per:
            self._since = now
            self._counts.clear()
        count = self._counts.get(name, 0) + 1
        self._counts[name] = count
        return count <= self._most

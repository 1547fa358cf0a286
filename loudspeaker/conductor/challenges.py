"""Words that somebody must sign at once to prove a key: made by the server, good for minutes, taken once."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock

GOOD_FOR = timedelta(minutes=5)


@dataclass
class Challenges:
    """Nothing is kept for a challenge that nobody comes back with. Thread-safe; all end with the server."""

    key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    taken: dict[str, datetime] = field(default_factory=dict)
    lock: Lock = field(default_factory=Lock, repr=False)

    def make(self, now: datetime) -> str:
        """A fresh one."""
        said = f"{int(now.timestamp())}.{secrets.token_hex(12)}"
        return f"{said}.{self._mark(said)}"

    def take(self, challenge: str, now: datetime) -> bool:
        """Whether it is one of ours, young, and comes for the first time."""
        said, _, mark = challenge.rpartition(".")
        if not hmac.compare_digest(mark.encode(), self._mark(said).encode()):
            return False
        age_s = now.timestamp() - int(said.partition(".")[0])
        with self.lock:
            self.taken = {one: at for one, at in self.taken.items() if at > now - 2 * GOOD_FOR}
            if challenge in self.taken or not -1.0 <= age_s <= GOOD_FOR.total_seconds():
                return False
            self.taken[challenge] = now
        return True

    def _mark(self, said: str) -> str:
        return hmac.new(self.key, said.encode(), hashlib.sha256).hexdigest()

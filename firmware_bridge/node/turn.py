"""One step of the agent at work: the state as it changes, and the effects gathered in order."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from pydantic import JsonValue

from firmware_bridge.contract.base import Payload
from firmware_bridge.contract.messages import Entry, EntryKind, TimeState
from firmware_bridge.node.effects import Effect, Keep, Write
from firmware_bridge.node.inputs import JournalMark
from firmware_bridge.node.state import Fate, Limiter, State
from firmware_bridge.node.timekeeping import Moment, Reading

FIELDS = frozenset(State.__dataclass_fields__)
LIMIT_S = 60.0
"""The same refusal is written at most this often."""


class Turn:
    """A step in the making. Only lives within `agent.step`."""

    def __init__(self, state: State, moment: Moment) -> None:
        self.state, self.moment = state, moment
        self.reading: Reading = state.time.read(moment)
        self.effects: list[Effect] = []
        self.draws = 0

    @property
    def now(self) -> datetime:
        """The node's own time."""
        return self.reading.now

    @property
    def safe_now(self) -> datetime:
        """The latest that it may be: what expiries are compared with."""
        return self.now + timedelta(seconds=self.reading.error_s or 0.0)

    @property
    def mono(self) -> float:
        """Seconds on the monotonic clock."""
        return self.moment.mono

    @property
    def knows_time(self) -> bool:
        """Whether anything scheduled may air."""
        return self.reading.state is not TimeState.UNTRUSTED

    def mono_at(self, instant: datetime) -> float:
        """The monotonic clock at `instant`."""
        return self.mono + (instant - self.now).total_seconds()

    def time_at(self, mono: float) -> datetime:
        """The node's own time at `mono`."""
        return self.now + timedelta(seconds=mono - self.mono)

    def set(self, **changes: Any) -> None:
        """Replace fields of the state. Raises TypeError on a name that is none."""
        if not changes.keys() <= FIELDS:
            raise TypeError(f"{sorted(changes.keys() - FIELDS)} are no fields of the state")
        fresh = object.__new__(State)  # `replace` looks at each of the many fields, a dozen times a step
        fresh.__dict__.update(self.state.__dict__ | changes)
        self.state = fresh

    def set_link(self, **changes: Any) -> None:
        """Replace fields of the link's state."""
        self.set(link=replace(self.state.link, **changes))

    def do(self, effect: Effect) -> None:
        """One effect more."""
        self.effects.append(effect)

    def keep(self, key: str, value: bytes | Payload | None) -> None:
        """Have `value` kept over restarts."""
        self.do(Keep(key, value.to_bytes() if isinstance(value, Payload) else value))

    def write(
        self, kind: EntryKind, /, broadcast: str | None = None, recording: str | None = None,
        more: Mapping[str, JsonValue] = MappingProxyType({}), **data: JsonValue
    ) -> None:
        """Write to the journal, `data` and `more` together; absent values are left out."""
        mark = self.state.journal
        present: dict[str, JsonValue] = {key: value for key, value in {**data, **more}.items() if value is not None}
        self.do(Write(Entry(seq=mark.last + 1, at=self.now, kind=kind, time_state=self.reading.state,
                            broadcast=broadcast, recording=recording, data=present)))
        self.set(journal=JournalMark(mark.id, mark.first or 1, mark.last + 1))

    def refuse(
        self, kind: EntryKind, reason: str, data: Mapping[str, JsonValue], recording: str | None = None
    ) -> None:
        """Write a refusal, unless the same was written within the last minute."""
        key = f"{kind}/{reason}/{recording or ''}"
        last = self.state.limits.get(key)
        if last is not None and self.mono - last.last < LIMIT_S:
            self.set(limits=self.state.limits | {key: replace(last, suppressed=last.suppressed + 1)})
            return
        present = {"reason": reason, "suppressed": (last.suppressed or None) if last else None, **data}
        fresh = {one: limit for one, limit in self.state.limits.items() if self.mono - limit.last < 60 * LIMIT_S}
        self.set(limits=fresh | {key: Limiter(self.mono)})
        self.write(kind, None, recording, present)

    def set_fate(self, fate: Fate) -> None:
        """Know `fate`, also over a restart."""
        self.set(fates=self.state.fates | {fate.id: fate})
        self.keep(f"fate/{fate.id}", fate)

    def draw(self) -> float:
        """A number in [0, 1): other nodes and other moments draw others, the same step draws the same."""
        self.draws += 1
        text = f"{self.state.boot}/{self.state.who.node}/{self.mono}/{self.draws}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6]) / 2**48

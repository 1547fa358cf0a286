"""What `base.html` shows around every staff page: who is signed in, where, and what waits."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Section = Literal["today", "bulletins", "approve", "programmes", "log", "nodes", "faults", "people", "policy", "audit"]
EVERY_SECTION: frozenset[Section] = frozenset(
    {"today", "bulletins", "approve", "programmes", "log", "nodes", "faults", "people", "policy", "audit"}
)


@dataclass(frozen=True)
class Flash:
    """One message shown once at the top of the next page; the text is already in the reader's language."""

    kind: Literal["good", "warn", "fault"]
    text: str


@dataclass(frozen=True)
class StandingStop:
    """A stop that still holds: nothing airs until it is lifted."""

    since: datetime
    by: str


@dataclass(frozen=True)
class Frame:
    """`path` is the page's address with its query, `now` an aware instant, `sees` what this person may open."""

    section: Section | None
    path: str
    place: str
    person: str
    csrf: str
    now: datetime
    waiting_approval: int = 0
    open_faults: int = 0
    sees: frozenset[Section] = EVERY_SECTION
    may_stop: bool = True
    standing_stop: StandingStop | None = None
    flashes: tuple[Flash, ...] = ()

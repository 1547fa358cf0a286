"""Where a node may be killed: the durable steps by name, so that tests can end the process at each of them."""

from collections.abc import Callable
from enum import StrEnum


class Point(StrEnum):
    """A place in the program that a crash must be able to fall on."""

    COMMIT_BEGUN = "commit begun"
    """Entries and kept values are written, the transaction is open."""
    COMMITTED = "committed"
    COPIED = "copied"
    """The second copy of what is kept has followed."""
    ORDER_KEPT = "order kept"
    TRUST_KEPT = "trust kept"
    COMMAND_KEPT = "command kept"
    START_WRITTEN = "start written"
    END_WRITTEN = "end written"
    BEFORE_SOUND = "before sound"
    SOUND_GIVEN = "sound given"
    PRUNED = "journal pruned"
    PART_SYNCED = "part synced"
    PART_RENAMED = "part renamed"
    PART_ADMITTED = "part admitted"
    STATEMENTS_WRITTEN = "statements written"
    STATEMENTS_STORED = "statements stored"
    REMOVED_HALF = "recording removed, statements not"


Reach = Callable[[Point], None]
"""Called at every point as it is passed."""


def pass_by(point: Point) -> None:
    """What a node in the field does at a crash point: nothing."""

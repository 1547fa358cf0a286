"""A pole whose disk is full."""

from chaos import full_disk
from chaos.frame import Outcome, Row, Scale


def _full(scale: Scale) -> Outcome:
    seen = full_disk.run(scale.pick(60, 1440))
    note = f"{seen.entries:,} entries written on the full disk"
    return Outcome(seen.broadcasts, len(seen.broken), note + "".join(f"; {one}" for one in seen.broken[:3]))


ROWS = (Row("faults", "Disk full on the node", "playing goes on, the journal has a reserve, alarm, recovers", _full),)

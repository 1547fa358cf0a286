"""Days and hundreds of poles on a virtual clock, with the real agent, the real conductor and a real database."""

from collections import Counter
from datetime import datetime, timedelta

from sqlmodel import col, select

from chaos.fleet_sky import Commune, commune
from chaos.frame import Outcome, Row, Scale
from firmware_bridge.contract.messages import EntryKind
from firmware_bridge.fleet.sky import Nature
from loudspeaker.demo.district import Size
from loudspeaker.playbacks.models import Playback, PlaybackState

AWAY = timedelta(days=7)
POLES_AWAY = 100
A_DAY = 15
"""Broadcasts of each pole: 7 days of 100 poles are more than 10,000."""
BACK_S = 900.0


def server_away(scale: Scale) -> Outcome:
    """Server and broker gone for seven days: what was to air, by the as-run log after their return."""
    with commune(Size(scale.pick(POLES_AWAY, 4 * POLES_AWAY), A_DAY), Nature(), scale.seed) as one:
        gone = one.world.now
        one.conductor.stop()
        one.sky.broker.down()
        one.world.run_until(gone + AWAY)
        back = one.world.now
        one.sky.broker.back()
        one.restart()
        settled = one.settle(BACK_S)
        rows = as_run(one, gone, back)
        missed = sum(row.state != PlaybackState.PLAYED for row in rows)
        again = repeated(one)
        return Outcome(len(rows), missed + again, f"{missed} missed, {again} repeated; the log is complete "
                                                  f"{settled:.0f} s after the return")


def as_run(one: Commune, since: datetime, until: datetime) -> list[Playback]:
    """The as-run log of what was to begin in between."""
    with one.house.database.read() as session:
        return list(session.exec(select(Playback).where(col(Playback.start) >= since, col(Playback.start) < until)))


def repeated(one: Commune) -> int:
    """Broadcasts that a pole began more than once, or of which more was heard than there is."""
    count = 0
    for member in one.members:
        begun = Counter(entry.broadcast for entry in member.pole.disk.entries() if entry.kind == EntryKind.PLAY_START)
        heard = Counter(sound.broadcast for sound in member.pole.player.heard)
        count += sum(times > 1 for times in (begun | heard).values())
    return count


ROWS = (
    Row("faults", "Server down 7 days", "10,000 broadcasts on a virtual clock: 0 missed, 0 repeated", server_away),
)

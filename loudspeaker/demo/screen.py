"""What the terminal shows: the live as-run log, one glyph for each pole and broadcast."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from rich.table import Table
from rich.text import Text

from loudspeaker.demo.plan import PlannedPlayback
from loudspeaker.playbacks.models import Playback, PlaybackState

GLYPHS = {PlaybackState.PLAYED: ("✓", "green"), PlaybackState.PARTIAL: ("½", "yellow"),
          PlaybackState.MISSED: ("✕", "red"), PlaybackState.UNKNOWN: ("?", "red"),
          PlaybackState.PLAYING: ("▶", "bold blue"), PlaybackState.AWAITING: ("·", "dim")}
LEGEND = "✓ đã phát   ½ một phần   ✕ không phát   ▶ đang phát   ? chờ cụm loa báo về"


def as_run_table(planned: Sequence[PlannedPlayback], played: Mapping[tuple[str, str], Playback],
                 names: Mapping[str, str], now: datetime, zone: str) -> Table:
    """Poles down, broadcasts across, in local wall time."""
    broadcasts = sorted({one.broadcast.id: one.broadcast for one in planned}.values(), key=lambda one: one.start)
    wall = ZoneInfo(zone)
    table = Table(title=f"Nhật ký phát · {now.astimezone(wall):%H:%M:%S}", caption=LEGEND, expand=False)
    table.add_column("Cụm loa")
    for broadcast in broadcasts:
        table.add_column(f"{broadcast.start.astimezone(wall):%H:%M:%S}", justify="center")
    here = {(one.node, one.broadcast.id) for one in planned}
    for node in sorted({one.node for one in planned}):
        table.add_row(names.get(node, node), *(
            _glyph(played[node, broadcast.id], now) if (node, broadcast.id) in here else Text("")
            for broadcast in broadcasts))
    return table


def _glyph(playback: Playback, now: datetime) -> Text:
    sign, style = GLYPHS[PlaybackState(playback.state)]
    waiting = playback.state == PlaybackState.AWAITING and now > playback.start
    return Text("?" if waiting else sign, style=style)

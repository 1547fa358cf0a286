"""What makes the sound: one desk that places recordings on the clock, and the sinks that it writes to."""

from firmware_bridge.node.players.desk import Desk, Player, Report
from firmware_bridge.node.players.sinks import NullSink, Sink, SystemSink, WavSink

__all__ = ["Desk", "NullSink", "Player", "Report", "Sink", "SystemSink", "WavSink"]

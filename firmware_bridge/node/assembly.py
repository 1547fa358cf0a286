"""A pole put together: the agent's runner with the player, the amplifier and the parts that are wired."""

from collections.abc import Callable
from pathlib import Path

import httpx2

from firmware_bridge.contract.nodeconfig import NodeConfig
from firmware_bridge.node.amplifier import Amplifier, NullAmplifier, TimedAmplifier
from firmware_bridge.node.hardware.parts import Parts
from firmware_bridge.node.inputs import Trouble
from firmware_bridge.node.machine import Machine
from firmware_bridge.node.players import Desk, Sink
from firmware_bridge.node.runner import Runner
from firmware_bridge.node.soundcheck import SoundCheck
from firmware_bridge.node.update import Updates


def assemble(config: NodeConfig, parts: Parts, data: Path, sink: Sink, client: httpx2.Client,
             updates: Updates | None = None) -> Runner:
    """The runner of a pole, ready to `run`. Raises BadConfig."""
    desk = Desk(sink)
    amplifier = amplifier_of(parts, lambda trouble: runner.report(Trouble("amplifier", trouble)))
    sound = SoundCheck(desk, amplifier, parts.microphone, data)
    machine = Machine(data, parts, sound, lambda: desk.is_alive, updates)
    runner = Runner(config, data, desk, amplifier, client, machine=machine)
    for trouble in parts.troubles:
        runner.report(Trouble("hardware", trouble))
    return runner


def amplifier_of(parts: Parts, report: Callable[[str], None]) -> Amplifier:
    """The amplifier as it is wired; what fails in it is given to `report`."""
    line, mixer = parts.wiring.amplifier, parts.wiring.mixer
    if line is None and mixer is None:
        return NullAmplifier()
    lead_s, lag_s = (line.lead_ms / 1000, line.lag_ms / 1000) if line else (0.0, 0.0)
    return TimedAmplifier(parts.relay, lead_s, lag_s, parts.mixer, mixer.percent if mixer else None, report)

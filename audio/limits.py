"""What one piece of foreign sound may cost."""

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Ceilings for one decode or render; a breach is an `AudioError`, never a slow server.

    `max_seconds` is decoded sound, `timeout_seconds` the wall clock of one ffmpeg run, `stall_seconds` the longest
    it may say nothing, `memory_bytes` its address space, `free_bytes` what is left free on the disk.
    """

    max_input_bytes: int = 512 * MIB
    max_seconds: int = 2 * 3600
    timeout_seconds: float = 900.0
    stall_seconds: float = 30.0
    memory_bytes: int = 2048 * MIB
    free_bytes: int = 64 * MIB

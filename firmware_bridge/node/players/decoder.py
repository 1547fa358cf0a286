"""One ffmpeg that decodes one recording ahead of its instant, into memory."""

import shutil
import subprocess
import threading
from collections import deque
from pathlib import Path

import imageio_ffmpeg

AHEAD_S = 20.0
"""Decoded sound held in memory at most, in seconds; ffmpeg waits meanwhile."""
_CHUNK = 16 * 1024


class NoDecoder(RuntimeError):
    """There is no ffmpeg, neither on the PATH nor with the package."""


def find_ffmpeg() -> str:
    """The ffmpeg to use. Raises NoDecoder."""
    found = shutil.which("ffmpeg")
    if found:
        return found
    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError as error:
        raise NoDecoder(str(error)) from error


class Decoder:
    """Mono 16-bit samples of `path` from `from_ms` to `to_ms`. The child ends with its pipe, so with the node too."""

    def __init__(self, path: Path, from_ms: int, to_ms: int, rate: int, ffmpeg: str | None = None) -> None:
        self._limit = int(AHEAD_S * rate) * 2
        self._blocks: deque[bytes] = deque()
        self._held = 0
        self._finished = False
        self._closed = False
        self._room = threading.Condition()
        self._child = subprocess.Popen(
            [ffmpeg or find_ffmpeg(), "-hide_banner", "-loglevel", "error", "-nostdin", "-threads", "1",
             "-protocol_whitelist", "file,pipe", "-f", "ogg", "-ss", f"{from_ms / 1000:.3f}",
             "-t", f"{(to_ms - from_ms) / 1000:.3f}", "-i", f"file:{path}", "-map", "0:a:0",
             "-f", "s16le", "-ac", "1", "-ar", str(rate), "pipe:1"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self._thread = threading.Thread(target=self._pump, name="decoder", daemon=True)
        self._thread.start()

    @property
    def finished(self) -> bool:
        """Nothing will come any more."""
        with self._room:
            return self._finished and not self._held

    @property
    def ready(self) -> int:
        """Bytes that can be read now."""
        with self._room:
            return self._held

    def read(self, count: int) -> bytes:
        """Up to `count` bytes (even) of what is ready; never waits."""
        taken: list[bytes] = []
        with self._room:
            while count > 0 and self._blocks:
                block = self._blocks.popleft()
                if len(block) > count:
                    self._blocks.appendleft(block[count:])
                    block = block[:count]
                taken.append(block)
                count -= len(block)
                self._held -= len(block)
            self._room.notify_all()
        return b"".join(taken)

    def close(self) -> None:
        """End the child."""
        with self._room:
            self._closed = True
            self._room.notify_all()
        self._child.kill()
        self._thread.join(1.0)
        self._child.wait()

    def _pump(self) -> None:
        pipe = self._child.stdout
        if pipe is None:
            return
        rest = b""
        with pipe:
            while not self._closed and (block := pipe.read(_CHUNK)):
                block, rest = rest + block, b""
                if len(block) % 2:
                    block, rest = block[:-1], block[-1:]
                with self._room:
                    self._room.wait_for(lambda: self._held < self._limit or self._closed)
                    self._blocks.append(block)
                    self._held += len(block)
        with self._room:
            self._finished = True

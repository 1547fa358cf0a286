"""Inputs for the audio suite, made on the spot."""

import shutil
import subprocess
import wave
from pathlib import Path

ENCODERS = {
    "wav": ["-c:a", "pcm_s16le"],
    "flac": ["-c:a", "flac"],
    "ogg": ["-c:a", "libvorbis", "-f", "ogg"],
    "opus": ["-c:a", "libopus", "-f", "ogg"],
    "mp3": ["-c:a", "libmp3lame", "-b:a", "96k"],
    "m4a": ["-c:a", "aac", "-f", "mp4"],
    "aac": ["-c:a", "aac", "-f", "adts"],
    "webm": ["-c:a", "libopus", "-f", "webm"],
}
TALK = "aevalsrc='0.4*sin(2*PI*(180+40*sin(2*PI*3*t))*t)*(0.3+0.7*abs(sin(2*PI*2.1*t)))+0.05*random(0)':s=44100:d={}"


def system_ffmpeg() -> Path:
    found = shutil.which("ffmpeg")
    assert found, "the audio suite needs the system's ffmpeg: apt-get install ffmpeg"
    return Path(found)


def ffmpeg(*arguments: str) -> str:
    command = [str(system_ffmpeg()), "-nostdin", "-hide_banner", "-nostats", "-y", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stderr


def talk(path: Path, seconds: float = 2.0, kind: str = "mp3", filters: str = "anull", channels: int = 2) -> Path:
    """Something that rises and falls like talk, through `filters`, as a file of `kind`."""
    source = ["-f", "lavfi", "-i", TALK.format(seconds), "-af", filters, "-ac", str(channels)]
    ffmpeg(*source, *ENCODERS[kind], str(path))
    return path


def silence(path: Path, seconds: float, kind: str = "flac") -> Path:
    ffmpeg("-f", "lavfi", "-i", "anullsrc=r=48000:cl=stereo", "-t", str(seconds), *ENCODERS[kind], str(path))
    return path


def wav_of(path: Path, samples: bytes, rate: int = 48_000) -> Path:
    """A mono 16-bit wav of just these samples."""
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(samples)
    return path


def cut(path: Path, target: Path, keep: float) -> Path:
    """The first part of a file, as an interrupted copy leaves it."""
    data = path.read_bytes()
    target.write_bytes(data[: int(len(data) * keep)])
    return target

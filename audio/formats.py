"""Which format a file has, by its content alone; the name never decides."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from audio import frames
from audio.errors import AudioError

HEAD_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Format:
    """A format that is taken: the demuxer ffmpeg is bound to and the only decoders it may open.

    `exact_length`: the length that ffmpeg reports is the file's own word, not a guess from its bit rate.
    """

    name: str
    demuxer: str
    decoders: tuple[str, ...]
    exact_length: bool = True


PCM: Final = ("pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_u8", "pcm_f32le", "pcm_f64le", "pcm_alaw", "pcm_mulaw")
MPEG: Final = ("mp3float", "mp3", "mp2float", "mp2")
AAC: Final = ("aac", "aac_fixed")
OPEN: Final = ("opus", "libopus", "vorbis", "libvorbis", "flac")
AMR_NB: Final = ("amrnb", "libopencore_amrnb")
AMR_WB: Final = ("amrwb", "libopencore_amrwb")

WAV: Final = Format("wav", "wav", (*PCM, "adpcm_ms", "adpcm_ima_wav", *MPEG))
FLAC: Final = Format("flac", "flac", ("flac",))
OGG: Final = Format("ogg", "ogg", (*OPEN, "libspeex", "speex"))
MP3: Final = Format("mp3", "mp3", MPEG, exact_length=False)
MP4: Final = Format("m4a", "mov", (*AAC, *AMR_NB, *AMR_WB, *MPEG, "alac", "opus", "libopus", "flac"))
ADTS: Final = Format("aac", "aac", AAC, exact_length=False)
WEBM: Final = Format("webm", "matroska", (*OPEN, *AAC, *MPEG, "pcm_s16le", "pcm_f32le"))
AMR: Final = Format("amr", "amr", (*AMR_NB, *AMR_WB), exact_length=False)

FORMATS: Final = (WAV, FLAC, OGG, MP3, MP4, ADTS, WEBM, AMR)

PLAYLIST_LINE: Final = re.compile(
    rb"#EXTM3U|#EXTINF|#EXT-X-|\[playlist\]|ffconcat\s+version|file\s+\S+\s*$|<\?xml|<smil|<asx|<MPD|<playlist"
    rb"|\[Reference\]|RTSPtext",
    re.IGNORECASE,
)
ADDRESS: Final = re.compile(rb"[a-z][a-z0-9+.]{1,9}:/", re.IGNORECASE)
LINES_LOOKED_AT: Final = 50
KNOWN_BUT_NOT_TAKEN: Final = (
    (b"MThd", "midi"),
    (b"FORM", "aiff"),
    (b"caff", "caf"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "wma"),
    (b"MAC ", "ape"),
    (b"wvpk", "wavpack"),
    (b".RMF", "realmedia"),
    (b"DSD ", "dsd"),
)


def detect(path: Path) -> Format:
    """Return the format of the file at `path`.

    Raises `empty_file`, `playlist`, `unsupported` (sound of a kind that is not taken) or `not_audio`.
    """
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
        if not head:
            raise AudioError("empty_file")
        start = frames.after_id3(head)
        if start >= len(head) > 10:  # a tag with a large picture
            file.seek(start)
            body = file.read(HEAD_BYTES)
        else:
            body = head[start:]
    if found := _by_magic(body):
        return found
    if _is_playlist(body):
        raise AudioError("playlist")
    for magic, kind in KNOWN_BUT_NOT_TAKEN:
        if body.startswith(magic):
            raise AudioError("unsupported", kind=kind)
    if frames.looks_like(frames.adts_frame, body, within=frames.START_WINDOW):
        return ADTS
    if frames.looks_like(frames.mpeg_frame, body, within=frames.START_WINDOW):
        return MP3
    raise AudioError("not_audio", kind="text" if _is_text(head) else "unknown")


def _by_magic(head: bytes) -> Format | None:
    if head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE":
        return WAV
    if head.startswith(b"fLaC"):
        return FLAC
    if head.startswith(b"OggS\0"):
        return OGG
    if head[4:8] == b"ftyp":
        return MP4
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return WEBM
    if head.startswith((b"#!AMR\n", b"#!AMR-WB\n")):
        return AMR
    return None


def _is_playlist(head: bytes) -> bool:
    lines = [line.strip() for line in head.removeprefix(b"\xef\xbb\xbf").splitlines()[:LINES_LOOKED_AT]]
    lines = [line for line in lines if line]
    return bool(lines) and (ADDRESS.match(lines[0]) is not None or any(PLAYLIST_LINE.match(line) for line in lines))


def _is_text(head: bytes) -> bool:
    return b"\0" not in head and sum(byte < 9 for byte in head[:4096]) == 0

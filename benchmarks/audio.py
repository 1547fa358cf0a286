"""Processing a recording against ffmpeg's two-pass loudnorm with the same encode, side by side in one run."""

import json
import re
import subprocess
import tempfile
import time
from pathlib import Path

from audio.engine import Engine, find_ffmpeg
from audio.loudness import measure
from audio.mastering import OPUS, TUNINGS
from audio.recipe import Part, Recipe, Rendition, render
from audio.speech import find_speaker

MINUTES = 5
ROUNDS = 2
LIMIT = 0.5
LUFS = -16.0
LUFS_TOLERANCE = 1.0
PEAK_DBTP = -1.0
NEWS = (
    "Đài truyền thanh xã Bình Minh. Sau đây là bản tin sáng. Ủy ban nhân dân xã thông báo lịch tiêm chủng mở rộng "
    "cho trẻ em dưới năm tuổi vào ngày mười lăm hằng tháng tại trạm y tế xã. Kính mời bà con đến đúng giờ. "
    "Về sản xuất nông nghiệp, bà con chú ý kiểm tra đồng ruộng, giữ mực nước vừa phải. "
)


def run() -> list[dict[str, object]]:
    """Return one row: the best of two rounds of each way, on a spoken bulletin of 5 minutes with noise, as mp3."""
    engine = Engine(find_ffmpeg())
    with tempfile.TemporaryDirectory(prefix="bench-audio-") as folder:
        source = spoken_bulletin(engine, Path(folder))
        ours, theirs, made = [], [], None
        for _ in range(ROUNDS):
            started = time.perf_counter()
            made = render(engine, Recipe((Part(source),)), Path(folder))
            ours.append(time.perf_counter() - started)
            started = time.perf_counter()
            reference = two_pass_loudnorm(engine, source, Path(folder))
            theirs.append(time.perf_counter() - started)
        heard = measure(engine, reference)
    assert made is not None
    ratio = min(ours) / min(theirs)
    return [
        {
            "what": f"Processing a recording ({MINUTES} min, mp3 in, Opus 32k out)",
            "against": "ffmpeg two-pass loudnorm + the same encode",
            "ratio": round(ratio, 3),
            "limit": LIMIT,
            "ok": ratio <= LIMIT and within_limits(made),
            "detail": (
                f"{min(ours):.1f} s against {min(theirs):.1f} s; {made.integrated_lufs} LUFS,"
                f" {made.true_peak_dbtp} dBTP (loudnorm {heard.integrated_lufs} LUFS, {heard.true_peak_dbtp} dBTP)"
            ),
        }
    ]


def within_limits(made: Rendition) -> bool:
    """Whether the encoded file is −16 LUFS ±1 LU with a true peak of at most −1 dBTP."""
    return abs(made.integrated_lufs - LUFS) <= LUFS_TOLERANCE and made.true_peak_dbtp <= PEAK_DBTP


def spoken_bulletin(engine: Engine, folder: Path) -> Path:
    """Make the input: synthetic speech over a low hum of noise, 128 kb/s mp3."""
    speech, bulletin = folder / "speech.wav", folder / "bulletin.mp3"
    find_speaker().speak(NEWS * 16, "vi", speech)
    seconds = MINUTES * 60
    ffmpeg(
        engine, "-stream_loop", "-1", "-i", str(speech), "-f", "lavfi", "-i", "anoisesrc=c=pink:a=0.01:r=44100:seed=1",
        "-filter_complex", "[0]aresample=44100,volume=0.5[s];[s][1]amix=inputs=2:duration=shortest",
        "-t", str(seconds), "-ac", "2", "-b:a", "128k", str(bulletin),
    )  # fmt: skip
    return bulletin


def two_pass_loudnorm(engine: Engine, source: Path, folder: Path) -> Path:
    """Do what most guides say: measure with loudnorm, then apply it linearly, and encode as we do."""
    out = folder / "loudnorm.ogg"
    goal = "loudnorm=I=-16:TP=-1.5:LRA=11"
    told = ffmpeg(engine, "-i", str(source), "-af", f"{goal}:print_format=json", "-f", "null", "-")
    found = re.search(r"\{[^{}]*\}", told, re.DOTALL)
    assert found is not None
    seen = json.loads(found[0])
    second = (
        f"{goal}:linear=true:measured_I={seen['input_i']}:measured_TP={seen['input_tp']}"
        f":measured_LRA={seen['input_lra']}:measured_thresh={seen['input_thresh']}:offset={seen['target_offset']}"
    )
    encode = ["-ac", "1", *OPUS, "-application", TUNINGS[0]]
    ffmpeg(engine, "-i", str(source), "-af", f"{second},aresample=48000", *encode, str(out))
    return out


def ffmpeg(engine: Engine, *arguments: str) -> str:
    """Run ffmpeg on our own files, without the guard; return what it says."""
    command = [str(engine.ffmpeg), "-nostdin", "-hide_banner", "-nostats", "-y", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stderr


if __name__ == "__main__":
    for row in run():
        print(json.dumps(row, ensure_ascii=False, indent=2))

"""Speak standard input into a wav file with the espeak-ng library; run as a script, it imports nothing of the package.

`python espeak_child.py library data voice words_per_minute out.wav < text`, or `… library data --version`.
Source of the numbers: espeak-ng's speak_lib.h.
"""

import ctypes
import sys
import wave

AUDIO_OUTPUT_SYNCHRONOUS = 2
DONT_EXIT = 0x8000
RATE = 1
UTF8 = 1
END_PAUSE = 0x1000
CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


def main() -> int:
    """Return the exit status: 0 spoken, 2 the library does not start, 3 no such voice, 4 it failed while speaking."""
    library, data, *rest = sys.argv[1:]
    espeak = ctypes.CDLL(library)
    espeak.espeak_Info.restype = ctypes.c_char_p
    rate = espeak.espeak_Initialize(AUDIO_OUTPUT_SYNCHRONOUS, 0, data.encode(), DONT_EXIT)
    if rate <= 0:
        return 2
    if rest == ["--version"]:
        sys.stdout.write(espeak.espeak_Info(None).decode() + "\n")
        return 0
    voice, words_per_minute, path = rest
    if espeak.espeak_SetVoiceByName(voice.encode()) != 0:
        return 3
    espeak.espeak_SetParameter(RATE, int(words_per_minute), 0)
    return speak(espeak, rate, sys.stdin.buffer.read(), path)


def speak(espeak: ctypes.CDLL, rate: int, text: bytes, path: str) -> int:
    """Speak `text` into the 16-bit mono wav `path` at `rate` Hz; return the exit status."""
    with wave.open(path, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)

        def heard(samples: "ctypes._Pointer[ctypes.c_short]", count: int, _events: int) -> int:
            if samples and count > 0:
                out.writeframesraw(ctypes.string_at(samples, count * 2))
            return 0

        callback = CALLBACK(heard)
        espeak.espeak_SetSynthCallback(callback)
        size = ctypes.c_size_t(len(text) + 1)
        failed = espeak.espeak_Synth(text + b"\0", size, 0, 0, 0, UTF8 | END_PAUSE, None, None)
        return 4 if failed or espeak.espeak_Synchronize() else 0


if __name__ == "__main__":
    sys.exit(main())

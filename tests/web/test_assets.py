"""The built assets: found by plain name, served compressed for ever, small enough for a slow link."""

import gzip
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from loudspeaker.web.assets_manifest import Assets, AssetsNotBuilt, PrecompressedFiles, accepted_encodings, load_assets
from scripts import build_assets

DESK = ("app.css", "desk.js", "theme.js", "icons.svg")
FONTS = tuple(
    f"be-vietnam-pro-{kind}-normal.woff2" for kind in ("latin-400", "latin-600", "vietnamese-400", "vietnamese-600")
)
PAGE_MODULES = ("approve.js", "keys.js", "live.js", "sign.js", "upload.js")
KB = 1000


@pytest.fixture(scope="module")
def assets(built_assets: Path) -> Assets:
    return load_assets(built_assets)


@pytest.fixture(scope="module")
def client(built_assets: Path) -> TestClient:
    return TestClient(Starlette(routes=[Mount("/static", PrecompressedFiles(built_assets))]))


@pytest.mark.parametrize(("accept", "encoding"), [
    ("br, gzip", "br"), ("gzip, deflate", "gzip"), ("", None), ("br;q=0, gzip", "gzip"),
])
def test_a_style_sheet_comes_as_the_browser_takes_it(
    client: TestClient, assets: Assets, accept: str, encoding: str | None
) -> None:
    answer = client.get(assets.url("app.css"), headers={"Accept-Encoding": accept})
    assert answer.headers.get("content-encoding") == encoding
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["vary"] == "Accept-Encoding"


def test_a_file_that_is_not_there_is_not_cached_for_ever(client: TestClient) -> None:
    answer = client.get("/static/app.AAAAAAAA.css")
    assert answer.status_code == 404
    assert "cache-control" not in answer.headers


def test_compressed_files_hold_the_same_bytes(built_assets: Path, assets: Assets) -> None:
    plain = built_assets / assets.files["desk.js"]
    assert gzip.decompress(plain.with_name(plain.name + ".gz").read_bytes()) == plain.read_bytes()


def test_the_desk_loads_within_its_budget(built_assets: Path, assets: Assets) -> None:
    always = sum(weight(built_assets, assets, name) for name in (*DESK, *FONTS))
    shared = sum(path.stat().st_size for path in built_assets.glob("shared.*.js.br"))
    heaviest = max(weight(built_assets, assets, name) for name in PAGE_MODULES)
    assert always + shared + heaviest <= 180 * KB, "20 kB are left for the page itself"


def test_the_phone_form_loads_within_its_budget(built_assets: Path, assets: Assets) -> None:
    loaded = sum(weight(built_assets, assets, name) for name in ("phone.css", "report.js", "icons.svg"))
    assert loaded <= 15 * KB
    assert weight(built_assets, assets, "report.js") <= 10 * KB


def weight(folder: Path, assets: Assets, name: str) -> int:
    plain = folder / assets.files[name]
    compressed = plain.with_name(plain.name + ".br")
    return (compressed if compressed.exists() else plain).stat().st_size


def test_an_asset_that_was_not_built_says_what_to_run(assets: Assets, tmp_path: Path) -> None:
    with pytest.raises(AssetsNotBuilt, match="make setup"):
        assets.url("missing.js")
    with pytest.raises(AssetsNotBuilt, match="make setup"):
        load_assets(tmp_path)


def test_a_refused_coding_is_not_accepted() -> None:
    assert accepted_encodings("br;q=0, GZIP;q=0.5, *") == {"gzip", "*"}


def test_unchanged_inputs_are_not_built_again(built_assets: Path) -> None:
    assert build_assets.build() is False


def test_a_changed_template_changes_what_is_built_from(built_assets: Path, tmp_path: Path) -> None:
    inputs = build_assets.inputs()
    assert build_assets.WEB / "templates" / "base.html" in inputs
    assert build_assets.ASSETS / "css" / "app.css" in inputs
    assert not any("node_modules" in path.parts for path in inputs)


def test_the_lock_names_no_registry() -> None:
    lock = (build_assets.ASSETS / "package-lock.json").read_text()
    assert '"resolved"' not in lock
    assert "registry" not in lock



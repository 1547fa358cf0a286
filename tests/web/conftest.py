"""The built pages, and Node to run the modules by themselves."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scripts import build_assets

Node = Callable[[str], Any]


@pytest.fixture(scope="session")
def built_assets() -> Path:
    """The folder of built assets, made anew when an input changed."""
    build_assets.compile_catalogues()
    build_assets.build()
    return build_assets.STATIC


@pytest.fixture(scope="session")
def in_node(built_assets: Path, tmp_path_factory: pytest.TempPathFactory) -> Node:
    """Runs TypeScript that imports from the assets' `src`; what it hands to `answer(…)` comes back."""
    folder = tmp_path_factory.mktemp("node")
    node = build_assets.find_node().program

    def run(source: str) -> Any:
        entry, bundle = folder / "entry.ts", folder / "bundle.mjs"
        entry.write_text(f'const answer = (value: unknown) => console.log(JSON.stringify(value));\n{source}')
        esbuild = build_assets.ASSETS / "node_modules/esbuild/bin/esbuild"
        options = ("--bundle", "--format=esm", "--platform=node", f"--alias:src={build_assets.ASSETS / 'src'}")
        bundled = subprocess.run(
            [str(node), str(esbuild), str(entry), *options, f"--outfile={bundle}", "--log-level=error"],
            capture_output=True, text=True, check=False,
        )
        assert bundled.returncode == 0, bundled.stderr
        done = subprocess.run([str(node), str(bundle)], capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run

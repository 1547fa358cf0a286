"""The built web assets: from plain names to content-hashed addresses, and the files themselves to the browser."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

STATIC_FOLDER = Path(__file__).parent / "static"
ONE_YEAR = "public, max-age=31536000, immutable"
ENCODINGS = (("br", ".br"), ("gzip", ".gz"))

Sentence = str | tuple[str, str]


class AssetsNotBuilt(RuntimeError):
    """The built assets, or one of them, are missing."""


@dataclass(frozen=True)
class Assets:
    """What the build made: `files` maps plain names to hashed ones, `sentences` a module to those it shows.

    A sentence with a plural is the pair (singular, plural).
    """

    files: Mapping[str, str]
    sentences: Mapping[str, tuple[Sentence, ...]] = field(default_factory=dict)
    prefix: str = "/static/"

    def url(self, name: str) -> str:
        """The address of an asset such as `app.css`; AssetsNotBuilt when the build did not make it."""
        try:
            return self.prefix + self.files[name]
        except KeyError:
            raise AssetsNotBuilt(f"The build made no asset called {name}: run `make setup`.") from None


def load_assets(folder: Path = STATIC_FOLDER) -> Assets:
    """Read the manifest that the build wrote last; AssetsNotBuilt when there is none."""
    path = folder / "manifest.json"
    if not path.exists():
        raise AssetsNotBuilt(f"The web assets are not built ({path} is missing): run `make setup`.")
    manifest = json.loads(path.read_text())
    sentences = {
        module: tuple(text if isinstance(text, str) else (text[0], text[1]) for text in texts)
        for module, texts in manifest["messages"].items()
    }
    return Assets(files=manifest["files"], sentences=sentences)


class PrecompressedFiles(StaticFiles):
    """Serves the static folder for ever-cacheable names, as .br or .gz where the browser takes it.

    Mount at `/static`: `app.mount("/static", PrecompressedFiles(STATIC_FOLDER))`.
    """

    def __init__(self, folder: Path = STATIC_FOLDER) -> None:
        super().__init__(directory=folder)

    async def get_response(self, path: str, scope: Scope) -> Response:
        accepted = accepted_encodings(Headers(scope=scope).get("accept-encoding", ""))
        for encoding, suffix in ENCODINGS:
            full_path, found = self.lookup_path(path + suffix)
            if encoding in accepted and found is not None:
                response = self.file_response(full_path, found, scope)
                response.headers["Content-Encoding"] = encoding
                response.headers["Content-Type"] = _content_type(path)
                break
        else:
            response = await super().get_response(path, scope)
        response.headers["Vary"] = "Accept-Encoding"
        if response.status_code in (200, 206, 304):
            response.headers["Cache-Control"] = ONE_YEAR
        return response


def accepted_encodings(header: str) -> frozenset[str]:
    """The codings an Accept-Encoding header takes; one with `q=0` is refused (RFC 9110, 12.5.3)."""
    accepted = set()
    for part in header.split(","):
        coding, _, parameters = part.strip().partition(";")
        if coding and parameters.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000"):
            accepted.add(coding.strip().lower())
    return frozenset(accepted)


def _content_type(path: str) -> str:
    known = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".json": "application/json"}
    return known.get(Path(path).suffix, "application/octet-stream") + "; charset=utf-8"

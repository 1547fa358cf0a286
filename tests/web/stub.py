"""A small server in place of the whole one: real templates and assets, and only as much API as the modules need."""

import asyncio
import base64
import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import uvicorn
from jinja2 import ChoiceLoader, DictLoader
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Mount, Route

from loudspeaker.api.headers import SecurityHeaders
from loudspeaker.web.assets_manifest import PrecompressedFiles, load_assets
from loudspeaker.web.frame import Frame
from loudspeaker.web.i18n import choose_language, load_translators
from loudspeaker.web.templating import build_environments

CSRF = "stub-csrf"


@dataclass
class Stub:
    """What the page sees of the server, and what the server got."""

    pages: dict[str, str]
    recordings: dict[str, bytes] = field(default_factory=dict)
    statements: dict[str, bytes] = field(default_factory=dict)
    durations_ms: dict[str, int] = field(default_factory=dict)
    keys: list[dict[str, Any]] = field(default_factory=list)
    heard: dict[str, set[int]] = field(default_factory=dict)
    approvals: dict[str, dict[str, Any]] = field(default_factory=dict)
    reports: list[dict[str, Any]] = field(default_factory=list)
    uploads: dict[str, bytearray] = field(default_factory=dict)
    announced: list[dict[str, str]] = field(default_factory=list)
    cut_link_after: int | None = None
    """Bytes of an upload after which its next request fails, once."""
    signed_out: bool = False
    saved: int = 0
    saved_goes_to: str = "/done.html"
    news: list[str] = field(default_factory=list)
    """Topics that the event stream tells, each once."""
    headers: list[dict[str, str]] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)

    def app(self, assets: Path) -> SecurityHeaders:
        """The routes; pages are shown by `/{name}`."""
        environments = build_environments(load_assets(assets), load_translators(ZoneInfo("Asia/Ho_Chi_Minh")))
        for environment in environments.values():
            assert environment.loader is not None
            environment.loader = ChoiceLoader([DictLoader(self.pages), environment.loader])

        def page(request: Request) -> Response:
            language = choose_language(request.query_params.get("lang"), None)
            frame = Frame(section="today", path=request.url.path, place="Sơn Dương", person="Nguyễn Thị Hoa", csrf=CSRF,
                          now=datetime.now(UTC))
            template = environments[language].get_template(request.path_params["name"])
            return HTMLResponse(template.render(frame=frame, csrf=CSRF, path=frame.path, **self.values))

        return SecurityHeaders(Starlette(routes=[
            Mount("/static", PrecompressedFiles(assets)),
            Route("/api/v1/me/signing-keys", self._keys, methods=["GET", "POST"]),
            Route("/api/v1/recordings/{id}/heard", self._heard, methods=["POST"]),
            Route("/api/v1/recordings/{id}/statement", self._statement),
            Route("/api/v1/recordings/{id}/approvals", self._approve, methods=["POST"]),
            Route("/api/v1/recordings/{id}/audio", lambda r: Response(self.recordings[r.path_params["id"]])),
            Route("/api/v1/recordings/{id}/waveform", lambda r: Response(bytes(range(0, 250, 5)))),
            Route("/api/v1/uploads", self._announce, methods=["POST"]),
            Route("/api/v1/uploads/{id}", self._append, methods=["HEAD", "PATCH"]),
            Route("/api/v1/recordings/{id}", self._recording),
            Route("/events", self._events),
            Route("/parts/nodes", lambda r: RedirectResponse("/sign-in" if self.signed_out else "/part.html", 303)),
            Route("/sign-in", lambda r: HTMLResponse("<html><body>Đăng nhập</body></html>")),
            Route("/save", self._save, methods=["POST"]),
            Route("/report", self._report, methods=["POST"]),
            Route("/{name}", page),
        ]))

    async def _keys(self, request: Request) -> Response:
        if request.method == "GET":
            return JSONResponse(self.keys)
        self.headers.append(dict(request.headers))
        self.keys.append({"id": "k", "revoked_at": None, **await request.json()})
        return JSONResponse({}, 201)

    async def _heard(self, request: Request) -> Response:
        name = request.path_params["id"]
        heard = self.heard.setdefault(name, set())
        for start, end in (await request.json())["intervals"]:
            heard.update(range(start, end))
        complete = len(heard) >= 0.99 * self.durations_ms[name]
        return JSONResponse({"intervals": [[min(heard), max(heard) + 1]], "complete": complete})

    async def _statement(self, request: Request) -> Response:
        payload = base64.b64encode(self.statements[request.path_params["id"]]).decode()
        return JSONResponse({"payload": payload})

    async def _approve(self, request: Request) -> Response:
        self.approvals[request.path_params["id"]] = (await request.json())["envelope"]
        return JSONResponse({}, 201)

    async def _announce(self, request: Request) -> Response:
        pairs = (pair.split(" ") for pair in request.headers["upload-metadata"].split(","))
        self.announced.append({name: base64.b64decode(value).decode() for name, value in pairs})
        name = str(len(self.uploads))
        self.uploads[name] = bytearray()
        return Response(status_code=201, headers={"Location": f"/api/v1/uploads/{name}", "Tus-Resumable": "1.0.0"})

    async def _append(self, request: Request) -> Response:
        name = request.path_params["id"]
        held = self.uploads[name]
        if request.method == "PATCH":
            if self.cut_link_after is not None and len(held) >= self.cut_link_after:
                self.cut_link_after = None
                return Response(status_code=503)
            assert int(request.headers["upload-offset"]) == len(held)
            held += await request.body()
        sizes = {"Upload-Offset": str(len(held)), "Upload-Length": str(self.values["bytes"])}
        headers = {"Tus-Resumable": "1.0.0", "Recording-Id": f"rec-{name}"} | sizes
        return Response(status_code=204, headers=headers)

    async def _recording(self, request: Request) -> Response:
        name = request.path_params["id"].removeprefix("rec-")
        if self.announced[int(name)]["filename"].endswith(".txt"):
            error = {"title": "Tệp này không phải tệp âm thanh.", "what_to_do": "Hãy chọn tệp khác."}
            return JSONResponse({"id": name, "state": "failed", "step": "", "progress": 0, "error": error})
        return JSONResponse({"id": name, "state": "ready", "step": "", "progress": 1, "error": None})

    async def _events(self, request: Request) -> Response:
        async def stream() -> AsyncIterator[str]:
            while not await request.is_disconnected():
                for topic in self.news:
                    yield f'event: {topic}\ndata: {{"now": "{datetime.now(UTC).isoformat()}"}}\n\n'
                self.news.clear()
                await asyncio.sleep(0.05)

        return StreamingResponse(stream(), media_type="text/event-stream")

    async def _save(self, request: Request) -> Response:
        self.saved += 1
        await asyncio.sleep(0.1)
        return RedirectResponse(self.saved_goes_to, 303)

    async def _report(self, request: Request) -> Response:
        async with request.form() as form:
            photo = form.get("photo")
            body = await photo.read() if photo is not None and not isinstance(photo, str) else b""
            key = request.headers.get("idempotency-key")
            self.reports.append({"key": key, "kind": form["kind"], "note": form["note"], "photo": body})
        return JSONResponse({}, 201)


@contextmanager
def served(stub: Stub, assets: Path) -> Iterator[str]:
    """The stub's address while it runs on a free port."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(stub.app(assets), log_level="warning", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def payload_of(envelope: dict[str, Any]) -> dict[str, Any]:
    """The signed JSON."""
    document = json.loads(base64.b64decode(envelope["payload"]))
    assert isinstance(document, dict)
    return document

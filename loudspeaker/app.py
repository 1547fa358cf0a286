"""The composition root: the only place that knows all parts, opens them in order and closes them in reverse."""

import importlib
import pkgutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from datetime import datetime
from types import ModuleType
from typing import Any
from zoneinfo import ZoneInfo

from anyio import to_thread
from fastapi import APIRouter, FastAPI, Request
from sqlalchemy.exc import SQLAlchemyError

from audio.errors import AudioError
from firmware_bridge.bridge.broker import BrokerError
from loudspeaker import api, web
from loudspeaker.api import errors
from loudspeaker.api.headers import SecurityHeaders
from loudspeaker.conductor import jobs
from loudspeaker.conductor.connecting import connect
from loudspeaker.conductor.leading import lead, stand_down
from loudspeaker.conductor.opening import open_house, utc_now
from loudspeaker.conductor.tls import BadCertificate
from loudspeaker.lease.service import OtherServerError
from loudspeaker.settings import Settings
from loudspeaker.users.first_run import setup_code
from loudspeaker.web.assets_manifest import STATIC_FOLDER, PrecompressedFiles, load_assets
from loudspeaker.web.i18n import LANGUAGE_COOKIE, Language, choose_language, load_translators
from loudspeaker.web.page import error_page
from loudspeaker.web.templating import build_environments

TITLE = "Loudspeaker"
OPENAPI = "/api/v1/openapi.json"
FAILURES = (BadCertificate, BrokerError, OtherServerError, SQLAlchemyError, AudioError, OSError)
"""Why a part may not open; kept in `app.state.failure`."""


def create_app(settings: Settings, now: Callable[[], datetime] = utc_now, connected: bool = True) -> FastAPI:
    """The server for `settings`. Not `connected`: without broker, bridge and clock, as most tests want it."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with ExitStack() as parts:
            try:
                await _open(app, parts)
            except FAILURES as failure:
                app.state.failure = failure
                raise
            yield

    async def _open(app: FastAPI, parts: ExitStack) -> None:
        app.state.house = house = parts.enter_context(open_house(settings, now))
        with house.database.read() as session:
            house.setup_code = setup_code(session)
        if connected:
            house.stand_down = stand_down
            await to_thread.run_sync(parts.enter_context, lead(house))
        parts.callback(house.processing.close)
        await to_thread.run_sync(house.processing.start)
        if connected:
            parts.enter_context(connect(house))
            parts.callback(jobs.start(house).stop)
        parts.callback(house.hub.close)

    app = FastAPI(title=TITLE, lifespan=lifespan, openapi_url=OPENAPI, docs_url=None, redoc_url=None)
    app.state.translators = load_translators(ZoneInfo(settings.zone))
    app.state.environments = build_environments(load_assets(), app.state.translators)
    app.state.say = _say
    errors.install(app, _say, error_page)
    app.add_middleware(SecurityHeaders, secure=settings.secure)
    for router in (*_routers(api), *_routers(web)):
        app.include_router(router)
    app.mount("/static", PrecompressedFiles(STATIC_FOLDER))
    return app


def language_of(request: Request) -> Language:
    """The language of the answer: `?lang=`, else the one chosen before, else Vietnamese."""
    return choose_language(request.query_params.get("lang"), request.cookies.get(LANGUAGE_COOKIE))


def _say(request: Request, sentence: str, values: dict[str, Any]) -> str:
    translated: str = request.app.state.translators[language_of(request)].gettext(sentence, **values)
    return translated


def _routers(package: ModuleType) -> Iterator[APIRouter]:
    """The `router` of every module of a package, by name."""
    for module in sorted(one.name for one in pkgutil.iter_modules(package.__path__, package.__name__ + ".")):
        router = getattr(importlib.import_module(module), "router", None)
        if isinstance(router, APIRouter):
            yield router

"""Running the server process: one socket bound first, so that a free port is known, and an end within three seconds."""

import contextlib
import gc
import json
import logging
import signal
import socket
import ssl
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import structlog
import uvicorn
from fastapi import FastAPI
from rich.console import Console

from loudspeaker.api.hot_lane import HotLane
from loudspeaker.app import create_app
from loudspeaker.conductor.certificates import open_tls
from loudspeaker.conductor.house import House
from loudspeaker.conductor.opening import utc_now
from loudspeaker.conductor.tls import BadCertificate, Tls, fingerprint
from loudspeaker.settings import Settings

GRACE_S = 2
"""How long requests in flight may still take once the server is told to stop."""


class CannotListenError(Exception):
    """The address is in use or not ours."""


class CannotStartError(Exception):
    """A part of the server (database, broker, ffmpeg, disk) does not open."""


class PlainTextError(Exception):
    """The server would be heard outside this machine without TLS."""


class Server(uvicorn.Server):
    """Uvicorn that says when it is ready, and ends open event streams before it waits for them."""

    def __init__(self, app: FastAPI, announce: Callable[[House], None], tls: Tls | None = None) -> None:
        self._tls = tls
        self._context = context = tls.context() if tls else None
        lane: Any = partial(HotLane, house=lambda: getattr(app.state, "house", None))
        super().__init__(uvicorn.Config(app, http=lane, log_config=None, access_log=False, lifespan="on",
                                        server_header=False, timeout_graceful_shutdown=GRACE_S,
                                        ssl_context_factory=partial(_shown, context) if context else None))
        self._app, self._announce = app, announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then announce."""
        # a part that does not open is told in one sentence (see `serve`), not by a traceback
        logging.getLogger("uvicorn.error").addFilter(lambda _record: not hasattr(self._app.state, "failure"))
        await super().startup(sockets)
        if self.started:
            self._app.state.house.renewed.append(self._show_certificate)
            self._announce(self._app.state.house)

    def _show_certificate(self) -> None:
        """Connections that begin from now on see the newest certificate."""
        if self._tls is not None and self._context is not None:
            self._tls.load_into(self._context)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the event streams, then everything else."""
        self._app.state.house.hub.close()
        await super().shutdown(sockets)


def _shown(context: ssl.SSLContext, *_: object) -> ssl.SSLContext:
    return context


def collect_seldom() -> None:
    """Look for cycles among objects seldom: a batch of thousands of messages is none, and walking it costs a third."""
    gc.set_threshold(50_000, 20, 20)


def serve(settings: Settings, as_json: bool = False) -> None:
    """Serve until SIGTERM or Ctrl-C.

    Raises PlainTextError (it would be heard outside without TLS), CannotListenError, CannotStartError (a part does not
    open).
    """
    log_to_stderr()
    collect_seldom()
    if settings.exposed:
        raise PlainTextError(", ".join(dict.fromkeys(settings.exposed)))
    bound = bind(settings.host, settings.port)
    chosen = settings.model_copy(update={"port": bound.getsockname()[1]})
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda *_: None)  # uvicorn raises the signal again once it has ended well
    try:
        tls = open_tls(chosen, utc_now())
    except (BadCertificate, OSError) as error:
        bound.close()
        raise CannotStartError(str(error)) from error
    app = create_app(chosen)
    server = Server(app, announce_json if as_json else announce, tls)
    with contextlib.suppress(SystemExit):  # uvicorn's own code for a start that failed
        server.run([bound])
    if not server.started:
        reason = str(getattr(app.state, "failure", "see the log above"))
        raise CannotStartError(reason.splitlines()[0])


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises CannotListenError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
        bound.listen()
    except OSError as error:
        bound.close()
        raise CannotListenError(f"{host}:{port}: {error.strerror}") from error
    return bound


def facts(house: House) -> dict[str, Any]:
    """What whoever started the server wants to know."""
    brokers = [{"host": one.host, "port": one.port, "tls": one.tls}
               for one in (house.broker.addresses if house.broker else ())]
    authority = house.tls.authority_pem if house.tls else None
    return {"url": house.public_url, "site": house.site, "setup_code": house.setup_code,
            "broker": brokers[0] if brokers else None, "brokers": brokers,
            "authority": fingerprint(authority) if authority else None}


def announce(house: House) -> None:
    """Print the address, and the first-run code while nobody administers."""
    console = Console()
    told = facts(house)
    console.print(f"Loudspeaker is at [bold]{told['url']}[/bold]", highlight=False)
    for broker in told["brokers"]:
        console.print(f"The nodes' broker is at {broker['host']}:{broker['port']}", highlight=False)
    if told["authority"]:
        console.print(f"Its certificate is vouched for by {told['url']}/ca.crt, SHA-256:\n{told['authority']}",
                      highlight=False)
    if told["setup_code"]:
        console.print(f"First run: open [bold]{told['url']}/setup[/bold] and type the code "
                      f"[bold]{told['setup_code']}[/bold]", highlight=False)


def announce_json(house: House) -> None:
    """Print the same as one line of JSON."""
    sys.stdout.write(json.dumps(facts(house)) + "\n")
    sys.stdout.flush()


def log_to_stderr() -> None:
    """Everything that is logged goes to stderr, from warnings up for what is not ours.

    Tracebacks come without local variables, which may hold passwords.
    """
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    plain = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
                        processors=[structlog.processors.add_log_level,
                                    structlog.processors.TimeStamper(fmt="iso", utc=True), plain],
                        logger_factory=structlog.PrintLoggerFactory(sys.stderr))

"""Errors as HTTP: problem JSON in the request's language, or a page where a person asked for one."""

import errno
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlencode

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError
from starlette.exceptions import HTTPException

from loudspeaker.errors import (
    ConflictError,
    ForbiddenError,
    InvalidError,
    LoudspeakerError,
    NotFoundError,
    SignInNeededError,
    TooLargeError,
    TooManyError,
    UnavailableError,
)

log = structlog.get_logger(__name__)

STATUS: dict[type[LoudspeakerError], int] = {
    SignInNeededError: 401,
    ForbiddenError: 403,
    NotFoundError: 404,
    ConflictError: 409,
    TooLargeError: 413,
    InvalidError: 422,
    TooManyError: 429,
    UnavailableError: 503,
}
MACHINE_PATHS = ("/api/", "/nodes/me/", "/recordings/", "/events", "/healthz", "/metrics", "/static/")
IMPOSSIBLE = (DataError, OverflowError, UnicodeError)
"""What a database says of a number or text that it cannot hold."""
NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})

Say = Callable[[Request, str, dict[str, Any]], str]
"""A sentence (English msgid and its values) in the language of the request."""
ErrorPage = Callable[[Request, LoudspeakerError, int], Response]
"""A page that tells a person about an error, with its HTTP status."""
Handler = Callable[[Request, Exception], Awaitable[Response]]


def status_of(error: LoudspeakerError) -> int:
    """The HTTP status of an error; 400 for those of no known kind."""
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 400)


def problem(error: LoudspeakerError, say: Callable[[str], str]) -> dict[str, Any]:
    """The problem JSON: `{code, title, detail, what_was_kept, what_to_do, field?}`."""
    title = say(error.title)
    body: dict[str, Any] = {"code": error.error_code, "title": title, "detail": title,
                            "what_was_kept": say(error.kept), "what_to_do": say(error.advice)}
    if isinstance(error, InvalidError) and error.field:
        body["field"] = error.field
    return {**error.facts, **body}


def told(failure: Exception) -> LoudspeakerError:
    """What people are told about a failure of the server's own parts. Nothing of it was stored."""
    if isinstance(failure, LoudspeakerError):
        return failure
    if isinstance(failure, RequestValidationError):
        return _of_validation(failure)
    if isinstance(failure, HTTPException):
        return _of_http(failure)
    if isinstance(failure, IMPOSSIBLE):
        return InvalidError("A field has a value that is not possible.")
    if isinstance(failure, IntegrityError):
        return ConflictError("Somebody else stored the same thing meanwhile.")
    if isinstance(failure, OSError) and failure.errno in NO_SPACE:
        return UnavailableError("The server's disk is full.", code="disk_full",
                                advice="Tell the technician to free some space; then try again.")
    if isinstance(failure, SQLAlchemyError):
        return UnavailableError("The database could not store this now.", code="database")
    return UnavailableError()


def install(app: FastAPI, say: Say, page: ErrorPage | None = None) -> None:
    """Make every failure of `app` an answer: a problem for machines, `page` for people."""

    async def handle(request: Request, failure: Exception) -> Response:
        error = told(failure)
        if not isinstance(failure, (LoudspeakerError, RequestValidationError, HTTPException, *IMPOSSIBLE)):
            log.error("request failed", path=request.url.path, failure=repr(failure), exc_info=failure)
        status = status_of(error)
        if _for_a_person(request):
            if isinstance(error, SignInNeededError):
                return RedirectResponse("/sign-in?" + urlencode({"next_page": request.url.path}), status_code=303)
            if page is not None:
                return page(request, error, status)
        body = problem(error, lambda sentence: say(request, sentence, error.params))
        headers = {"Retry-After": "60"} if isinstance(error, TooManyError | UnavailableError) else None
        return JSONResponse(body, status, headers, media_type="application/problem+json")

    for kind in (LoudspeakerError, RequestValidationError, HTTPException, SQLAlchemyError, OSError, *IMPOSSIBLE):
        app.add_exception_handler(kind, handle)


def _for_a_person(request: Request) -> bool:
    return not request.url.path.startswith(MACHINE_PATHS) and "text/html" in request.headers.get("accept", "text/html")


def _of_validation(failure: RequestValidationError) -> InvalidError:
    first: dict[str, Any] = next(iter(failure.errors()), {})
    place = [str(part) for part in first.get("loc", ())][1:]
    field = ".".join(place) or None
    if first.get("type") == "missing":
        return InvalidError("Something needed is missing: %(name)s.", field=field, name=field or "")
    return InvalidError("A field has a value that is not possible.", field=field)


def _of_http(failure: HTTPException) -> LoudspeakerError:
    if failure.status_code == 404:
        return NotFoundError()
    if failure.status_code == 400:
        return InvalidError("What was sent could not be read.", advice="Load the page again and repeat the step.")
    if failure.status_code == 413:
        return TooLargeError()
    if failure.status_code == 405:
        return NotFoundError("This address does not take such a request.", code="method_not_allowed")
    return LoudspeakerError(code=f"http_{failure.status_code}")

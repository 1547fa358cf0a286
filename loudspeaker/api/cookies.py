"""The cookies that remember a person: a session of some hours, and a village head's personal link."""

from fastapi import Response

from loudspeaker.api.deps import LINK_COOKIE, SESSION_COOKIE
from loudspeaker.settings import Settings
from loudspeaker.users.signin import NewSession

LINK_SECONDS = 400 * 24 * 3600
"""The longest that browsers keep a cookie; renewed at each use."""


def remember_session(response: Response, settings: Settings, begun: NewSession) -> None:
    """Let the browser keep the session's cookie."""
    response.set_cookie(SESSION_COOKIE, begun.cookie, max_age=settings.session_hours * 3600, httponly=True,
                        samesite="lax", secure=settings.secure)


def forget_session(response: Response) -> None:
    """Let the browser drop the session's cookie."""
    response.delete_cookie(SESSION_COOKIE, httponly=True, samesite="lax")


def remember_link(response: Response, settings: Settings, secret: str) -> None:
    """Let a phone keep a personal link."""
    response.set_cookie(LINK_COOKIE, secret, max_age=LINK_SECONDS, httponly=True, samesite="lax",
                        secure=settings.secure)

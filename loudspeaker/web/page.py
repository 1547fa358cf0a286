"""How a page is answered: templates in the reader's language, the staff frame, messages kept over a redirect."""

import base64
import binascii
import json
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Annotated, Any, Literal

from fastapi import Depends, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlmodel import Session

from loudspeaker.api.deps import CurrentSignedIn, HouseDep, Now, Reading, Work
from loudspeaker.api.errors import status_of
from loudspeaker.conductor.frame import surroundings
from loudspeaker.conductor.house import House
from loudspeaker.errors import ForbiddenError, InvalidError, LoudspeakerError
from loudspeaker.users.access import STAFF, Actor
from loudspeaker.users.models import Role
from loudspeaker.web.frame import EVERY_SECTION, Flash, Frame, Section, StandingStop
from loudspeaker.web.i18n import LANGUAGE_COOKIE, Translator, choose_language

FLASH_COOKIE = "flash"
YEAR_SECONDS = 365 * 24 * 3600
_OPERATES = frozenset({Role.EDITOR, Role.APPROVER, Role.TECHNICIAN, Role.ADMINISTRATOR})

_ROLES_OF: dict[Section, frozenset[Role]] = {"approve": frozenset({Role.APPROVER}),
                                             "audit": frozenset({Role.ADMINISTRATOR, Role.AUDITOR})}
"""Sections that only some of the staff see in the navigation; the services decide what they may do there."""


def translator_of(request: Request) -> Translator:
    """The translator of this request's reader."""
    language = choose_language(request.query_params.get("lang"), request.cookies.get(LANGUAGE_COOKIE))
    translator: Translator = request.app.state.translators[language]
    return translator


def render(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A template in the reader's language; remembers a language that was just chosen, forgets the shown message."""
    language = translator_of(request).language
    body = request.app.state.environments[language].get_template(template).render(path=_path(request), **values)
    response = HTMLResponse(body, status)
    if request.query_params.get("lang"):
        response.set_cookie(LANGUAGE_COOKIE, language, max_age=YEAR_SECONDS, samesite="lax", httponly=True)
    if FLASH_COOKIE in request.cookies:
        response.delete_cookie(FLASH_COOKIE)
    return response


def redirect(to: str, request: Request, kind: Literal["good", "warn", "fault"] = "good", sentence: str = "",
             **values: object) -> RedirectResponse:
    """On to another page of ours, which shows `sentence` (English message id) once."""
    response = RedirectResponse(to if to.startswith("/") and not to.startswith("//") else "/", status_code=303)
    if sentence:
        told = json.dumps([kind, translator_of(request).gettext(sentence, **values)])
        response.set_cookie(FLASH_COOKIE, base64.urlsafe_b64encode(told.encode()).decode(), max_age=60,
                            httponly=True, samesite="lax")
    return response


def flashes_of(request: Request) -> tuple[Flash, ...]:
    """The message that a redirect left for this page."""
    try:
        kind, text = json.loads(base64.urlsafe_b64decode(request.cookies.get(FLASH_COOKIE, "")))
    except (binascii.Error, ValueError, TypeError):
        return ()
    return (Flash(kind, str(text)),) if kind in ("good", "warn", "fault") else ()


def sentences(t: Translator, error: LoudspeakerError) -> str:
    """What happened, what was kept, what to do next: one line for a note."""
    told = (error.title, error.kept, error.advice)
    return " ".join(t.gettext(sentence, **error.params) for sentence in told if sentence)


@dataclass
class Desk:
    """One request of a signed-in person of the staff: everything a page needs to read, act and answer."""

    request: Request
    house: House
    session: Session
    actor: Actor
    csrf: str
    now: datetime
    notes: list[Flash] = field(default_factory=list)
    wrong: dict[str, str] = field(default_factory=dict)
    """Field → sentence, after a failed act."""
    status: int = 200

    @property
    def t(self) -> Translator:
        """The translator of this reader."""
        return translator_of(self.request)

    def show(self, template: str, section: Section | None, **values: Any) -> HTMLResponse:
        """The page inside the staff frame. Templates get `frame`, `desk`, `wrong` (field → sentence) and `values`."""
        return render(self.request, template, self.status, frame=self._frame(section), wrong=self.wrong,
                      actor=self.actor, now=self.now, csrf=self.csrf, **values)

    def to(self, path: str, sentence: str = "", kind: Literal["good", "warn", "fault"] = "good",
           **values: object) -> RedirectResponse:
        """On to `path` of ours, telling `sentence` there."""
        return redirect(path, self.request, kind, sentence, **values)

    def trying(self) -> "Attempt":
        """An act that may fail: undone as a whole, its error told on the page that is shown again.

        Use as `with desk.trying(): service(…); return desk.to(…)` and show the filled form after the block.
        """
        return Attempt(self)

    def told(self, error: LoudspeakerError) -> None:
        """Undo what the request did so far and note the error for the page that follows."""
        self.session.rollback()
        self.status = status_of(error)
        self.notes.append(Flash("fault", sentences(self.t, error)))
        if isinstance(error, InvalidError) and error.field:
            self.wrong[error.field] = self.t.gettext(error.title, **error.params)

    def _frame(self, section: Section | None) -> Frame:
        about = surroundings(self.session, self.actor)
        roles = frozenset(held.role for held in self.actor.roles)
        stop = StandingStop(about.stopped_at, about.stopped_by) if about.stopped_at else None
        return Frame(
            section=section, path=_path(self.request), place=about.place, person=self.actor.user.name, csrf=self.csrf,
            now=self.now, waiting_approval=about.waiting_approval, open_faults=about.open_faults,
            sees=frozenset(one for one in EVERY_SECTION if one not in _ROLES_OF or roles & _ROLES_OF[one]),
            may_stop=bool(roles & _OPERATES), standing_stop=stop,
            flashes=(*flashes_of(self.request), *self.notes))


class Attempt:
    """The block of an act that may fail with an error for people; see `Desk.trying`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> bool:
        """Take up errors of ours; let all others pass."""
        if isinstance(error, LoudspeakerError):
            self._desk.told(error)
            return True
        return False


def _staff(signed_in: CurrentSignedIn) -> Actor:
    if not {held.role for held in signed_in.actor.roles} & STAFF:
        raise ForbiddenError
    return signed_in.actor


StaffActor = Annotated[Actor, Depends(_staff)]


def _reading_desk(request: Request, house: HouseDep, session: Reading, actor: StaffActor, signed_in: CurrentSignedIn,
                  now: Now) -> Desk:
    return Desk(request, house, session, actor, signed_in.csrf or "", now)


def _acting_desk(request: Request, house: HouseDep, session: Work, actor: StaffActor, signed_in: CurrentSignedIn,
                 now: Now) -> Desk:
    return Desk(request, house, session, actor, signed_in.csrf or "", now)


ReadingDesk = Annotated[Desk, Depends(_reading_desk)]
"""For pages that only show."""
ActingDesk = Annotated[Desk, Depends(_acting_desk)]
"""For forms that change something: committed before the answer goes out."""


def error_page(request: Request, error: LoudspeakerError, status: int) -> Response:
    """An error told to a person on a page of its own."""
    t = translator_of(request)
    return render(request, "error.html", status, csrf="", title=t.gettext(error.title, **error.params),
                  kept=t.gettext(error.kept, **error.params), advice=t.gettext(error.advice, **error.params))


def _path(request: Request) -> str:
    query = f"?{request.url.query}" if request.url.query else ""
    return request.url.path + query

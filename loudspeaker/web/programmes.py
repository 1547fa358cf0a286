"""Programmes: the list, the form that reads the plan back, one programme, airing at once, and the week."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Form, Query, Response

from loudspeaker.broadcasts.service import seen
from loudspeaker.conductor import airing, planning
from loudspeaker.conductor.planning import Check
from loudspeaker.conductor.programme_pages import (
    Choice,
    approved_choices,
    chosen_items,
    programme_lines,
    programme_view,
    recording_languages,
)
from loudspeaker.conductor.targets import targets_to_choose
from loudspeaker.conductor.week import week_of
from loudspeaker.errors import InvalidError
from loudspeaker.places.models import Place
from loudspeaker.places.service import place_to_see, places_seen_by
from loudspeaker.programmes import service
from loudspeaker.programmes.draft import DraftItem, ProgrammeDraft
from loudspeaker.users.models import Role
from loudspeaker.web.confirmation import confirms
from loudspeaker.web.content_words import CLASS_WORDS, language_of
from loudspeaker.web.frame import Flash
from loudspeaker.web.i18n import marked
from loudspeaker.web.page import ActingDesk, Desk, ReadingDesk
from loudspeaker.web.plan_form import PlanForm, next_day, typed
from loudspeaker.web.plan_words import WEEKDAY_WORDS, read_back, to_next, when
from schedules.recurrence_rule import WEEKDAYS

router = APIRouter(include_in_schema=False)
CANCEL_WORD = marked("CANCEL")
REFUSED = marked("Not saved: the plan breaks a rule or meets another programme. The reasons stand below.")
Typed = Annotated[PlanForm, Form()]


@router.get("/programmes")
@router.get("/programmes/live")
def programmes_page(desk: ReadingDesk, cancelled: bool = False) -> Response:
    """The list; below `/live` the part that is refreshed when something changes."""
    url = desk.request.url
    return desk.show(
        "programmes_live.html" if url.path.endswith("/live") else "programmes.html", "programmes",
        lines=programme_lines(desk.session, desk.actor, desk.now, cancelled), cancelled=cancelled,
        live=f"/programmes/live?{url.query}", may_plan=_may_plan(desk), **_words(desk))


@router.get("/programmes/new")
def new_programme_page(desk: ReadingDesk, recording: str = "", at: str = "", day: str = "") -> Response:
    """The form of a new programme."""
    return _form(desk, None, _first(desk, recording, day=day, at=at))


@router.post("/programmes/new")
def take_new_programme(desk: ActingDesk, form: Typed) -> Response:
    """Check, or save, a new programme."""
    return _take(desk, None, form)


@router.get("/programmes/now")
def air_now_page(desk: ReadingDesk, recording: str = "") -> Response:
    """The form of what is to be aired at once."""
    return _form(desk, None, _first(desk, recording), at_once=True)


@router.post("/programmes/now")
def take_air_now(desk: ActingDesk, form: Typed) -> Response:
    """Check, or air at once."""
    check = None
    with desk.trying():
        start = (desk.now + airing.LEAD).replace(microsecond=0)
        draft = _draft(desk, form, start)
        draft = replace(draft, title=draft.title.strip() or _first_title(desk, draft))
        check = planning.check_draft(desk.session, desk.actor, desk.now, draft)
        if form.action == "save" and not check.problems:
            broadcast, _ = airing.air_now(desk.session, desk.actor, desk.now, desk.house, draft)
            return desk.to("/today", "“%(title)s” airs in a few seconds.", title=broadcast.title)
        _tell_refused(desk, form, check)
    return _form(desk, None, form, check, at_once=True)


@router.get("/programmes/week")
def week_page(desk: ReadingDesk, day: str = "", place: Annotated[str, Query(max_length=64)] = "") -> Response:
    """The days of a week against the hours, with the time frames drawn in."""
    zone = _zone(desk)
    today = desk.now.astimezone(zone).date()
    monday = _monday(day, today)
    places = places_seen_by(desk.session, desk.actor)
    chosen = place_to_see(desk.session, desk.actor, place) if place else places[0]
    return desk.show("week.html", "programmes", week=week_of(desk.session, desk.actor, chosen, monday, zone),
                     chosen=chosen, places=places, today=today, before=monday - timedelta(days=7),
                     after=monday + timedelta(days=7), may_plan=_may_plan(desk), **_words(desk))


@router.get("/programmes/{programme_id}")
def programme_page(desk: ReadingDesk, programme_id: str) -> Response:
    """One programme."""
    view = programme_view(desk.session, desk.actor, desk.now, programme_id)
    return desk.show("programme.html", "programmes", view=view, cancel_word=CANCEL_WORD, **_words(desk))


@router.get("/programmes/{programme_id}/edit")
def edit_programme_page(desk: ReadingDesk, programme_id: str) -> Response:
    """The form of a programme that exists."""
    programme = service.seen(desk.session, desk.actor, programme_id)
    return _form(desk, programme_id, typed(service.draft_of(desk.session, programme), programme.revision))


@router.post("/programmes/{programme_id}/edit")
def take_programme(desk: ActingDesk, programme_id: str, form: Typed) -> Response:
    """Check, or save, a changed programme."""
    return _take(desk, programme_id, form)


@router.post("/programmes/{programme_id}/cancel")
def cancel_programme(desk: ActingDesk, programme_id: str, form: Typed) -> Response:
    """End a programme."""
    with desk.trying():
        if not confirms(form.confirmation, desk.t.gettext(CANCEL_WORD)):
            raise InvalidError("Type the word to confirm that the programme is cancelled.", field="confirmation")
        ended = planning.end_programme(desk.session, desk.actor, desk.now, _horizon(desk), programme_id, form.revision,
                                       desk.house.outdated)
        return desk.to("/programmes", "“%(title)s” is cancelled: nothing of it that has not begun will air.", "warn",
                       title=ended.title)
    return programme_page(desk, programme_id)


@router.post("/programmes/{programme_id}/broadcasts/{broadcast_id}/cancel")
def cancel_broadcast(desk: ActingDesk, programme_id: str, broadcast_id: str, form: Typed) -> Response:
    """Take back one broadcast; the programme goes on. The word to type is its time."""
    with desk.trying():
        one = seen(desk.session, desk.actor, broadcast_id)
        if not confirms(form.confirmation, desk.t.clock(one.start)):
            raise InvalidError("Type the time to confirm that this airing is left out.", field="confirmation")
        one = airing.cancel_broadcast(desk.session, desk.actor, desk.now, desk.house, broadcast_id)
        return desk.to(f"/programmes/{programme_id}", "%(time)s will not air. The programme goes on.", "warn",
                       time=desk.t.datetime(one.start))
    return programme_page(desk, programme_id)


def _take(desk: Desk, programme_id: str | None, form: PlanForm) -> Response:
    check = None
    with desk.trying():
        if form.action == "take":
            form = form.taken(_zone(desk))
        draft = _draft(desk, form)
        check = planning.check_draft(desk.session, desk.actor, desk.now, draft, programme_id)
        if form.action == "save" and not check.problems:
            return _saved(desk, programme_id, form.revision, draft)
        _tell_refused(desk, form, check)
    return _form(desk, programme_id, form, check)


def _saved(desk: Desk, programme_id: str | None, revision: int, draft: ProgrammeDraft) -> Response:
    session, actor, horizon, outdated = desk.session, desk.actor, _horizon(desk), desk.house.outdated
    if programme_id is None:
        made, _ = planning.save_programme(session, actor, desk.now, horizon, draft, outdated)
    else:
        made, _ = planning.change_programme(session, actor, desk.now, horizon, programme_id, revision, draft, outdated)
    return desk.to(f"/programmes/{made.id}", "The programme is saved; the loudspeakers get their new order.")


def _tell_refused(desk: Desk, form: PlanForm, check: Check) -> None:
    if form.action == "save" and check.problems:
        desk.status = 409
        desk.notes.append(Flash("fault", desk.t.gettext(REFUSED)))


def _draft(desk: Desk, form: PlanForm, start: datetime | None = None) -> ProgrammeDraft:
    ids = [id_ for one, _ in form.rows for id_ in one.split(",")]
    return form.draft(_zone(desk), recording_languages(desk.session, ids), start)


def _first_title(desk: Desk, draft: ProgrammeDraft) -> str:
    return next((one.title for one in chosen_items(desk.session, draft.items)), "")


def _form(desk: Desk, programme_id: str | None, form: PlanForm, check: Check | None = None,
          at_once: bool = False) -> Response:
    desk.wrong.update({to: desk.wrong[name] for name, to in _SHOWN_AT.items() if name in desk.wrong})
    programme = service.seen(desk.session, desk.actor, programme_id) if programme_id else None
    return desk.show(
        "programme_form.html", "programmes", programme=programme, form=form, check=check, choices=_choices(desk, form),
        stale=bool(programme and programme.revision != form.revision), at_once=at_once, places=_plans_at(desk),
        targets=targets_to_choose(desk.session, desk.actor),
        weekdays=list(zip(WEEKDAYS, WEEKDAY_WORDS, strict=True)), **_words(desk))


def _choices(desk: Desk, form: PlanForm) -> list[Choice]:
    """The approved recordings, and those that the form holds already."""
    offered = approved_choices(desk.session, desk.actor)
    held = [one for one, _ in form.rows if one not in {choice.value for choice in offered}]
    languages = recording_languages(desk.session, [id_ for one in held for id_ in one.split(",")])
    for value in dict.fromkeys(held):
        item = DraftItem({languages[id_]: id_ for id_ in value.split(",") if id_ in languages})
        offered += [replace(one, value=value) for one in chosen_items(desk.session, [item])]
    return offered


def _first(desk: Desk, recording: str, day: str = "", at: str = "") -> PlanForm:
    """What the empty form begins with."""
    places = _plans_at(desk)
    held = next((one for one in approved_choices(desk.session, desk.actor) if recording in one.value.split(",")), None)
    top = places[0].id if places else ""
    return PlanForm(place_id=top, target=[f"place:{top}"], first_day=day or next_day(desk.now, _zone(desk)),
                    at=at or "05:30", item=[held.value] if held and recording else [],
                    title=held.title if held and recording else "",
                    air_class=str(min(held.air_class, 1)) if held and recording else "0")


def _monday(day: str, today: date) -> date:
    try:
        asked = date.fromisoformat(day) if day else today
    except ValueError:
        asked = today
    return asked - timedelta(days=asked.weekday())


def _plans_at(desk: Desk) -> list[Place]:
    return [one for one in places_seen_by(desk.session, desk.actor)
            if desk.actor.may(one, [Role.EDITOR, Role.APPROVER])]


def _may_plan(desk: Desk) -> bool:
    return bool(desk.actor.paths(Role.EDITOR, Role.APPROVER))


def _zone(desk: Desk) -> ZoneInfo:
    return ZoneInfo(desk.house.settings.zone)


def _horizon(desk: Desk) -> timedelta:
    return timedelta(days=desk.house.settings.horizon_days)


def _words(desk: Desk) -> dict[str, object]:
    t = desk.t
    return {"class_words": CLASS_WORDS, "language_of": lambda code: language_of(t, code),
            "read_back": lambda *about: read_back(t, *about), "when": lambda plan: when(t, plan),
            "to_next": lambda instant: to_next(t, instant, desk.now)}


_SHOWN_AT = {"first_start": "at", "latest_start_s": "late", "exdates": "left_out"}
"""Fields of a draft → the field of the form at which their fault is shown."""

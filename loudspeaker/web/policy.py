"""The policy of a place: what holds in words, with the source of each rule; a proposal, and its signature."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Form, Response

from firmware_bridge.contract.documents import Policy
from loudspeaker.errors import InvalidError
from loudspeaker.places import policies
from loudspeaker.places.service import places_seen_by
from loudspeaker.users.models import Role
from loudspeaker.web.i18n import marked
from loudspeaker.web.page import ActingDesk, Desk, ReadingDesk
from loudspeaker.web.policy_words import SOURCES

router = APIRouter(include_in_schema=False)

ROWS = 4
"""Time frames that the form offers; few places have more than two."""
MIDNIGHT = ("00:00", "24:00")
"""How a browser's field and a policy write the midnight that ends a day."""
DAYS: dict[str, tuple[int, ...]] = {"all": (0, 1, 2, 3, 4, 5, 6), "working": (0, 1, 2, 3, 4), "weekend": (5, 6)}
DAY_WORDS = {"all": marked("every day"), "working": marked("Monday to Friday"),
             "weekend": marked("Saturday and Sunday")}


@router.get("/policy")
def policy_list(desk: ReadingDesk) -> Response:
    """The places with what holds at each."""
    places = places_seen_by(desk.session, desk.actor)
    states = [policies.policy_state(desk.session, desk.actor, place.id) for place in places]
    return desk.show("policies.html", "policy", states=states)


@router.get("/policy/{place_id}")
def policy_page(desk: ReadingDesk, place_id: str) -> Response:
    """One place's policy."""
    return _page(desk, place_id, None)


@router.post("/policy/{place_id}")
def propose_policy(desk: ActingDesk, place_id: str,
                   start: Annotated[list[str] | None, Form()] = None, end: Annotated[list[str] | None, Form()] = None,
                   days: Annotated[list[str] | None, Form()] = None, quiet_start: Annotated[str, Form()] = "",
                   quiet_end: Annotated[str, Form()] = "", longest_session_minutes: Annotated[str, Form()] = "",
                   sessions_per_day: Annotated[str, Form()] = "", volume_cap: Annotated[str, Form()] = "") -> Response:
    """Keep a proposal that an approver may sign."""
    rows = list(zip(start or [], end or [], days or [], strict=False))
    typed = {"rows": rows, "quiet_start": quiet_start, "quiet_end": quiet_end, "volume_cap": volume_cap,
             "longest_session_minutes": longest_session_minutes, "sessions_per_day": sessions_per_day}
    with desk.trying():
        policies.propose(desk.session, desk.actor, desk.now, desk.house.site, place_id, _fields(typed))
        return desk.to(f"/policy/{place_id}", "The proposal is kept. It holds once an approver has signed it.")
    return _page(desk, place_id, typed)


def _page(desk: Desk, place_id: str, typed: Mapping[str, Any] | None) -> Response:
    state = policies.policy_state(desk.session, desk.actor, place_id)
    signed = policies.read(state.signed) if state.signed else None
    draft = policies.read(state.draft) if state.draft else None
    shown = draft or signed or Policy.model_validate({
        **policies.default_fields(state.place), "site": desk.house.site, "place": place_id, "version": 0,
        "issued": desk.now})
    return desk.show(
        "policy.html", "policy", state=state, signed=signed, draft=draft, typed=typed or _typed(shown),
        sources=SOURCES, day_words=DAY_WORDS, day_key=day_key, payload_type=Policy.TYPE,
        inherited=[policies.read(one) for one in state.inherited],
        may_propose=desk.actor.may(state.place, [Role.ADMINISTRATOR, Role.APPROVER]),
        may_sign=desk.actor.may(state.place, [Role.APPROVER]))


def day_key(weekdays: Sequence[int]) -> str:
    """Which of DAYS these are; `all` where they are none of them."""
    return next((key for key, days in DAYS.items() if tuple(sorted(weekdays)) == days), "all")


def _typed(policy: Policy) -> dict[str, Any]:
    rows = [(one.start, MIDNIGHT[0] if one.end == MIDNIGHT[1] else one.end, day_key(one.weekdays))
            for one in policy.frames]
    rows += [("", "", "all")] * (ROWS - len(rows))
    quiet = policy.quiet_hours[0] if policy.quiet_hours else None
    return {"rows": rows, "quiet_start": quiet.start if quiet else "", "quiet_end": quiet.end if quiet else "",
            "longest_session_minutes": policy.longest_session_minutes, "sessions_per_day": policy.sessions_per_day,
            "volume_cap": policy.volume_cap}


def _fields(typed: Mapping[str, Any]) -> dict[str, object]:
    frames = [{"start": start, "end": MIDNIGHT[1] if end == MIDNIGHT[0] else end,
               "weekdays": DAYS.get(days, DAYS["all"])}
              for start, end, days in typed["rows"] if start and end]
    quiet = ([{"start": typed["quiet_start"], "end": typed["quiet_end"]}]
             if typed["quiet_start"] and typed["quiet_end"] else [])
    numbers = {name: _number(name, typed[name])
               for name in ("longest_session_minutes", "sessions_per_day", "volume_cap")}
    return {"frames": frames, "quiet_hours": quiet, **numbers}


def _number(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise InvalidError("Give a whole number.", field=name) from error

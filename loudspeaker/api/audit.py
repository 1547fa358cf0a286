"""The audit log: reading, exporting and proving it."""

import csv
import io
import json
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from pydantic import Field

from loudspeaker.api.deps import CurrentActor, HouseDep, Reading
from loudspeaker.api.schemas import Instant, Out
from loudspeaker.audit.reading import AuditFilter
from loudspeaker.conductor import audit_log
from loudspeaker.conductor.transparency import seal_now

router = APIRouter(prefix="/api/v1/audit", tags=["audit"])

SEAL = "log.head"
COLUMNS = ("seq", "at", "actor_id", "act", "subject", "place_id", "data", "previous", "hash")


class EntryOut(Out):
    """One line; `hash` covers the line and the hash before it."""

    seq: int
    at: Instant
    actor_id: str | None
    act: str
    subject: str
    place_id: str | None
    data: dict[str, Any]
    previous: str
    hash: str


class ProofOut(Out):
    """Whether the chain is whole; `first_break` is the first line that does not fit."""

    whole: bool
    first_break: int | None
    lines: int
    head: str


def _wanted(place: str | None = None, actor: str | None = None, act: str | None = None, subject: str | None = None,
            since: Instant | None = None, until: Instant | None = None) -> AuditFilter:
    return AuditFilter(frozenset({place}) if place else None, actor, act, subject, since, until)


Wanted = Annotated[AuditFilter, Depends(_wanted)]


@router.get("")
def entries(session: Reading, actor: CurrentActor, wanted: Wanted, before: int | None = None,
            limit: Annotated[int, Field(ge=1, le=500)] = 50) -> list[EntryOut]:
    """Lines, newest first; the next page is `before` the last seq."""
    return [EntryOut.model_validate(one) for one in audit_log.audit_entries(session, actor, wanted, before, limit)]


@router.get("/proof")
def proof(session: Reading, actor: CurrentActor) -> ProofOut:
    """Walk the whole chain."""
    found = audit_log.audit_proof(session, actor)
    return ProofOut(whole=found.first_break is None, first_break=found.first_break, lines=found.lines, head=found.head)


@router.get("/export.csv")
def export(session: Reading, actor: CurrentActor, wanted: Wanted, house: HouseDep) -> Response:
    """All lines that fit as CSV, oldest first, with the hashes that prove them; last, the seal of all logs."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for one in audit_log.audit_export(session, actor, wanted):
        row = EntryOut.model_validate(one).model_dump(mode="json")
        writer.writerow([json.dumps(row[name], ensure_ascii=False) if name == "data" else _plain(row[name])
                         for name in COLUMNS])
    writer.writerow(["", "", "", SEAL, "", "", seal_now(session, house), "", ""])
    return Response("\ufeff" + text.getvalue(), media_type="text/csv; charset=utf-8",
                    headers={"Content-Disposition": 'attachment; filename="audit.csv"'})


def _plain(value: Any) -> str:
    text = "" if value is None else str(value)
    # a spreadsheet would run it
    return "'" + text if text[:1] in ("=", "+", "-", "@") else text

"""A report from a phone, in one step: the fault and its photo, once however often it is sent."""

from datetime import datetime

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from loudspeaker.conductor.house import House
from loudspeaker.database import after_commit
from loudspeaker.faults.models import Fault, FaultPhoto
from loudspeaker.faults.service import Report, add_photo, report
from loudspeaker.users.access import Actor


def take_report(session: Session, house: House, actor: Actor | None, now: datetime, given: Report,
                photo: bytes = b"") -> Fault:
    """Open a fault with its photo; what was sent before under the same key is only found again.

    Raises the errors of `faults.service.report` and `add_photo`; nothing is kept then.
    """
    try:
        fault = report(session, actor, now, given)
    except IntegrityError:
        # the phone sent it twice at the same time, and the other one was first
        session.rollback()
        fault = report(session, actor, now, given)
    has_one = session.exec(select(FaultPhoto.id).where(col(FaultPhoto.fault_id) == fault.id).limit(1)).first()
    if photo and has_one is None:
        add_photo(session, actor, now, house.settings.data, fault.id, photo)
    after_commit(session, lambda: house.hub.announce("faults"))
    return fault

"""Taking, keeping and checking the lease on the database, so that two servers by mistake never write beside each other.

The lease's time only decides when another may take over. What keeps an old leader out is the fence: it is read in
every unit of work that writes, and locked until that unit ends (Kleppmann, "How to do distributed locking", 2016).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlmodel import Session, col

from loudspeaker.errors import UnavailableError
from loudspeaker.lease.models import Lease

NAME = "server"
TERM = timedelta(seconds=8)
"""How long a leader that says nothing keeps its place."""


class OtherServerError(Exception):
    """Another server leads this database."""

    def __init__(self, lease: Lease) -> None:
        super().__init__(f"another server works on this database (process {lease.process} on {lease.host}, "
                         f"since {lease.taken_at:%Y-%m-%d %H:%M:%S} UTC): stop it first")


class FencedError(UnavailableError):
    """Another server took over: this one must not write any more."""

    def __init__(self) -> None:
        super().__init__("Another server has taken over this installation.",
                         kept="Nothing was changed by this request.", advice="Open the page again in some seconds.")


@dataclass(frozen=True)
class Process:
    """A server process, told apart from every other."""

    host: str
    machine_boot: str
    number: int


def take(session: Session, now: datetime, own: Process, has_ended: Callable[[Process], bool]) -> int:
    """Become the leader; the new fence. Raises OtherServerError while another's term runs and it has not ended."""
    held = session.get(Lease, NAME, with_for_update=True)
    if held is not None and held.until > now and not has_ended(Process(held.host, held.machine_boot, held.process)):
        raise OtherServerError(held)
    fence = held.fence + 1 if held else 1
    session.merge(Lease(name=NAME, fence=fence, host=own.host, machine_boot=own.machine_boot, process=own.number,
                        taken_at=now, until=now + TERM))
    session.flush()
    return fence


def renew(session: Session, now: datetime, fence: int) -> None:
    """Lead for one more term. Raises FencedError when somebody else leads by now."""
    changed = session.connection().execute(
        update(Lease).where(col(Lease.fence) == fence).values(until=now + TERM))
    if changed.rowcount != 1:
        raise FencedError


def check(session: Session, fence: int) -> None:
    """The lease is still ours, and stays so until this unit of work ends. Raises FencedError."""
    held = session.connection().execute(select(col(Lease.fence)).with_for_update(read=True)).scalar_one_or_none()
    if held != fence:
        raise FencedError


def give_up(session: Session, now: datetime, fence: int) -> None:
    """Let the next server lead at once."""
    session.connection().execute(update(Lease).where(col(Lease.fence) == fence).values(until=now))

"""Leading the database while the server runs: the lease is taken, renewed, and stood down from when it is lost."""

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import structlog
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from loudspeaker.conductor.house import House
from loudspeaker.lease import service
from loudspeaker.lease.service import FencedError, OtherServerError, Process

RENEW_S = service.TERM.total_seconds() / 4
PATIENCE_S = service.TERM.total_seconds() + 1
"""How long a starting server waits for a leader that may be gone."""
AGAIN_S = 0.5
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
log = structlog.get_logger("lease")


def this_process() -> Process:
    """The running server."""
    boot = BOOT_ID.read_text().strip() if BOOT_ID.exists() else ""
    return Process(socket.gethostname(), boot, os.getpid())


def has_ended(other: Process) -> bool:
    """Whether `other` was a process of this machine and is no more. Of other machines nothing is known."""
    own = this_process()
    if other.host != own.host or not own.machine_boot:
        return False
    if other.machine_boot != own.machine_boot or other.number == own.number:
        return True
    try:
        os.kill(other.number, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def stand_down() -> None:
    """End this process in order."""
    os.kill(os.getpid(), signal.SIGTERM)


@contextmanager
def lead(house: House, patience_s: float = PATIENCE_S) -> Iterator[None]:
    """Be the one server of this database until the block ends. Raises OtherServerError when another stays.

    From here on every unit of work of the house is refused (FencedError) once another server leads.
    """
    fence = _take(house, patience_s)
    house.database.guard = lambda session: service.check(session, fence)
    ending = threading.Event()
    thread = threading.Thread(target=_renew, args=(house, fence, ending), name="lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join(timeout=5)
        with suppress(SQLAlchemyError, FencedError), house.database.work() as session:
            service.give_up(session, house.now(), fence)
        house.database.guard = None


def _take(house: House, patience_s: float) -> int:
    until = time.monotonic() + patience_s
    while True:
        try:
            with house.database.work() as session:
                return service.take(session, house.now(), this_process(), has_ended)
        except (OtherServerError, IntegrityError):  # the latter: two took the very first lease at once
            if time.monotonic() > until:
                raise
            time.sleep(AGAIN_S)


def _renew(house: House, fence: int, ending: threading.Event) -> None:
    while not ending.wait(RENEW_S):
        try:
            with house.database.work() as session:
                service.renew(session, house.now(), fence)
        except FencedError:
            if not ending.is_set():
                log.error("another server leads this database: ending")
                house.stand_down()
            return
        except SQLAlchemyError as failure:
            log.error("the lease could not be renewed", failure=repr(failure))

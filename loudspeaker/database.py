"""The one door to the database: engine, sessions, and the column types that all slices share."""

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, DateTime, Dialect, Engine, create_engine, event, func, inspect, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.types import TypeDecorator
from sqlmodel import Session, SQLModel

BUSY_TIMEOUT_MS = 10_000
_AFTER_COMMIT = "loudspeaker.after_commit"
_ID_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"


class NaiveDatetimeError(TypeError):
    """A datetime without a zone was about to be stored or compared."""


class UtcDateTime(TypeDecorator[datetime]):
    """Instants: aware in Python, UTC in the database. A naive datetime raises NaiveDatetimeError."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """UTC for the database; without its zone for SQLite, which keeps none."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise NaiveDatetimeError(f"{value!r} has no time zone")
        utc = value if value.tzinfo is UTC else value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """An aware instant in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


JsonColumn = JSON
"""Small structured values that are only ever read and written whole."""


def new_id() -> str:
    """A random id of 16 letters and digits (80 bits), fit for a URL and an MQTT topic level."""
    return "".join(secrets.choice(_ID_LETTERS) for _ in range(16))


def after_commit(session: Session, action: Callable[[], None]) -> None:
    """Run `action` once this unit of work is committed; never if it is rolled back."""
    if _AFTER_COMMIT not in session.info:
        session.info[_AFTER_COMMIT] = []
        event.listen(session, "after_rollback", _forget_actions)
    session.info[_AFTER_COMMIT].append(action)


def insert_or(session: Session) -> Any:
    """The `insert` of this database that has `on_conflict_do_…`."""
    return postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert


def upsert(session: Session, table: type[SQLModel], rows: Sequence[Mapping[str, Any]],
           update: Sequence[str] = ()) -> None:
    """Core insert of many rows at once. A row whose primary key is there already stays, or has `update` replaced."""
    if not rows:
        return
    statement = insert_or(session)(table)
    keys = [column.name for column in inspect(table).primary_key]
    if update:
        statement = statement.on_conflict_do_update(
            index_elements=keys, set_={name: statement.excluded[name] for name in update})
    else:
        statement = statement.on_conflict_do_nothing(index_elements=keys)
    session.connection().execute(statement, list(rows))


def one_writer(session: Session, lock: int) -> None:
    """Let the units of work that take the same `lock` follow one another, until each ends."""
    # SQLite's BEGIN IMMEDIATE already lets only one writer in
    if session.get_bind().dialect.name == "postgresql":
        session.connection().execute(select(func.pg_advisory_xact_lock(lock)))


class Database:
    """Engine and sessions of one database. Open once in the app's lifespan, `close` at its end."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = _engine(url)
        self._reader = self.engine.execution_options(loudspeaker_read=True)
        self.guard: Callable[[Session], None] | None = None
        """Asked before every commit; what it raises rolls the unit of work back."""

    @contextmanager
    def work(self) -> Iterator[Session]:
        """A unit of work: commits when the block ends well, rolls back and re-raises when it does not.

        What was handed to `after_commit` runs once the commit has held.
        """
        with Session(self.engine, expire_on_commit=False) as session:
            try:
                yield session
                if self.guard is not None:
                    self.guard(session)
                session.commit()
            except BaseException:
                session.rollback()
                raise
        for action in session.info.pop(_AFTER_COMMIT, []):
            action()

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session for reading; what is changed in it is lost."""
        with Session(self._reader, expire_on_commit=False) as session:
            yield session

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def _forget_actions(session: Any) -> None:
    session.info.get(_AFTER_COMMIT, []).clear()


def _engine(url: str) -> Engine:
    if not url.startswith("sqlite"):
        return create_engine(url, pool_size=10, max_overflow=20, pool_pre_ping=True)
    engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_MS / 1000, "check_same_thread": False},
                           pool_size=10, max_overflow=30)
    event.listen(engine, "connect", _sqlite_connected)
    event.listen(engine, "begin", _sqlite_begin)
    return engine


def _sqlite_connected(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver must not open transactions of its own
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={BUSY_TIMEOUT_MS}"):
        connection.execute(f"PRAGMA {pragma}")


def _sqlite_begin(connection: Any) -> None:
    # a reader that turns writer in mid-transaction would fail at once instead of waiting
    begin = "BEGIN" if connection.get_execution_options().get("loudspeaker_read") else "BEGIN IMMEDIATE"
    connection.exec_driver_sql(begin)

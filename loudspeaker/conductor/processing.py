"""From an uploaded file to a rendition that waits for approval: worker threads that bring every recording to an end."""

import shutil
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Event, Lock
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import col, select

from audio.chime import write_chime
from audio.engine import Engine
from audio.errors import AudioError
from audio.recipe import Part, Recipe, Rendition, Role, render
from audio.speech import find_speaker
from audio.store import ContentStore
from loudspeaker.approvals.service import is_revoked
from loudspeaker.bulletins import recordings, uploads
from loudspeaker.bulletins.models import Recording, RecordingState
from loudspeaker.bulletins.recordings import SPOKEN_SUFFIX, Made
from loudspeaker.conductor.hub import Hub
from loudspeaker.conductor.uploading import UploadFolder
from loudspeaker.database import Database

WORKERS = 2
REPORT_SECONDS = 1.0
LEFT_BEHIND = timedelta(hours=1)
"""Files that no row wants are removed when they are older than this."""
DECODED = 0.4
"""Share of a render after which it levels and encodes."""

log = structlog.get_logger(__name__)


class Unusable(Exception):
    """The sound may be fine, but it cannot be taken; `code` as in `bulletins.audio_words`."""

    def __init__(self, code: str, **params: Any) -> None:
        super().__init__(code)
        self.code = code
        self.params = params


class Patience(Event):
    """Set by whoever cancels, and by itself `seconds` after `begin`."""

    def __init__(self) -> None:
        super().__init__()
        self._until: float | None = None

    def begin(self, seconds: float) -> None:
        """From now on time counts."""
        self._until = time.monotonic() + seconds

    def is_over(self) -> bool:
        """True when the time is up."""
        return self._until is not None and time.monotonic() >= self._until

    def is_set(self) -> bool:
        """True when cancelled or over."""
        return super().is_set() or self.is_over()


@dataclass(frozen=True)
class _Job:
    recording_id: str
    source_path: str
    voice: str
    with_chime: bool


class Processing:
    """Processes recordings in the background. What a restart interrupts is taken up again from the original.

    `start` in the lifespan, `close` at its end; `sweep` now and then.
    """

    def __init__(self, *, data: Path, seconds: float, keep_hours: float, site: str, database: Database, hub: Hub,
                 store: ContentStore, engine: Engine, folder: UploadFolder, now: Callable[[], datetime]) -> None:
        self._data, self._seconds, self._keep_hours, self._site = data, seconds, keep_hours, site
        self._database, self._store, self._engine, self._hub, self._now = database, store, engine, hub, now
        self._folder = folder
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="processing")
        self._in_hand: dict[str, Patience] = {}
        self._lock = Lock()
        self._closing = False

    def start(self) -> None:
        """Clear what a crash left half-made, and take up what it interrupted, however long ago."""
        self._store.sweep()
        self._forget_orphans((self._now() - LEFT_BEHIND).timestamp())
        shutil.rmtree(self._data / "work", ignore_errors=True)
        with self._database.read() as session:
            interrupted = [one.id for one in recordings.unfinished(session)]
        for recording_id in interrupted:
            self.take(recording_id)
        self.sweep()

    def close(self) -> None:
        """Stop within a second; what is unfinished stays in processing and is taken up by the next `start`."""
        with self._lock:
            self._closing = True
            for patience in self._in_hand.values():
                patience.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def take(self, recording_id: str) -> None:
        """Process this recording soon; once, however often it is asked."""
        with self._lock:
            if self._closing or recording_id in self._in_hand:
                return
            patience = self._in_hand[recording_id] = Patience()
            future = self._pool.submit(self._process, recording_id, patience)
        future.add_done_callback(partial(self._done, recording_id))

    def drop(self, recording_id: str) -> None:
        """Stop working on a recording whose processing was cancelled."""
        with self._lock:
            if patience := self._in_hand.get(recording_id):
                patience.set()

    def sweep(self) -> None:
        """Bring all to an end: expired uploads go, forgotten recordings are taken up, or failed past their time."""
        now = self._now()
        with self._database.work() as session:
            uploads.forget_expired(session, now, self._keep_hours)
            waiting = [(one.id, one.deadline_at <= now) for one in recordings.unfinished(session)]
            wanted = uploads.wanted_paths(session)
        self._folder.sweep(wanted, (now - LEFT_BEHIND).timestamp())
        for recording_id, overdue in waiting:
            if not overdue:
                self.take(recording_id)
            elif not self._has_in_hand(recording_id):
                self._fail(recording_id, "timed_out", {"seconds": self._seconds})

    def wait(self, seconds: float = 60.0) -> bool:
        """Until nothing is in hand, for tests and the demo; False when it took longer."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            with self._lock:
                if not self._in_hand:
                    return True
            time.sleep(0.02)
        return False

    def _has_in_hand(self, recording_id: str) -> bool:
        with self._lock:
            return recording_id in self._in_hand

    def _done(self, recording_id: str, future: "Future[None]") -> None:
        with self._lock:
            self._in_hand.pop(recording_id, None)
        if not future.cancelled() and (failure := future.exception()) is not None:
            log.error("processing broke off", recording=recording_id, exc_info=failure)

    def _process(self, recording_id: str, patience: Patience) -> None:
        with self._database.read() as session:
            found = session.get(Recording, recording_id)
        if found is None or found.state != RecordingState.PROCESSING or patience.is_set():
            return
        job = _Job(found.id, found.source_path, found.voice, found.with_chime)
        patience.begin(self._seconds)
        try:
            self._make_ready(job, patience)
        except (AudioError, Unusable) as failure:
            self._ended_badly(job, patience, failure.code, dict(failure.params))
        except OSError as failure:
            told = AudioError.from_os(failure)
            self._ended_badly(job, patience, told.code, dict(told.params))

    def _ended_badly(self, job: _Job, patience: Patience, code: str, params: dict[str, Any]) -> None:
        if code == "cancelled" and patience.is_over():
            code, params = "timed_out", {"seconds": self._seconds}
        if code == "cancelled" and self._closing:
            return
        self._fail(job.recording_id, code, params)

    def _make_ready(self, job: _Job, patience: Patience) -> None:
        report = _Report(self._database, self._hub, job.recording_id)
        work = self._data / "work"
        work.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="recording-", dir=work) as scratch:
            rendition, voice = self._render(job, Path(scratch), report, patience)
            report("store", 1.0)
            self._store.add(rendition.path)
        made = Made(rendition.sha256, rendition.size_bytes, rendition.duration_ms, rendition.integrated_lufs,
                    rendition.true_peak_dbtp, rendition.waveform, voice)
        with self._database.work() as session:
            if is_revoked(session, made.sha256):
                raise Unusable("revoked_before")
            recordings.make_ready(session, self._now(), self._site, job.recording_id, made)
        self._folder.remove(job.source_path)
        self._hub.announce("recordings")

    def _render(self, job: _Job, scratch: Path, report: "_Report", patience: Patience) -> tuple[Rendition, str]:
        source, voice = self._data / job.source_path, ""
        if not job.source_path or not source.is_file():
            raise Unusable("original_gone")
        if job.source_path.endswith(SPOKEN_SUFFIX):
            report("speak", 0.0)
            text, source = source.read_text(encoding="utf-8"), scratch / "spoken.wav"
            spoken = find_speaker(self._engine.limits).speak(text, job.voice, source)
            voice = f"{spoken.engine} {spoken.version} ({spoken.voice})"
        report("probe", 0.0)
        parts = [Part(write_chime(scratch / "chime.wav"), Role.CHIME)] if job.with_chime else []
        return render(self._engine, Recipe((*parts, Part(source))), scratch, report.rendering, patience), voice

    def _fail(self, recording_id: str, code: str, params: dict[str, Any]) -> None:
        try:
            with self._database.work() as session:
                before = session.get(Recording, recording_id)
                path = before.source_path if before else ""
                failed = recordings.fail(session, self._now(), recording_id, code, params)
        except SQLAlchemyError as failure:
            log.error("a failure could not be stored; it is tried again", recording=recording_id, failure=repr(failure))
            return
        if failed is not None and not failed.source_path and path:
            self._folder.remove(path)
        self._hub.announce("recordings")

    def _forget_orphans(self, older_than: float) -> None:
        """Renditions whose recording was never stored, because the commit failed."""
        kept = list(self._store.root.glob(f"*/*{self._store.suffix}"))
        with self._database.read() as session:
            wanted = set(session.exec(select(Recording.sha256).where(col(Recording.sha256).is_not(None))))
        for file in kept:
            if file.stem not in wanted and file.stat().st_mtime < older_than:
                self._store.remove(file.stem)


class _Report:
    """Writes step and progress into the row, at most once a second; a busy database only delays it."""

    def __init__(self, database: Database, hub: Hub, recording_id: str) -> None:
        self._database, self._hub, self._recording_id = database, hub, recording_id
        self._said_at, self._step = 0.0, ""

    def __call__(self, step: str, progress: float) -> None:
        if step == self._step and time.monotonic() - self._said_at < REPORT_SECONDS:
            return
        self._said_at, self._step = time.monotonic(), step
        try:
            with self._database.work() as session:
                recordings.note_progress(session, self._recording_id, step, progress)
        except SQLAlchemyError as failure:
            log.warning("progress could not be stored", recording=self._recording_id, failure=repr(failure))
        self._hub.announce("recordings")

    def rendering(self, done: float) -> None:
        """Progress of a render, 0 to 1."""
        self("decode" if done < DECODED else "level", done)

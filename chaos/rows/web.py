"""Attacks on the pages and the API, and uploads that are not what they say."""

import json
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from sqlmodel import select

from chaos.frame import Outcome, Row, Scale
from chaos.served import Served
from chaos.tested import run_tests
from chaos.writers import TOKEN, Commune
from loudspeaker.conductor.opening import open_house
from loudspeaker.places.models import Place
from loudspeaker.settings import Settings
from loudspeaker.users.models import Role, User
from tests.loudspeaker.builders import grant

DOORS = ("tests/loudspeaker/users", "tests/loudspeaker/api/test_edges.py", "tests/loudspeaker/test_app.py")
UPLOADS = ("tests/audio/test_guard.py", "tests/audio/test_formats.py", "tests/audio/test_probe.py",
           "tests/loudspeaker/api_bulletins/test_bad_files.py")
SIGN_OUT = "/api/v1/session.*"


def evil_uploads(_scale: Scale) -> Outcome:
    """Playlists, scripts, bombs, polyglots, with a watched port and a canary file."""
    ran, failed = run_tests(*UPLOADS)
    return Outcome(ran, failed, "nothing fetched, nothing foreign read, a sentence each")


def guessing(scale: Scale) -> Outcome:
    """The doors' own tests, then odd requests at every address of a real server by an administrator of everything."""
    ran, failed = run_tests(*DOORS, "-k", "not postgresql")
    sent, broken = _fuzz(seconds=scale.pick(25, 1200), seed=scale.seed)
    return Outcome(ran + sent, failed + broken, f"{sent:,} odd requests to the whole API, {broken} server errors")


def _fuzz(seconds: int, seed: int) -> tuple[int, int]:
    with tempfile.TemporaryDirectory() as folder:
        data, report = Path(folder) / "data", Path(folder) / "report.json"
        _with_all_roles(Commune.make(data))
        server = Served(data, token=TOKEN).ready()
        try:
            done = subprocess.run(
                [sys.executable, "-m", "schemathesis.cli", "run", f"{server.told['url']}/api/v1/openapi.json",
                 "--header", f"Authorization: Bearer {TOKEN}", "--checks", "not_a_server_error", "--seed", str(seed),
                 "--max-time", str(seconds), "--no-color", "--exclude-path-regex", SIGN_OUT, "--report", "json",
                 "--report-json-path", str(report), "--warnings", "off"],
                cwd=folder, capture_output=True, text=True, check=False)
        finally:
            server.stop()
        if not report.exists():
            raise RuntimeError(done.stdout[-500:] + done.stderr[-500:])
        told = json.loads(report.read_text())
    return told["test_cases"]["generated"], told["test_cases"]["with_failures"] + told["test_cases"]["errored"]


def _with_all_roles(commune: Commune) -> None:
    now = datetime.now(UTC)
    with open_house(Settings(data=commune.data)) as house, house.database.work() as session:
        user, place = session.exec(select(User)).one(), session.get_one(Place, commune.place)
        for role in Role:
            if role is not Role.EDITOR:
                grant(session, user, role, place, now)


ROWS = (
    Row("attacks", "Evil uploads", "0 network packets, 0 foreign reads, a clear error each", evil_uploads),
    Row("attacks", "Guessing, session theft, CSRF, XSS, path tricks", "every door holds; 0 server errors", guessing),
)

"""`loudspeaker approve`: listen and sign away from the browser, with a key file that never leaves this machine.

Needs a personal token in LOUDSPEAKER_TOKEN, never on the command line, where others could read it.
"""

import base64
import hashlib
import os
import shutil
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, NoReturn

import httpx2 as httpx
import typer
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from rich.console import Console
from rich.table import Table

from firmware_bridge.contract import envelope, keys, strictjson
from firmware_bridge.contract.documents import RecordingStatement
from loudspeaker.approvals.keys import PROOF_TYPE

TOKEN_VARIABLE = "LOUDSPEAKER_TOKEN"  # noqa: S105 a name
TIMEOUT_S = 30.0
REPORT_S = 5.0
SHORTEST_PASSPHRASE = 12
PLAYERS = (("mpv", "--no-video", "--really-quiet"), ("ffplay", "-nodisp", "-autoexit", "-loglevel", "quiet"))

app = typer.Typer(help="Listen to recordings and sign them with a key file.", no_args_is_help=True)

KeyFile = Annotated[Path, typer.Argument(help="The key file.")]
Server = Annotated[str, typer.Option(envvar="LOUDSPEAKER_SERVER", help="Address of the running server.")]
RecordingId = Annotated[str, typer.Argument(help="Id of the recording, from the list.")]


class Desk:
    """The server as this person's token sees it. The token goes to this one address only."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """The answer's JSON. Ends the command with the server's own sentence where it refuses."""
        answer = self._send(method, path, body)
        return answer.json() if answer.content else None

    def sound(self, recording: str) -> bytes:
        """The recording's bytes."""
        return self._send("GET", f"/api/v1/recordings/{recording}/audio").content

    def _send(self, method: str, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        try:
            answer = self._client.request(method, path, json=body)
        except httpx.HTTPError as error:
            fail(f"The server does not answer: {type(error).__name__}.", "Check its address.")
        if answer.is_error:
            told = answer.json() if "json" in answer.headers.get("content-type", "") else {}
            fail(told.get("title", f"The server refused ({answer.status_code})."), told.get("what_to_do", ""))
        return answer


@app.command("make-key")
def make_key(
    file: KeyFile,
    plain: Annotated[bool, typer.Option("--plain", help="Without a passphrase: the file alone then signs.")] = False,
) -> None:
    """Make a signing key and write it to a new file that only you can read."""
    sealing: KeySerializationEncryption = NoEncryption()
    if not plain:
        passphrase = typer.prompt("Passphrase", hide_input=True, confirmation_prompt=True)
        if len(passphrase) < SHORTEST_PASSPHRASE:
            fail("This passphrase is too short.", f"Use at least {SHORTEST_PASSPHRASE} characters, best four words.")
        sealing = BestAvailableEncryption(passphrase.encode())
    key = keys.new_key()
    _write_new(file, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, sealing))
    Console().print(f"{file}: key {keys.key_id(keys.public_to_base64(key))}", highlight=False)


@app.command()
def register(file: KeyFile, server: Server) -> None:
    """Tell the server the public half of your key; an administrator then lists it for your place."""
    key, desk = open_key(file), connect(server)
    public, user = keys.public_to_base64(key), desk.ask("GET", "/api/v1/session")["id"]
    proof = envelope.sign(PROOF_TYPE, strictjson.dumps({"user": user, "public_key": public}), key)
    made = desk.ask("POST", "/api/v1/me/signing-keys", {"public_key": public, "proof": envelope.to_dict(proof)})
    Console().print(f"Registered: {made['id']}", highlight=False)


@app.command("list")
def queue(server: Server, as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False) -> None:
    """Show the recordings that wait for you."""
    waiting = connect(server).ask("GET", "/api/v1/approvals")
    if as_json:
        typer.echo(strictjson.dumps(waiting).decode())
        return
    table = Table("id", "title", "class", "seconds", "heard", "")
    for one in waiting:
        recording, bulletin = one["recording"], one["bulletin"]
        note = "your own: somebody else approves it" if one["own"] else "signed" if one["signed_by_me"] else ""
        table.add_row(recording["id"], bulletin["title"], str(bulletin["air_class"]),
                      f"{recording['duration_ms'] / 1000:.0f}", f"{one['heard_ms'] / 1000:.0f}", note)
    Console().print(table)


@app.command()
def fetch(recording: RecordingId, server: Server,
          to: Annotated[Path, typer.Option(help="Folder to write into.")] = Path()) -> None:
    """Write a recording and its statement to files, once they are proved to belong together."""
    _, payload, sound = checked(connect(server), recording)
    to.mkdir(parents=True, exist_ok=True)
    (to / f"{recording}.ogg").write_bytes(sound)
    (to / f"{recording}.json").write_bytes(payload)
    Console().print(f"{to / recording}.ogg, {to / recording}.json", highlight=False)


@app.command()
def sign(recording: RecordingId, server: Server,
         key: Annotated[Path, typer.Option(help="The key file.")],
         heard_elsewhere: Annotated[bool, typer.Option(help="Do not play: I listen by other means.")] = False) -> None:
    """Hear a recording to its end, and sign exactly what was heard."""
    desk, private = connect(server), open_key(key)
    statement, payload, sound = checked(desk, recording)
    Console().print(f"{statement.title} – {statement.duration_ms / 1000:.0f} s, {statement.kind}, "
                    f"{statement.air_class.name.lower()}", highlight=False)
    if heard_elsewhere:
        typer.confirm("Have you heard it to the end?", abort=True)
        _report(desk, recording, statement.duration_ms)
    else:
        play(desk, recording, statement.duration_ms, sound)
    typer.confirm("Sign it?", abort=True)
    signed = envelope.sign(RecordingStatement.TYPE, payload, private)
    outcome = desk.ask("POST", f"/api/v1/recordings/{recording}/approvals", {"envelope": envelope.to_dict(signed)})
    Console().print(f"{outcome['recording']['state']}: signed by {outcome['signed']} of {outcome['needed']}",
                    highlight=False)


@app.command("send-back")
def send_back(recording: RecordingId, server: Server, reason: Annotated[str, typer.Option(help="Its author reads it.")],
              ) -> None:
    """Refuse a recording, with a reason."""
    told = connect(server).ask("POST", f"/api/v1/recordings/{recording}/send-back", {"reason": reason})
    Console().print(told["state"])


def connect(server: str) -> Desk:
    """The desk at `server`, by the token of the environment."""
    token = os.environ.get(TOKEN_VARIABLE)
    if not token:
        fail(f"{TOKEN_VARIABLE} is not set.", "Make a personal token on your account's page.")
    return Desk(httpx.Client(base_url=server.rstrip("/"), timeout=TIMEOUT_S, follow_redirects=False,
                             headers={"Authorization": f"Bearer {token}", "Accept": "application/json"}))


def open_key(file: Path) -> Ed25519PrivateKey:
    """The key in `file`, asking for its passphrase where it has one."""
    try:
        data = file.read_bytes()
        sealed = b"ENCRYPTED" in data
        passphrase = typer.prompt("Passphrase", hide_input=True).encode() if sealed else None
        key = load_pem_private_key(data, passphrase)
    except OSError as error:
        fail(f"The key file cannot be read: {error.strerror}.", "Check its name.")
    except (ValueError, TypeError, UnsupportedAlgorithm):
        fail("The key file does not open.", "Check the passphrase and the file.")
    if not isinstance(key, Ed25519PrivateKey):
        fail("This is not a signing key of this kind.", "Make one with `loudspeaker approve make-key`.")
    return key


def checked(desk: Desk, recording: str) -> tuple[RecordingStatement, bytes, bytes]:
    """Statement, its exact bytes, and the sound, proved to be the one that the statement names."""
    told = desk.ask("GET", f"/api/v1/recordings/{recording}/statement")
    payload = base64.b64decode(told["payload"], validate=True)
    statement, sound = RecordingStatement.from_bytes(payload), desk.sound(recording)
    if hashlib.sha256(sound).hexdigest() != statement.recording or len(sound) != statement.bytes:
        fail("The sound is not the one that the statement names. Nothing was signed.", "Tell the technician.")
    return statement, payload, sound


def play(desk: Desk, recording: str, duration_ms: int, sound: bytes) -> None:
    """Play the very bytes that were checked, telling the server what was heard."""
    found = next((one for one in PLAYERS if shutil.which(one[0])), None)
    if found is None:
        fail("There is no player on this machine.", "Install mpv or ffmpeg, or use --heard-elsewhere after `fetch`.")
    with subprocess.Popen([*found, "-"], stdin=subprocess.PIPE) as player:
        assert player.stdin is not None  # noqa: S101 (opened as a pipe)
        began = time.monotonic()
        with suppress(BrokenPipeError):  # a player that ends early is found out below
            player.stdin.write(sound)
            player.stdin.close()
        while player.poll() is None:
            time.sleep(min(REPORT_S, duration_ms / 1000))
            _report(desk, recording, min(duration_ms, int((time.monotonic() - began) * 1000)))
    if player.returncode != 0 or (time.monotonic() - began) * 1000 < duration_ms * 0.98:
        fail("It was not played to the end. Nothing was signed.", "Listen again.")
    _report(desk, recording, duration_ms)


def fail(what: str, advice: str) -> NoReturn:
    """End the command with one sentence and what to do."""
    Console(stderr=True).print(f"[red]{what}[/red] {advice}", highlight=False)
    raise typer.Exit(1)


def _report(desk: Desk, recording: str, heard_ms: int) -> None:
    desk.ask("POST", f"/api/v1/recordings/{recording}/heard", {"intervals": [[0, heard_ms]]})


def _write_new(file: Path, data: bytes) -> None:
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        fail(f"{file} exists already.", "Choose another name: a key is never overwritten.")
    with os.fdopen(descriptor, "wb") as target:
        target.write(data)
        target.flush()
        os.fsync(target.fileno())

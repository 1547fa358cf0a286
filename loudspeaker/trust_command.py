"""`loudspeaker trust`: the keys that lie in no server, and what they sign, for who runs the server's machine.

Root keys need never come here: `rotate --prepare` writes what is to be signed, `sign` signs it anywhere, and
`rotate --adopt` takes it in.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from rich.console import Console
from rich.table import Table

from firmware_bridge.contract import envelope
from firmware_bridge.contract.documents import TrustRoot
from firmware_bridge.contract.envelope import Envelope, MalformedEnvelope
from firmware_bridge.contract.keys import key_id, new_key, public_to_base64
from loudspeaker.approvals import keys as signing_keys
from loudspeaker.approvals.service import recheck
from loudspeaker.conductor import offline
from loudspeaker.conductor.house import House
from loudspeaker.conductor.opening import open_house
from loudspeaker.conductor.retiring import retire_online_keys
from loudspeaker.conductor.trust import Wanted, draw_root, take_root
from loudspeaker.conductor.trust_state import Concern, Holder, TrustState, trust_state
from loudspeaker.errors import LoudspeakerError
from loudspeaker.settings import Settings

SHORTEST_PASSPHRASE = 12

app = typer.Typer(help="Root keys, place authorities and approvers.", no_args_is_help=True)

KeysOut = Annotated[Path, typer.Option("--keys-out", help="New file for the root key; more than one: FILE-1, FILE-2 …")]
AuthorityOut = Annotated[Path, typer.Option(help="New file for the key of the first place authority.")]
Keys = Annotated[int, typer.Option("--keys", min=1, max=4, help="How many root keys, a file each.")]
Threshold = Annotated[int, typer.Option(min=1, max=4, help="How many of them must sign.")]
Plain = Annotated[bool, typer.Option("--plain", help="Files without a passphrase: who has the file signs.")]
RootKeys = Annotated[list[Path], typer.Option("--root-key", help="File of a root key; repeat it for more.")]
KeyFile = Annotated[Path, typer.Option("--key", help="File of the key that signs.")]

CONCERN_WORDS = {
    "root_expires": "The trust root ends on %s. Sign the next one: loudspeaker trust rotate --root-key FILE",
    "approvers_expire": "The approver list ends on %s. A place authority must sign it anew.",
    "signing_keys_expire": "Signing keys end on %s:",
    "keys_online": "Root and authority keys lie on this server: loudspeaker trust take-offline",
    "server_key_unknown": "The trust root names another server key: loudspeaker trust rotate --new-server-key",
    "list_unsigned": "Revoked keys that a place authority has not signed off yet:",
}


@app.command()
def init(keys_out: KeysOut, authority_out: AuthorityOut, keys: Keys = 1, threshold: Threshold = 1,
         plain: Plain = False) -> None:
    """Make root keys and the first authority's key, in files to keep elsewhere. Once, at the start."""
    passphrase = _new_passphrase(plain)
    with _opened() as house, house.database.work() as session:
        roots, authority = [new_key() for _ in range(keys)], new_key()
        root = offline.install_first_root(session, house, roots, threshold, authority)
        _write(_paths(keys_out, keys), roots, passphrase)
        _write([authority_out], [authority], passphrase)
    _say(f"Trust root {root.version}: {threshold} of {keys} root keys sign the next one.")
    _say("Take the files off this machine now, and keep them in two places that lock.")


@app.command()
def rotate(
    root_key: RootKeys = [],  # noqa: B006 typer wants a list
    new_server_key: Annotated[bool, typer.Option(help="The server key may be stolen: end all it ever said.")] = False,
    keys_out: Annotated[Path | None, typer.Option(help="Make new root keys in new files.")] = None,
    keys: Keys = 1,
    threshold: Annotated[int | None, typer.Option(min=1, max=4, help="How many root keys must sign.")] = None,
    owners: Annotated[str, typer.Option(help="Approvers needed by class, as in 1,1,2.")] = "",
    kind: Annotated[list[str], typer.Option(help="Approvers needed by kind, as in electioneering=2.")] = [],  # noqa: B006
    add_authority: Annotated[str | None, typer.Option(help="Id of a signing key that shall list approvers.")] = None,
    drop_authority: Annotated[str | None, typer.Option(help="Key id of an authority that shall no more.")] = None,
    software_key: Annotated[str | None, typer.Option(help="Public key that signs software, in base64.")] = None,
    plain: Plain = False,
    prepare: Annotated[Path | None, typer.Option(help="Write what is to be signed there, and stop.")] = None,
    adopt: Annotated[Path | None, typer.Option(help="Take in what was prepared and signed.")] = None,
) -> None:
    """Sign the next trust root; without other options it is the same for another five years."""
    with _opened() as house, house.database.work() as session:
        if adopt is not None:
            _tell_adopted(take_root(session, house, None, _document(adopt)))
            return
        made = [new_key() for _ in range(keys)] if keys_out else []
        draft = draw_root(session, house, Wanted(
            owners_needed=_owners(owners), owners_needed_by_kind=_kinds(kind), add_authority=add_authority,
            drop_authority=drop_authority, new_server_key=new_server_key, software_key=software_key,
            root_keys=tuple(public_to_base64(one) for one in made) or None, root_threshold=threshold))
        signed = draft.sign(*(_open(one) for one in root_key), *made)
        if made and keys_out is not None:
            _write(_paths(keys_out, keys), made, _new_passphrase(plain))
        if prepare is not None:
            prepare.write_bytes(envelope.encode(signed) if signed.signatures else draft.to_bytes())
            _say(f"{prepare}: sign it with `loudspeaker trust sign {prepare} --key FILE`.")
            return
        _tell_adopted(take_root(session, house, None, signed))


@app.command()
def sign(document: Annotated[Path, typer.Argument(help="What `rotate --prepare` wrote.")], key: KeyFile) -> None:
    """Add a root key's signature to a prepared trust root. Needs no server: do it where the key is."""
    raw = document.read_bytes()
    try:
        before = envelope.decode(raw)
        payload, signatures = before.payload, before.signatures
    except MalformedEnvelope:
        payload, signatures = raw, ()
    root = TrustRoot.from_bytes(payload)
    _say(f"{root.site}: trust root {root.version}, key epoch {root.key_epoch}, until {root.expires:%Y-%m-%d}, "
         f"{root.root_threshold} of {len(root.root_keys)} root keys, approvers by class {list(root.owners_needed)}, "
         f"server key {key_id(root.server_key)[:16]}")
    for one in root.place_authorities:
        _say(f"  lists approvers: {one.owner} at {one.place}, key {key_id(one.public_key)[:16]}")
    typer.confirm("Sign it?", abort=True)
    fresh = envelope.sign(TrustRoot.TYPE, payload, _open(key)).signatures
    kept = tuple(one for one in signatures if one.key_id != fresh[0].key_id)
    document.write_bytes(envelope.encode(Envelope(TrustRoot.TYPE, payload, (*kept, *fresh))))


@app.command("sign-list")
def sign_list(key: KeyFile) -> None:
    """Sign the approver list, with all that waits, as a place authority with a key file."""
    with _opened() as house, house.database.work() as session:
        listed = offline.sign_list(session, house, _open(key))
    _say(f"Approver list {listed.version}: {len(listed.approvers)} keys count, {len(listed.revoked)} are revoked.")


@app.command()
def revoke(name: Annotated[str, typer.Argument(help="Id of the signing key.")], reason: Annotated[str, typer.Option()],
           key: KeyFile) -> None:
    """Let an approver's key count no more, and sign the list as a place authority."""
    with _opened() as house, house.database.work() as session:
        signing_keys.revoke_as_operator(session, house.now(), name, reason)
        reopened = recheck(session, None, house.now(), name)
        listed = offline.sign_list(session, house, _open(key))
    _say(f"Approver list {listed.version}. Recordings that wait for approval again: {len(reopened)}.")


@app.command()
def show(as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False) -> None:
    """Say in plain words who stands at the top, who lists approvers, who is listed, and what will end."""
    with _opened() as house, house.database.read() as session:
        state = trust_state(session, house)
    if as_json:
        typer.echo(json.dumps(asdict(state), default=_plain, ensure_ascii=False))
        return
    _tell(state)


@app.command("take-offline")
def take_offline(keys_out: KeysOut, authority_out: AuthorityOut, keys: Keys = 1, threshold: Threshold = 1,
                 plain: Plain = False) -> None:
    """For installations of the first version: replace the keys that lie on this server by new ones that do not."""
    passphrase = _new_passphrase(plain)
    with _opened() as house, house.database.work() as session:
        roots, authority = [new_key() for _ in range(keys)], new_key()
        root = retire_online_keys(session, house, roots, threshold, authority)
        _write(_paths(keys_out, keys), roots, passphrase)
        _write([authority_out], [authority], passphrase)
    _say(f"Trust root {root.version}. The old keys are gone from this server; take the new files off it, too.")


@contextmanager
def _opened() -> Iterator[House]:
    try:
        with open_house(Settings()) as house:
            yield house
    except LoudspeakerError as error:
        _fail(str(error), error.advice % error.params)
    except OSError as error:
        _fail(f"{error.filename}: {error.strerror}.", "")


def _tell(state: TrustState) -> None:
    if not state.root_version:
        _say("There is no trust root yet: finish the first-run page, or `loudspeaker trust init`.")
        return
    _say(f"Site {state.site}: trust root {state.root_version}, until {_day(state.root_expires)}, key epoch "
         f"{state.key_epoch}; {state.root_threshold} of {len(state.root_keys)} root keys sign the next one.")
    _say("Approvers that a recording needs: " + ", ".join(
        f"{name} {n}" for name, n in (*zip(("ordinary", "priority", "emergency"), state.owners_needed, strict=True),
                                      *(state.owners_needed_by_kind or {}).items())))
    _say(f"Approver list {state.list_version}, until {_day(state.list_expires)}; {state.revoked} keys revoked.")
    table = Table("what", "who", "where", "until", "key")
    for what, holders in (("lists approvers", state.authorities), ("approves", state.approvers)):
        for one in holders:
            table.add_row(what, one.owner, one.place or "everywhere", _until(one), one.key_id[:16])
    for waiting in state.waiting:
        table.add_row(f"waits for the authority: {waiting.act}", waiting.owner, waiting.place, "", waiting.key_id[:16])
    Console().print(table)
    for concern in state.concerns:
        Console().print(f"[yellow]{_words(concern)}[/yellow]", highlight=False)


def _words(concern: Concern) -> str:
    words = CONCERN_WORDS[concern.what]
    return " ".join([words % _day(concern.until) if "%s" in words else words, ", ".join(concern.names)]).strip()


def _tell_adopted(root: TrustRoot) -> None:
    _say(f"Trust root {root.version}, key epoch {root.key_epoch}, until {root.expires:%Y-%m-%d}. "
         "A running server takes it up within a minute.")


def _document(path: Path) -> Envelope:
    try:
        return envelope.decode(path.read_bytes())
    except MalformedEnvelope:
        _fail(f"{path} is not signed.", f"Sign it first: loudspeaker trust sign {path} --key FILE")


def _owners(text: str) -> tuple[int, int, int] | None:
    if not text:
        return None
    try:
        ordinary, priority, emergency = (int(one) for one in text.split(","))
    except ValueError:
        _fail("--owners wants three numbers.", "As in 1,1,2.")
    return ordinary, priority, emergency


def _kinds(texts: Sequence[str]) -> dict[str, int] | None:
    pairs = [one.partition("=") for one in texts]
    if any(not number.isdecimal() for _, _, number in pairs):
        _fail("--kind wants a kind and a number.", "As in electioneering=2.")
    return {name: int(number) for name, _, number in pairs} or None


def _open(path: Path) -> Ed25519PrivateKey:
    passphrase = typer.prompt(f"Passphrase of {path}", hide_input=True) if offline.is_sealed(path) else ""
    return offline.read_key(path, passphrase)


def _new_passphrase(plain: bool) -> str:
    if plain:
        return ""
    passphrase = str(typer.prompt("Passphrase for the new files", hide_input=True, confirmation_prompt=True))
    if len(passphrase) < SHORTEST_PASSPHRASE:
        _fail("This passphrase is too short.", f"Use at least {SHORTEST_PASSPHRASE} characters, best four words.")
    return passphrase


def _paths(path: Path, count: int) -> list[Path]:
    if count == 1:
        return [path]
    return [path.with_name(f"{path.stem}-{number}{path.suffix}") for number in range(1, count + 1)]


def _write(paths: Sequence[Path], made: Sequence[Ed25519PrivateKey], passphrase: str) -> None:
    for path, key in zip(paths, made, strict=True):
        offline.write_key(path, key, passphrase)
        _say(f"{path}: key {key_id(public_to_base64(key))[:16]}")


def _until(one: Holder) -> str:
    return _day(one.valid_until) if one.valid_until else ""


def _day(instant: datetime | None) -> str:
    return f"{instant:%Y-%m-%d}" if instant else "–"


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _say(words: str) -> None:
    Console().print(words, highlight=False, soft_wrap=True)


def _fail(what: str, advice: str) -> NoReturn:
    Console(stderr=True).print(f"[red]{what}[/red] {advice}", highlight=False, soft_wrap=True)
    raise typer.Exit(1)

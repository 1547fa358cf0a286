"""`loudspeaker software`: sign a release with the software key, anywhere; offer it to the poles, on the server."""

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from firmware_bridge.contract.envelope import encode
from firmware_bridge.contract.keys import new_key, public_to_base64
from firmware_bridge.contract.software import SoftwareFile, SoftwareManifest
from loudspeaker.conductor import offline, software
from loudspeaker.conductor.opening import open_house
from loudspeaker.errors import LoudspeakerError
from loudspeaker.settings import Settings

app = typer.Typer(help="New programs for the poles.", no_args_is_help=True)

KeyFile = Annotated[Path, typer.Option("--key", help="File of the software key.")]
Wheels = Annotated[list[Path], typer.Argument(help="The program's wheel, and those of libraries that changed.")]
Passphrase = Annotated[str, typer.Option(envvar="LOUDSPEAKER_KEY_PASSPHRASE", help="Of the key file; asked for else.",
                                         prompt="Passphrase (empty for a plain file)", prompt_required=False)]


@app.command("make-key")
def make_key(file: Annotated[Path, typer.Argument(help="New file for the key.")], passphrase: Passphrase = "") -> None:
    """Make the software key, away from the server; print what `loudspeaker trust rotate --software-key` takes."""
    made = new_key()
    try:
        offline.write_key(file, made, passphrase)
    except (LoudspeakerError, OSError) as error:
        _fail(str(error))
    typer.echo(public_to_base64(made))


@app.command()
def sign(
    wheels: Wheels, key: KeyFile, site: Annotated[str, typer.Option(help="Id of the installation.")],
    version: Annotated[str, typer.Option(help="Of the program: 0.2.0")],
    minimum: Annotated[str, typer.Option(help="Nothing older may be installed from now on.")],
    serial: Annotated[int, typer.Option(help="Higher than that of every manifest before.")],
    out: Annotated[Path, typer.Option(help="The manifest.")], days: Annotated[int, typer.Option(min=1)] = 90,
    passphrase: Passphrase = "",
) -> None:
    """Sign a release. Needs no server."""
    now = datetime.now(UTC)
    try:
        manifest = SoftwareManifest(
            site=site, serial=serial, version=version, minimum=minimum, issued=now,
            expires=now + timedelta(days=days), files=tuple(_described(one) for one in wheels))
        signed = manifest.sign(offline.read_key(key, passphrase))
    except (LoudspeakerError, OSError, ValueError) as error:
        _fail(str(error))
    out.write_bytes(encode(signed))
    typer.echo(f"{out}: {version}, serial {serial}, signed by {signed.signatures[0].key_id[:16]}")


@app.command()
def publish(
    manifest: Annotated[Path, typer.Argument(help="What `sign` wrote.")], wheels: Wheels,
    first: Annotated[list[str], typer.Option(help="Id of a pole that tries it first; repeat it for more.")],
) -> None:
    """Offer a release to the first poles; the others get it when those have run it in good health for a while."""
    try:
        with open_house(Settings()) as house, house.database.work() as session:
            made = software.publish(session, house, manifest.read_bytes(), wheels, first)
    except (LoudspeakerError, OSError) as error:
        _fail(str(error))
    typer.echo(f"{made.content.version} is offered to {', '.join(made.first)}.")


@app.command()
def show() -> None:
    """How far the newest release has come."""
    with open_house(Settings()) as house:
        held = software.release(house)
    if held is None:
        typer.echo("There is no release.")
    elif held.halted is not None:
        typer.echo(f"{held.content.version}: halted, {held.halted} gave it up.")
    elif held.everywhere is not None:
        typer.echo(f"{held.content.version}: for all poles since {held.everywhere:%Y-%m-%d %H:%M} UTC.")
    else:
        typer.echo(f"{held.content.version}: tried by {', '.join(held.first)}.")


def _described(path: Path) -> SoftwareFile:
    raw = path.read_bytes()
    return SoftwareFile(name=path.name, sha256=hashlib.sha256(raw).hexdigest(), bytes=len(raw))


def _fail(what: str) -> NoReturn:
    typer.echo(what, err=True)
    raise typer.Exit(1)

"""`loudspeaker log`: prove that no log was rewritten, and write the signed head that lets others prove it."""

import csv
from contextlib import closing
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session, select

from firmware_bridge.contract import envelope as dsse
from firmware_bridge.contract import strictjson
from firmware_bridge.contract.documents import TreeHead, TrustRoot
from firmware_bridge.contract.envelope import Envelope, MalformedEnvelope, good_signers
from firmware_bridge.contract.keys import key_id
from loudspeaker.conductor.verifying import contradictions
from loudspeaker.database import Database
from loudspeaker.playbacks.proving import Contradiction
from loudspeaker.settings import Settings
from loudspeaker.transparency import service as log
from loudspeaker.trust.models import TrustDocument, TrustKind

app = typer.Typer(no_args_is_help=True)

WORDS = {
    "altered": "was changed", "broken": "the chain breaks here", "missing": "is missing, or what follows was put in",
    "mark": "the stored end does not fit", "unlogged": "signed documents are not in the public log",
    "not_as_sealed": "is not what a later seal says", "forked": "carries a head that this log does not have",
}


@app.callback()
def logs() -> None:
    """The logs: audit, signed documents, journals, as-run."""


@app.command()
def verify(
    head: Annotated[list[Path] | None, typer.Option(help="A head that was kept: an export's, a pole's.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Check audit log, public log, journals and as-run log against each other and against heads that were handed out.

    Ends with 1 when anything does not fit.
    """
    try:
        with closing(Database(Settings().database)) as database, database.read() as session:
            kept = [_head(session, path) for path in head or ()]
            found, entries = list(contradictions(session, kept)), log.size(session)
    except SQLAlchemyError as error:
        _fail(f"The database cannot be read: {type(error).__name__}.")
    if as_json:
        typer.echo(strictjson.dumps({"whole": not found, "entries": entries,
                                     "contradictions": [vars(one) for one in found]}).decode())
    else:
        _print(found, entries)
    if found:
        raise typer.Exit(1)


def _print(found: list[Contradiction], entries: int) -> None:
    if not found:
        Console().print(f"[green]All logs are whole[/green]: {entries} signed documents, with journals, as-run log "
                        "and audit log.", highlight=False)
        return
    table = Table("log", "at", "what", title="These logs were rewritten, or damaged")
    for one in found:
        table.add_row(one.log, one.where, WORDS[one.what])
    Console().print(table)


def _head(session: Session, path: Path) -> Envelope:
    """The head in a file, or in an exported .csv, if a server key of this site signed it."""
    try:
        signed = dsse.decode(_sealed_part(path.read_bytes()))
    except (OSError, MalformedEnvelope) as error:
        _fail(f"{path} is no head of a log: {error}")
    roots = session.exec(select(TrustDocument.envelope).where(TrustDocument.kind == TrustKind.ROOT))
    servers = [TrustRoot.from_bytes(dsse.decode(raw).payload).server_key for raw in roots]
    if signed.payload_type != TreeHead.TYPE or not good_signers(signed, {key_id(one): one for one in servers}):
        _fail(f"{path} is not signed by this server.")
    return signed


def _sealed_part(raw: bytes) -> bytes:
    """The head itself, which an export has in one of its last cells."""
    if raw.startswith(b"{"):
        return raw
    cells = [cell for row in csv.reader(raw.decode("utf-8", "replace").splitlines()) for cell in row]
    return next((cell for cell in reversed(cells) if cell.startswith("{")), "").encode()


def _fail(words: str) -> NoReturn:
    Console(stderr=True).print(f"[red]{words}[/red]", highlight=False)
    raise typer.Exit(1)

"""The server's command line."""

import json
import os
import ssl
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import httpx2 as httpx
import typer
from rich.console import Console
from rich.table import Table
from sqlmodel import Session, col, select

from firmware_bridge.bridge.broker.base import LOOPBACK
from loudspeaker import serving
from loudspeaker.approvals.command import app as approve_app
from loudspeaker.conductor.opening import open_house, utc_now
from loudspeaker.demo.command import demo
from loudspeaker.demo.district import district
from loudspeaker.doctor import examine
from loudspeaker.errors import InvalidError, LoudspeakerError
from loudspeaker.log_command import app as log_app
from loudspeaker.nodes.enrolment import HOURS
from loudspeaker.nodes.models import Node, NodeState
from loudspeaker.places.models import Place
from loudspeaker.settings import Settings
from loudspeaker.software_command import app as software_app
from loudspeaker.trust_command import app as trust_app
from loudspeaker.users import service
from loudspeaker.users.models import Role

app = typer.Typer(help="Loudspeaker: approved bulletins, aired on time by every pole, with a log that proves it.",
                  no_args_is_help=True, pretty_exceptions_enable=False)
user_app = typer.Typer(help="Accounts.", no_args_is_help=True)
node_app = typer.Typer(help="Loudspeaker nodes.", no_args_is_help=True)
app.add_typer(user_app, name="user")
app.add_typer(node_app, name="node")
app.add_typer(approve_app, name="approve")
app.add_typer(trust_app, name="trust")
app.add_typer(log_app, name="log")
app.add_typer(software_app, name="software")
app.command()(demo)
app.command()(district)

Json = Annotated[bool, typer.Option("--json", help="For machines.")]
TOKEN_VARIABLE = "LOUDSPEAKER_TOKEN"  # noqa: S105 a name
TIMEOUT_S, HEALTH_TIMEOUT_S = 30.0, 8.0


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen at.")] = None,
    port: Annotated[int | None, typer.Option(help="0 takes a free one.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of everything that is kept.")] = None,
    as_json: Json = False,
) -> None:
    """Run the server, with its broker, until SIGTERM or Ctrl-C."""
    given = {"host": host, "port": port, "data": data}
    settings = Settings(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]
    try:
        serving.serve(settings, as_json)
    except serving.PlainTextError as error:
        _fail(f"Without TLS the server would be heard at {error} by anybody on the way.",
              "Set LOUDSPEAKER_TLS=own, or LOUDSPEAKER_TLS_CERT and LOUDSPEAKER_TLS_KEY; or "
              "LOUDSPEAKER_PLAIN_TEXT=behind_proxy where a proxy before it does TLS.")
    except serving.CannotListenError as error:
        _fail(f"Cannot listen at {error}.", "Stop the other program, or choose another --port.")
    except serving.CannotStartError as error:
        _fail(f"Cannot start: {error}.", "`loudspeaker doctor` looks at each part.")


@user_app.command("add")
def user_add(
    login: str,
    name: Annotated[str, typer.Option(help="The person's name.")],
    role: Annotated[Role, typer.Option(help="What the person may do.")],
    place: Annotated[str, typer.Option(help="A place's name, identifier or id; the top place if left out.")] = "",
    password_stdin: Annotated[bool, typer.Option(help="Read the password from stdin instead of asking.")] = False,
) -> None:
    """Add an account on this machine, as its operator."""
    password = sys.stdin.readline().rstrip("\n") if password_stdin else typer.prompt(
        "Password", hide_input=True, confirmation_prompt=True)
    try:
        with open_house(Settings()) as house, house.database.work() as session:
            at = _place(session, place)
            user = service.add_user(session, utc_now(), name, login, password)
            service.add_grant(session, utc_now(), user, at, role)
            Console().print(f"{user.login} is {role} at {at.name}.")
    except LoudspeakerError as error:
        _fail(str(error), error.advice % error.params)


@node_app.command("list")
def node_list(as_json: Json = False) -> None:
    """The nodes in service, from the database on this machine."""
    with open_house(Settings()) as house, house.database.read() as session:
        found = session.exec(select(Node, NodeState, Place).join(NodeState, col(NodeState.node_id) == col(Node.id))
                             .join(Place, col(Place.id) == col(Node.place_id))
                             .where(col(Node.retired_at).is_(None)).order_by(col(Place.path), col(Node.name)))
        rows: list[dict[str, Any]] = [
            {"id": node.id, "name": node.name, "place": place.name, "online": state.online,
             "seen_at": state.seen_at.isoformat(timespec="seconds") if state.seen_at else None,
             "order": f"{state.held_epoch}.{state.held_version}", "playing": state.playing}
            for node, state, place in found]
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False))
        return
    table = Table("id", "name", "place", "online", "last heard", "order", "airing")
    for row in rows:
        table.add_row(row["id"], row["name"], row["place"], "yes" if row["online"] else "no", row["seen_at"] or "never",
                      row["order"], row["playing"] or "")
    Console().print(table)


@node_app.command("add")
def node_add(
    name: str,
    place: Annotated[str, typer.Option(help="Id of the place where it stands.")],
    server: Annotated[str, typer.Option(envvar="LOUDSPEAKER_SERVER", help="Address of the running server.")],
    volume: int = 80,
    hours: Annotated[int, typer.Option(help="How long the enrolment token holds.")] = HOURS,
    ca: Annotated[Path | None, typer.Option(help="The server's authority (its /ca.crt), where it has its own.")] = None,
) -> None:
    """Add a node at the running server and print its enrolment token, once. Needs LOUDSPEAKER_TOKEN."""
    token = os.environ.get(TOKEN_VARIABLE)
    if not token:
        _fail(f"{TOKEN_VARIABLE} is not set.", "Make a personal token on your account's page.")
    try:
        # our own server is on this machine or its network: no proxy is asked
        answer = httpx.post(f"{server.rstrip('/')}/api/v1/nodes", timeout=TIMEOUT_S, trust_env=False,
                            verify=ssl.create_default_context(cafile=ca) if ca else True,
                            headers={"Authorization": f"Bearer {token}"},
                            json={"name": name, "place_id": place, "volume": volume, "hours": hours})
    except (httpx.HTTPError, OSError) as error:
        _fail(f"The server does not answer: {error}", "Check its address, and --ca where it has its own authority.")
    told = answer.json()
    if answer.status_code != 201:
        _fail(told.get("title", answer.text), told.get("what_to_do", ""))
    Console().print(f"{told['id']}: {told['token']}", highlight=False, soft_wrap=True)


@app.command()
def doctor(as_json: Json = False) -> None:
    """Check what the server needs on this machine; exit code 1 when something is missing."""
    findings = list(examine(Settings()))
    if as_json:
        typer.echo(json.dumps([vars(one) for one in findings], ensure_ascii=False))
    else:
        table = Table("", "what", "found")
        for one in findings:
            table.add_row("[green]✓[/green]" if one.well else "[red]✗[/red]", one.what, one.said)
        Console().print(table)
    raise typer.Exit(0 if all(one.well for one in findings) else 1)


@app.command()
def health() -> None:
    """Ask the server on this machine whether database and broker work; exit code 1 when they do not."""
    settings = Settings()
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    own = LOOPBACK.get(settings.host, host)
    url = f"{'https' if settings.has_tls else 'http'}://{own}:{settings.port}/healthz"
    try:
        # whether a part works is no secret and no order: the certificate is not what is asked about
        answer = httpx.get(url, timeout=HEALTH_TIMEOUT_S, trust_env=False, verify=False)
    except httpx.HTTPError as error:
        _fail(f"{url} does not answer: {error}", "Is the server running?")
    typer.echo(answer.text)
    raise typer.Exit(0 if answer.status_code == httpx.codes.OK else 1)


def _place(session: Session, wanted: str) -> Place:
    places = session.exec(select(Place).where(col(Place.archived_at).is_(None)).order_by(col(Place.path))).all()
    fitting = [one for one in places if (wanted in (one.id, one.identifier, one.name) if wanted
                                         else one.parent_id is None)]
    if len(fitting) != 1:
        raise InvalidError("There is not exactly one place “%(name)s”.", field="place", name=wanted,
                           advice="Give its identifier or id; the first place is made on the first-run page.")
    return fitting[0]


def _fail(what: str, advice: str) -> NoReturn:
    Console(stderr=True).print(f"[red]{what}[/red] {advice}", highlight=False)
    raise typer.Exit(1)


def run() -> None:
    """Entry of `loudspeaker`."""
    app()

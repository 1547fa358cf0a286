"""The command line of a pole: run, self-test, check, journal."""

import fcntl
import logging
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import structlog
import typer
from rich.console import Console
from rich.table import Table

from firmware_bridge.contract.nodeconfig import NodeConfig
from firmware_bridge.node import enrol as enrolment
from firmware_bridge.node.assembly import amplifier_of, assemble
from firmware_bridge.node.clocks import wall, wall_error_s
from firmware_bridge.node.config import BadConfig, is_private, pinned_trust, read_config
from firmware_bridge.node.enrol import EnrolError
from firmware_bridge.node.fetching import open_client
from firmware_bridge.node.hardware.parts import Parts, connect
from firmware_bridge.node.hardware.wiring import FILE as WIRING
from firmware_bridge.node.hardware.wiring import BadWiring, Wiring, read_wiring
from firmware_bridge.node.hearing import Heard, Verdict
from firmware_bridge.node.journal import read_entries
from firmware_bridge.node.players import Desk, NullSink, Sink, SystemSink, WavSink
from firmware_bridge.node.players.decoder import NoDecoder, find_ffmpeg
from firmware_bridge.node.players.sinks import NoSoundOutput, find_output
from firmware_bridge.node.renewal import with_renewed
from firmware_bridge.node.runner import firmware
from firmware_bridge.node.selftest import self_test
from firmware_bridge.node.slots import slots_here
from firmware_bridge.node.soundcheck import SoundCheck
from firmware_bridge.node.update import Updates

app = typer.Typer(help="A loudspeaker node: airs what was approved, on time, by its own clock.", no_args_is_help=True)
ConfigFile = Annotated[Path, typer.Option("--config", help="The file that the server made for this pole.")]
DataDir = Annotated[Path, typer.Option("--data", help="Where the node keeps its journal and recordings.")]
Hardware = Annotated[Path | None, typer.Option(help=f"How the pole is wired; else {WIRING} beside the configuration.")]
WIRED = Path("/etc/loudspeaker") / WIRING


class PlayerKind(StrEnum):
    """Where the sound goes."""

    NULL = "null"
    WAV = "wav"
    SYSTEM = "system"


@app.command()
def run(
    config: ConfigFile, data: DataDir,
    player: Annotated[PlayerKind | None, typer.Option(help="Instead of the one in the configuration.")] = None,
    wav: Annotated[Path | None, typer.Option(help="The file that the wav player writes.")] = None,
    rate: Annotated[int, typer.Option(help="Samples a second of the wav player: 16000 or 48000.")] = 16_000,
    hardware: Hardware = None,
) -> None:
    """Run the node until it is told to stop (SIGTERM, Ctrl-C)."""
    _log_to_stderr()
    settings = with_renewed(_config(config), data)
    data.mkdir(parents=True, exist_ok=True)
    with _alone(data), open_client(settings.server, settings.api_token, settings.ca) as client:
        sink = _sink(player or PlayerKind(settings.player), wav or data / f"{settings.node}.wav", rate)
        slots = slots_here()
        updates = Updates(slots, client, lambda: all(self_test(data).values())) if slots else None
        runner = assemble(settings, _parts(hardware or config.with_name(WIRING)), data, sink, client, updates)
        for sign in (signal.SIGTERM, signal.SIGINT):
            signal.signal(sign, lambda *_: runner.stop())
        runner.run()
    if updates is not None and updates.exit_code:
        raise typer.Exit(updates.exit_code)


@app.command()
def enrol(
    token: Annotated[str, typer.Option(help="As on the card; - reads it from standard input, out of others' sight.")],
    out: Annotated[Path, typer.Option(help="The configuration file that is to be written.")] =
    Path("/etc/loudspeaker/node.json"),
    replace: Annotated[bool, typer.Option(help="Make a controller that is a pole already another one.")] = False,
) -> None:
    """Make this controller a pole: prove the server by the token, make a key, get everything else."""
    text = sys.stdin.readline() if token == "-" else token  # noqa: S105 a name
    try:
        made = enrolment.enrol(text, out, firmware(), replace)
    except EnrolError as error:
        typer.echo(f"{error}\n{error.advice}", err=True)
        raise typer.Exit(1) from error
    except OSError as error:
        typer.echo(f"{out} cannot be written: {error.strerror}\nRun the command as root, or choose another --out.",
                   err=True)
        raise typer.Exit(1) from error
    typer.echo(f"{made.node} ({made.name}) of {made.site}: {out}")


@app.command("self-test")
def run_self_test(
    data: DataDir, hardware: Hardware = None,
    reference: Annotated[bool, typer.Option("--reference", help="Keep what is heard now as what is right.")] = False,
) -> None:
    """Test the parts of this pole, with tones where a microphone is wired. Exit code 1 when one fails."""
    data.mkdir(parents=True, exist_ok=True)
    checks = self_test(data)
    parts = _parts(hardware or WIRED)
    if parts.wiring != Wiring():
        checks["hardware"] = not parts.troubles
    if reference or parts.wiring.microphone is not None:
        with _alone(data):
            checks["sound"] = _hear(parts, data, reference)
    _print_checks(checks)
    if not all(checks.values()):
        raise typer.Exit(1)


@app.command("amplifier-off")
def amplifier_off(hardware: Hardware = None) -> None:
    """Drive the amplifier's line off, after a node that ended without doing so. Exit code 1 when that fails."""
    parts = _parts(hardware or WIRED)
    parts.relay.close()
    if parts.troubles:
        typer.echo("\n".join(parts.troubles), err=True)
        raise typer.Exit(1)


@app.command()
def check(config: ConfigFile) -> None:
    """Check the configuration file and what the machine has. Exit code 1 when the node could not run."""
    settings = _config(config)
    checks = {"configuration": True, "configuration is private": is_private(config),
              "decoder (ffmpeg)": _has(find_ffmpeg), "sound output": _has(lambda: find_output(48_000)),
              "system clock is synchronised": wall_error_s() is not None}
    _print_checks(checks)
    if not checks["decoder (ffmpeg)"] or (settings.player == "system" and not checks["sound output"]):
        raise typer.Exit(1)


@app.command()
def journal(data: DataDir, after: Annotated[int, typer.Option(help="Only entries after this number.")] = 0) -> None:
    """Print the journal, one JSON entry a line."""
    if not (data / "node.db").exists():
        typer.echo(f"{data}: there is no journal", err=True)
        raise typer.Exit(1)
    while entries := read_entries(data / "node.db", after):
        for entry in entries:
            typer.echo(entry.to_bytes().decode())
        after = entries[-1].seq


def main() -> None:
    """Entry point of `loudspeaker-node`."""
    app()


def _config(path: Path) -> NodeConfig:
    try:
        settings = read_config(path)
        pinned_trust(settings)
    except BadConfig as error:
        typer.echo(f"Cannot use the configuration: {error}", err=True)
        raise typer.Exit(2) from error
    return settings


def _parts(wiring: Path) -> Parts:
    try:
        return connect(read_wiring(wiring))
    except BadWiring as error:
        typer.echo(f"Cannot use the hardware: {error}", err=True)
        raise typer.Exit(2) from error


def _hear(parts: Parts, data: Path, reference: bool) -> bool:
    """Play the tones and say what came back; whether it was good."""
    desk = Desk(_sink(PlayerKind.SYSTEM, data, 48_000))
    amplifier = amplifier_of(parts, lambda trouble: typer.echo(trouble, err=True))
    desk.start(lambda report: None)
    check = SoundCheck(desk, amplifier, parts.microphone, data)
    try:
        if reference:
            taken = check.take_reference(wall())
            typer.echo("  ".join(f"{band} Hz {level:.0f} dB" for band, level in taken.tones.items()))
            return True
        return _is_good(check.test())
    except (OSError, ValueError) as error:
        typer.echo(str(error), err=True)
        return False
    finally:
        desk.close()
        amplifier.close()


def _is_good(heard: Heard | None) -> bool:
    if heard is None:
        typer.echo("No reference has been taken: self-test --reference", err=True)
        return False
    lost = ", ".join(f"{band} Hz {'-' if one is None else f'{one:+.0f} dB'}" for band, one in heard.bands.items())
    typer.echo(f"{heard.verdict}: {lost}")
    return heard.verdict is Verdict.GOOD


def _sink(kind: PlayerKind, wav: Path, rate: int) -> Sink:
    try:
        if kind is PlayerKind.SYSTEM:
            return SystemSink()
    except NoSoundOutput as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error
    return WavSink(wav, rate) if kind is PlayerKind.WAV else NullSink()


def _has(find: Callable[[], object]) -> bool:
    try:
        find()
    except (NoDecoder, NoSoundOutput):
        return False
    return True


def _print_checks(checks: dict[str, bool]) -> None:
    table = Table(show_header=False, box=None)
    for name, good in checks.items():
        table.add_row("[green]✓[/green]" if good else "[red]✗[/red]", name)
    Console().print(table)


@contextmanager
def _alone(data: Path) -> Iterator[None]:
    """Two nodes on one disk would air everything twice."""
    with (data / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            typer.echo(f"{data}: another node is running here", err=True)
            raise typer.Exit(2) from error
        yield


def _log_to_stderr() -> None:
    structlog.configure(
        processors=[structlog.processors.add_log_level, structlog.processors.TimeStamper(fmt="iso", utc=True),
                    structlog.processors.format_exc_info, structlog.processors.LogfmtRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr))


if __name__ == "__main__":
    main()

"""`loudspeaker-fleet`: many nodes on this machine, against a real server."""

import asyncio
import contextlib
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from firmware_bridge.contract.nodeconfig import NodeConfig
from firmware_bridge.fleet.line import Line
from firmware_bridge.fleet.running import Fleet
from firmware_bridge.fleet.stock import Bytes
from firmware_bridge.fleet.summary import Summary
from firmware_bridge.node.config import BadConfig, read_config

app = typer.Typer(add_completion=False)
SAY_EVERY_S = 2.0


@app.command()
def run(
    configs: Annotated[Path, typer.Option(help="Folder with the configuration files of the nodes (*.json).")],
    nodes: Annotated[int, typer.Option(help="How many of them; 0: all.")] = 0,
    seconds: Annotated[float, typer.Option(help="How long to live; 0: until Ctrl-C.")] = 0.0,
    within: Annotated[float, typer.Option(help="Begin to connect at random within so many seconds.")] = 5.0,
    fetch: Annotated[Bytes, typer.Option(help="Take recordings as fetched, or download them.")] = Bytes.VIRTUAL,
    latency: Annotated[float, typer.Option(help="Of each line and way, in milliseconds.")] = 0.0,
    jitter: Annotated[float, typer.Option(help="Added to it at random, up to so many milliseconds.")] = 0.0,
    loss: Annotated[float, typer.Option(help="Share of messages that must be sent twice.")] = 0.0,
    rate: Annotated[float, typer.Option(help="Kilobits a second of each line; 0: no limit.")] = 0.0,
    cut_every: Annotated[float, typer.Option(help="Seconds between cuts of a line, on average; 0: never.")] = 0.0,
    away: Annotated[float, typer.Option(help="Seconds that a cut lasts, on average.")] = 30.0,
    seed: Annotated[int, typer.Option(help="Where chance begins.")] = 0,
    processes: Annotated[int, typer.Option(min=1, help="Share the nodes among so many processes.")] = 1,
    part: Annotated[int, typer.Option(hidden=True)] = -1,
) -> None:
    """Run nodes with virtual players, disks and lines; at the end print what they went through as JSON."""
    if processes > 1 and part < 0:
        _tell(_shared(processes))
        return
    line = Line(latency / 1000, jitter / 1000, loss, rate * 125, cut_every, away)
    chosen = _read(configs, nodes)[max(part, 0)::processes]
    fleet = Fleet(chosen, line=line, fetch=fetch, seed=seed + max(part, 0))
    summary = asyncio.run(_live(fleet, within, seconds))
    if part >= 0:
        sys.stdout.write(json.dumps(vars(summary)) + "\n")
    else:
        _tell(summary)


async def _live(fleet: Fleet, within_s: float, seconds: float) -> Summary:
    over = asyncio.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(sign, over.set)
    fleet.start(within_s)
    talking = asyncio.create_task(_talk(fleet))
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds or None):
            await over.wait()
    talking.cancel()
    summary = fleet.summary()
    await fleet.stop()
    return summary


async def _talk(fleet: Fleet) -> None:
    while True:
        await asyncio.sleep(SAY_EVERY_S)
        sys.stderr.write(fleet.summary().line() + "\n")


def _read(folder: Path, nodes: int) -> list[NodeConfig]:
    try:
        found = [read_config(path) for path in sorted(folder.glob("*.json"))[:nodes or None]]
    except BadConfig as error:
        raise typer.BadParameter(str(error)) from error
    if len(found) < max(nodes, 1):
        raise typer.BadParameter(f"{folder} holds {len(found)} configurations (*.json)")
    return found


def _shared(processes: int) -> Summary:
    """The same command, its nodes shared among child processes; the sum of what they tell."""
    command = [sys.executable, "-m", "firmware_bridge.fleet", *sys.argv[1:]]
    children = [subprocess.Popen([*command, "--part", str(part)], stdout=subprocess.PIPE) for part in range(processes)]
    def pass_on(number: int, _frame: object) -> None:
        for child in children:
            child.send_signal(number)

    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, pass_on)
    told = [child.communicate()[0] for child in children]
    if any(child.returncode for child in children):
        raise typer.Exit(1)
    return Summary.added(json.loads(one) for one in told)


def _tell(summary: Summary) -> None:
    sys.stdout.write(json.dumps(summary.told(), indent=2) + "\n")


def main() -> None:
    """Entry point of `loudspeaker-fleet`."""
    app()


if __name__ == "__main__":
    main()

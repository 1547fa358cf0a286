"""`loudspeaker demo`: an election morning in a sample commune, on this machine alone."""

import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel

from firmware_bridge.bridge.broker.child import free_port
from loudspeaker.conductor.opening import open_house, utc_now
from loudspeaker.demo import script
from loudspeaker.demo.morning import Morning, Ports
from loudspeaker.demo.plan import PlannedPlayback
from loudspeaker.demo.sample import Sample, make_sample
from loudspeaker.demo.screen import as_run_table
from loudspeaker.errors import LoudspeakerError
from loudspeaker.playbacks.models import Playback
from loudspeaker.settings import Settings

HOST = "127.0.0.1"


def demo(
    headless: Annotated[bool, typer.Option(help="Without a terminal; ends when the morning is over.")] = False,
    record: Annotated[Path | None, typer.Option(help="Folder for every pole's sound and the plan.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON summary at the end.")] = False,
    kill_server: Annotated[bool, typer.Option(
        help="Kill server and broker before the first airing, start them after the last.")] = False,
    sound: Annotated[bool, typer.Option(help="Let one pole speak through this computer.")] = False,
) -> None:
    """Air an election morning in a sample commune: 8 villages, 12 poles, everything on this machine."""
    if record is not None:
        record.mkdir(parents=True, exist_ok=True)
    console = Console(stderr=as_json)
    try:
        with _prepared(console, record, kill_server, sound) as morning:
            rows = morning.run() if headless else _watched(console, morning)
            morning.stop()
            morning.keep_record(rows)
    except LoudspeakerError as error:
        console.print(f"[red]{error}[/red]", highlight=False)
        raise typer.Exit(1) from error
    good = [row for row in rows if row["state"] == row["expected_state"]]
    if as_json:
        typer.echo(json.dumps(_summary(rows, record), ensure_ascii=False))
    else:
        console.print(f"{len(good)} / {len(rows)} lượt phát trên cụm loa kết thúc đúng như dự kiến.")
    raise typer.Exit(0 if rows and len(good) == len(rows) else 1)


@contextmanager
def _prepared(console: Console, record: Path | None, kill_server: bool, sound: bool) -> Iterator[Morning]:
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="loudspeaker-demo-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        ports = Ports(free_port(HOST), free_port(HOST))
        settings = Settings(data=folder / "data", host=HOST, port=ports.server, broker_port=ports.broker)
        house = stack.enter_context(open_house(settings))
        sample = make_sample(house, folder)
        morning = Morning(house, sample, folder, ports, record, sound, kill_server)
        stack.callback(morning.stop)
        yield morning


def _watched(console: Console, morning: Morning) -> list[dict[str, Any]]:
    """The morning with its live as-run log; afterwards the server stays until Ctrl-C."""
    names = {node: _title(morning.sample, node) for node in morning.sample.configs}
    welcome = _welcome(morning)
    with Live(welcome, console=console, refresh_per_second=4) as live:
        def show(planned: list[PlannedPlayback], played: dict[tuple[str, str], Playback]) -> None:
            table = as_run_table(planned, played, names, utc_now(), morning.house.settings.zone)
            live.update(Group(welcome, table))

        morning.show = show
        rows = morning.run()
    if sys.stdin.isatty():
        console.print("Buổi sáng đã xong. Máy chủ vẫn chạy để bạn xem; nhấn Ctrl-C để kết thúc.")
        try:
            while True:
                time.sleep(1)
        except KeyboardInterrupt:
            console.print("Đang dừng …")
    return rows


def _welcome(morning: Morning) -> Panel:
    lines = [f"[bold]{morning.url}[/bold]   (mật khẩu chung: [bold]{morning.sample.password}[/bold])", ""]
    lines += [f"  {person.login:<9} {person.name}" for person in script.PEOPLE]
    lines += ["", f"  Trưởng thôn, trên điện thoại: {morning.url}{morning.sample.village_head_link}"]
    return Panel("\n".join(lines), title=f"{script.COMMUNE} · buổi sáng bầu cử", expand=False)


def _title(sample: Sample, node: str) -> str:
    config = json.loads(sample.configs[node].read_text())
    return str(config["name"])


def _summary(rows: list[dict[str, Any]], record: Path | None) -> dict[str, Any]:
    wrong = [{key: row[key] for key in ("node", "broadcast", "title", "expected_state", "state", "reason")}
             for row in rows if row["state"] != row["expected_state"]]
    return {"nodes": len({row["node"] for row in rows}), "broadcasts": len({row["broadcast"] for row in rows}),
            "playbacks": len(rows), "as_planned": len(rows) - len(wrong), "wrong": wrong,
            "record": str(record) if record else None}

"""`python -m benchmarks [NAME …]`: every figure as a ratio against a limit measured in the same run."""

import sys

from rich.console import Console
from rich.table import Table

from benchmarks import audio, bytes_a_day, downloads, group_command, ingest, memory, orders, start_error

BENCHMARKS = {"audio": audio.run, "start_error": start_error.run, "ingest": ingest.run,
              "group_command": group_command.run,
              "downloads": downloads.run, "bytes_a_day": bytes_a_day.run,
              "orders": orders.run, "memory": memory.run}


def main(names: list[str]) -> int:
    """Run the named benchmarks (all when none is named), print their table; exit code 1 when a row misses its limit."""
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        print(f"There is no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}.", file=sys.stderr)
        return 2
    table = Table("what", "against, in the same run", "ratio", "limit", "", "detail", title="Speed, as ratios")
    good = True
    for name in names or BENCHMARKS:
        for row in BENCHMARKS[name]():
            good = good and bool(row["ok"])
            table.add_row(str(row["what"]), str(row["against"]), f"{row['ratio']:.2f}", f"≤ {row['limit']}",
                          "[green]✓[/green]" if row["ok"] else "[red]✗[/red]", str(row["detail"]))
    Console(width=None if sys.stdout.isatty() else 200).print(table)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""What a fleet went through, in numbers that can be added over processes and printed as JSON."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from firmware_bridge.fleet.pole import Pole


@dataclass
class Summary:
    """Counts of all poles; the times are seconds, one per event."""

    nodes: int = 0
    connected: int = 0
    with_order: int = 0
    with_trust: int = 0
    unreceipted: int = 0
    """Journal entries that the server has not receipted."""
    playing: int = 0
    answered_s: list[float] = field(default_factory=list)
    """From a hello being due to the server's answer."""
    ends: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, poles: Iterable[Pole]) -> Self:
        """The sum over `poles`."""
        done = cls()
        for pole in poles:
            state = pole.state
            done.nodes += 1
            done.connected += state.link.up
            done.with_order += state.order is not None
            done.with_trust += state.trust.approvers is not None
            done.unreceipted += state.journal.last - state.link.receipted
            done.playing += state.air is not None and state.air.on is not None
            done.answered_s += [round(one, 3) for one in pole.seen.answered]
            done.ends += pole.seen.ends
            done.reasons += pole.seen.reasons
            done.refusals += pole.seen.refusals
        return done

    @classmethod
    def added(cls, parts: Iterable[Mapping[str, Any]]) -> Self:
        """The sum of what several processes told by `vars`."""
        done = cls()
        for part in parts:
            for name, value in vars(done).items():
                setattr(done, name, value + (Counter(part[name]) if isinstance(value, Counter) else part[name]))
        return done

    def told(self) -> dict[str, Any]:
        """As JSON tells it: times as percentiles."""
        return vars(self) | {"answered_s": percentiles(self.answered_s)}

    def line(self) -> str:
        """One line for somebody who watches."""
        times = percentiles(self.answered_s)
        ends = ", ".join(f"{count:,} {name}" for name, count in sorted(self.ends.items())) or "nothing aired yet"
        return (f"{self.connected:,}/{self.nodes:,} connected · {self.with_order:,} hold an order · "
                f"answered p50 {times['p50']:.2f} s p99 {times['p99']:.2f} s · {self.playing:,} on air · {ends} · "
                f"{self.unreceipted:,} entries not receipted")


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """p50, p95, p99 and the largest; zeros when there is nothing."""
    ordered = sorted(seconds)
    if not ordered:
        return {"n": 0, "p50": 0.0, "p95": 0.0, "p99": 0.0, "max": 0.0}
    last = len(ordered) - 1
    told: dict[str, float] = {"n": len(ordered)}
    told |= {f"p{part}": ordered[round(last * part / 100)] for part in (50, 95, 99)}
    return told | {"max": ordered[-1]}

"""What meets what at one node, what that costs, and where there is room."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from schedules.airings import Airing
from schedules.checks import must_end_by
from schedules.hours import Stretch
from schedules.policy import DatedPolicy
from schedules.timetable import NO_LIMITS, ForecastPlayback, PlaybackState, forecast

NO_POLICIES: Mapping[str, DatedPolicy] = MappingProxyType({})


class Meeting(StrEnum):
    """What happens where a new broadcast meets another one."""

    REFUSED = "refused"
    """Equal class: people must order them."""
    PRE_EMPTS = "pre_empts"
    """The new one is of higher class and interrupts the other."""
    PRE_EMPTED = "pre_empted"
    """The new one is of lower class and is interrupted, or waits."""


@dataclass(frozen=True, slots=True)
class Collision:
    """Two broadcasts that want the same nodes at the same time.

    `overlap` is planned time. Of the lower class `lost_ms` of sound are forecast to be lost altogether, at the node
    that loses most, and it ends there in `expected_state`; both are None where the meeting is refused.
    """

    kind: Meeting
    new_id: str
    other_id: str
    overlap: Stretch
    nodes: tuple[str, ...]
    lost_ms: int | None = None
    expected_state: PlaybackState | None = None


def collisions(
    new: Sequence[Airing],
    existing_by_node: Mapping[str, Sequence[Airing]],
    policy_by_node: Mapping[str, DatedPolicy] = NO_POLICIES,
) -> list[Collision]:
    """Where `new`, aired at every node of `existing_by_node`, meets what is there, or itself; by time, then ids.

    `policy_by_node` (may lack nodes) limits how long an interrupted broadcast may go on.
    """
    found: dict[tuple[str, str], _Found] = {}
    for nodes, existing, policy in _alike(existing_by_node, policy_by_node):
        meetings = list(_meetings(new, existing))
        if not meetings:
            continue
        heard: Mapping[str, ForecastPlayback] = {}
        if any(one.air_class != other.air_class for one, other in meetings):
            airings = [*existing, *new]
            limits = must_end_by(policy, airings) if policy else NO_LIMITS
            heard = {playback.broadcast_id: playback for playback in forecast(airings, limits)}
        for one, other in meetings:
            known = found.setdefault((one.broadcast_id, other.broadcast_id), _Found(one, other, [], []))
            known.nodes.extend(nodes)
            if one.air_class != other.air_class:
                known.losses.append(heard[min(one, other, key=lambda airing: airing.air_class).broadcast_id])
    return sorted(map(_collision, found.values()), key=lambda c: (c.overlap, c.new_id, c.other_id))


class _Found(NamedTuple):
    new: Airing
    other: Airing
    nodes: list[str]
    losses: list[ForecastPlayback]


def _collision(found: _Found) -> Collision:
    new, other = found.new, found.other
    overlap = Stretch(max(new.start, other.start), min(new.end, other.end))
    ids = new.broadcast_id, other.broadcast_id
    nodes = tuple(sorted(found.nodes))
    if new.air_class == other.air_class:
        return Collision(Meeting.REFUSED, *ids, overlap, nodes)
    worst = max(found.losses, key=lambda playback: playback.lost_ms)
    kind = Meeting.PRE_EMPTS if new.air_class > other.air_class else Meeting.PRE_EMPTED
    return Collision(kind, *ids, overlap, nodes, worst.lost_ms, worst.expected_state)


def _alike(
    existing_by_node: Mapping[str, Sequence[Airing]], policy_by_node: Mapping[str, DatedPolicy]
) -> Iterator[tuple[list[str], Sequence[Airing], DatedPolicy | None]]:
    """Nodes with the same broadcasts and the same policy, taken together: most of a commune airs the same."""
    groups: dict[tuple[frozenset[Airing], int], list[str]] = {}
    for node, airings in existing_by_node.items():
        groups.setdefault((frozenset(airings), id(policy_by_node.get(node))), []).append(node)
    for nodes in groups.values():
        yield nodes, existing_by_node[nodes[0]], policy_by_node.get(nodes[0])


def _meetings(new: Iterable[Airing], existing: Iterable[Airing]) -> Iterator[tuple[Airing, Airing]]:
    """Every pair of a new broadcast and another that overlap by the plan, each pair once."""
    ordered = sorted(
        [*((airing, True) for airing in new), *((airing, False) for airing in existing)],
        key=lambda entry: entry[0].start,
    )
    going_on: list[tuple[Airing, bool]] = []
    for airing, is_new in ordered:
        going_on = [entry for entry in going_on if entry[0].end > airing.start]
        for other, other_is_new in going_on:
            if is_new:
                yield airing, other
            elif other_is_new:
                yield other, airing
        going_on.append((airing, is_new))

"""Broadcasts as nodes of given languages air them: which recordings sound, how long, and when it all ends."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from loudspeaker.broadcasts.models import Broadcast
from schedules.airings import AirClass, Airing, ItemLength

LAST_RESORT = "vi"


def spoken(recordings: Iterable[str], languages: Sequence[str], rule: str) -> tuple[str, ...]:
    """The languages that a node airs, of those there are: `all` of its own in its order, or the `first`.

    Where none of its own is there: Vietnamese, else the first by name (firmware_bridge.node.airing.choose).
    """
    there = set(recordings)
    listed = tuple(dict.fromkeys(one for one in (*languages, LAST_RESORT, *sorted(there)) if one in there))
    own = tuple(one for one in dict.fromkeys(languages) if one in there)
    return own if rule == "all" and own else listed[:1]


def lengths(items: Iterable[Mapping[str, Any]], languages: Sequence[str], rule: str) -> tuple[ItemLength, ...]:
    """What sounds, in order, of a broadcast's `items` (as `Broadcast.items` holds them)."""
    return tuple(
        ItemLength(item["id"], item["recordings"][language]["duration_ms"], item["gap_ms"])
        for item in items for language in spoken(item["recordings"], languages, rule))


def airing_of(broadcast: Broadcast, languages: Sequence[str]) -> Airing:
    """The broadcast as a node of these languages airs it."""
    return Airing(broadcast.id, broadcast.start, broadcast.latest_start, AirClass(broadcast.air_class),
                  lengths(broadcast.items, languages, broadcast.languages), broadcast.volume)


def longest(items: Sequence[Mapping[str, Any]], many_languages: Iterable[Sequence[str]], rule: str) -> timedelta:
    """How long the broadcast takes where it takes longest; nothing when there are no nodes."""
    spans = (_length(lengths(items, languages, rule)) for languages in set(map(tuple, many_languages)))
    return max(spans, default=timedelta(0))


def planned_ms(items: Sequence[Mapping[str, Any]], languages: Sequence[str], rule: str) -> int:
    """Milliseconds of sound, without the silences."""
    return sum(one.duration_ms for one in lengths(items, languages, rule))


def _length(items: Sequence[ItemLength]) -> timedelta:
    if not items:
        return timedelta(0)
    sound = sum(one.duration_ms + one.gap_ms for one in items[:-1]) + items[-1].duration_ms
    return timedelta(milliseconds=sound)

"""A pole under clocks that lie: drifting crystals, 1970, steps of seconds to years, sleep; judged by the true time."""

import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from firmware_bridge.contract.documents import AirClass, TimeAnswer
from firmware_bridge.contract.messages import TimeRequest, TimeState
from firmware_bridge.contract.topics import Down
from firmware_bridge.node import agent
from firmware_bridge.node.effects import Effect, Play
from firmware_bridge.node.inputs import Connected, Disconnected, Input, Tick
from firmware_bridge.node.timekeeping import Moment
from tests.firmware_bridge.builders import NODE, NOON, SITE, approved, broadcast, by_server, order, sha
from tests.firmware_bridge.node.pole import Pole, Sounding

CRYSTALS_PPM = (0, 2, -2, 20, -20, 50, -50)
STEPS_S = (1, 5, 30, 300, 3600, 86_400, 30 * 86_400, 3 * 365 * 86_400)
EVERY = timedelta(seconds=90)
LATEST_S = 20
LENGTH_MS = 6000
NEWS = sha("news")
AT_ZERO = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class LyingPole(Pole):
    """The pole of the tests, whose crystal and system clock are not to be trusted. `true` is how late it really is."""

    true: datetime = NOON
    gain: float = 0.0
    """True seconds in a monotonic one, less one."""
    synchronised: bool = True
    reachable: bool = True
    dice: random.Random = field(default_factory=random.Random)
    steps: int = 0
    broken: list[str] = field(default_factory=list)
    sounded: Counter[str] = field(default_factory=Counter)
    windows: dict[str, datetime] = field(default_factory=dict)
    answered: str = ""
    aimed_within: dict[int, float] = field(default_factory=dict)
    """How wrong the node took its time to be when it gave a cue to the player."""

    def moment(self) -> Moment:
        """The system clock follows the true time while something keeps it."""
        if self.synchronised:
            self.now = self.true + timedelta(milliseconds=self.dice.randint(-20, 20))
        return Moment(self.now, self.mono, 0.03 if self.synchronised else None)

    def pass_time(self, seconds: float) -> None:
        """The crystal counts `seconds`."""
        super().pass_time(seconds)
        self.true += timedelta(seconds=seconds * (1 + self.gain))

    def run_for(self, seconds: float) -> None:
        """Let the crystal count `seconds`, with all that happens by itself."""
        until = self.mono + seconds
        while self.mono < until:
            waits = [agent.wake_in(self.state, self.moment(), self.nap_s), until - self.mono]
            waits += [(one.ends if one.started else one.at) - self.mono for one in self.playing.values()]
            self.pass_time(max(0.005, round(min(waits), 3)))
            self._report()
            self.take(Tick())

    def take(self, happened: Input) -> tuple[Effect, ...]:
        """One step; what the node then says of the time must be true."""
        self.steps += 1
        effects = super().take(happened)
        moment = self.moment()
        reading = self.state.time.read(moment)
        off = abs((reading.now - self.true).total_seconds())
        if reading.error_s is not None and reading.state is not TimeState.UNTRUSTED and off > reading.error_s + 0.01:
            self.broken.append(f"{off:.3f} s off, {reading.error_s:.3f} s claimed ({reading.source})")
        return effects

    def _perform(self, effect: Effect) -> None:
        super()._perform(effect)
        if isinstance(effect, Play):
            self.aimed_within[effect.cue.id] = self.state.time.read(self.moment()).error_s or 60.0

    def _note(self, one: Sounding, until: float) -> int:
        heard = super()._note(one, until)
        if heard:
            self._judge(one, heard)
        return heard

    def _judge(self, one: Sounding, heard: int) -> None:
        """What was heard: at its time, and not again."""
        name = one.cue.broadcast
        began = self.true - timedelta(seconds=(self.mono - one.at) * (1 + self.gain))
        error = timedelta(seconds=self.aimed_within[one.cue.id], milliseconds=100)
        start = self.windows[name]
        if not start - error <= began <= start + timedelta(seconds=LATEST_S) + error:
            self.broken.append(f"{name} of {start.time()} was heard at {began.time()} ± {error}")
        self.sounded[name] += heard
        if self.sounded[name] > LENGTH_MS:
            self.broken.append(f"{name} was heard for {self.sounded[name]} ms")


@dataclass(frozen=True)
class Result:
    """Steps of the agent, broadcasts heard, and every broken promise in words."""

    steps: int
    heard: int
    broken: tuple[str, ...]


def run(steps: int, seed: int, per_pole: int = 2500) -> Result:
    """At least `steps` steps of poles with different crystals."""
    dice = random.Random(seed)
    done, heard, broken = 0, 0, list[str]()
    while done < steps:
        pole = LyingPole(dice=dice, gain=dice.choice(CRYSTALS_PPM) / 1e6, has_rtc=dice.random() < 0.3)
        _live(pole, per_pole)
        done += pole.steps
        heard += len(pole.sounded)
        broken += pole.broken
    return Result(done, heard, tuple(broken))


def _live(pole: LyingPole, steps: int) -> None:
    pole.ready()
    pole.store(NEWS, approved(NEWS, duration_ms=LENGTH_MS, air_class=AirClass.EMERGENCY))
    version = 0
    while pole.steps < steps:
        version += 1
        _plan(pole, version)
        for _ in range(pole.dice.randint(3, 10)):
            pole.dice.choice(HAPPENINGS)(pole)
            _answer(pole)
    for name in pole.windows:
        if len(pole.ends(name)) > 1:
            pole.broken.append(f"{name} has {len(pole.ends(name))} ends")


def _plan(pole: LyingPole, version: int) -> None:
    """The next broadcasts by the true time, as the server plans."""
    first = int((pole.true - NOON) / EVERY)
    listed = [broadcast(f"b{number}", NOON + EVERY * number, NEWS, latest_s=LATEST_S)
              for number in range(first, first + 40)]
    pole.windows |= {one.id: one.start for one in listed}
    pole.receive(by_server(order(*listed, version=version, issued=pole.true, lengths={NEWS: LENGTH_MS})))


def _answer(pole: LyingPole) -> None:
    """The server answers the question of the time, if it can be reached, after a while."""
    asked = pole.said("time-request")
    if not (pole.reachable and asked):
        return
    nonce = TimeRequest.from_bytes(asked[-1]).nonce
    if nonce == pole.answered:
        return
    pole.answered = nonce
    there, back = pole.dice.uniform(0.01, 0.8), pole.dice.uniform(0.01, 0.8)
    pole.pass_time(there)
    told = TimeAnswer(site=SITE, node=NODE, nonce=nonce, received=pole.true, sent=pole.true)
    pole.pass_time(back)
    pole.receive(by_server(told), Down.TIME)


def _run(pole: LyingPole) -> None:
    pole.run_for(pole.dice.uniform(5, 200))


def _step_clock(pole: LyingPole) -> None:
    pole.synchronised = False
    pole.now += timedelta(seconds=pole.dice.choice(STEPS_S) * pole.dice.choice((-1, 1)))


def _synchronise(pole: LyingPole) -> None:
    pole.synchronised = True


def _sleep(pole: LyingPole) -> None:
    pole.pass_time(pole.dice.choice((3, 40, 400, 7200)))


def _kill(pole: LyingPole) -> None:
    pole.kill(pole.dice.uniform(0, 30), machine=pole.state.machine_boot)
    _come_back(pole)


def _lose_power(pole: LyingPole) -> None:
    """The machine comes back in 1970, or with a clock that a battery has kept."""
    away_s = pole.dice.uniform(20, 3000)
    pole.synchronised = False
    for one in list(pole.playing.values()):
        if one.started:
            pole._note(one, min(pole.mono, one.ends))
    pole.playing = {}
    pole.pass_time(away_s)
    pole.now = pole.true + timedelta(seconds=pole.dice.uniform(-1, 1)) if pole.has_rtc else AT_ZERO
    pole.mono = pole.dice.uniform(5, 60)
    pole.boot(f"m{pole.boots}")
    _come_back(pole)


def _come_back(pole: LyingPole) -> None:
    if pole.reachable:
        pole.take(Connected())


def _lose_link(pole: LyingPole) -> None:
    pole.reachable = False
    pole.take(Disconnected())


def _find_link(pole: LyingPole) -> None:
    if not pole.reachable:
        pole.reachable = True
        pole.take(Connected())



HAPPENINGS = (_run, _run, _run, _run, _step_clock, _synchronise, _sleep, _kill, _lose_power, _lose_link, _find_link,
              _find_link)

"""A pole and its new program: installed once, tried, kept when well, never again when not."""

from dataclasses import dataclass, field

import pytest

from firmware_bridge.contract.documents import TrustRoot
from firmware_bridge.contract.envelope import encode
from firmware_bridge.node.effects import Confirm, Effect, Install, Restart
from firmware_bridge.node.inputs import (
    SoftwareConfirmed,
    SoftwareInput,
    SoftwareInstalled,
    SoftwareOffered,
    SoftwareTried,
)
from tests.firmware_bridge.builders import NOON, Commune, approved, broadcast, by_server, key, order, public, sha
from tests.firmware_bridge.contract.test_software import manifest
from tests.firmware_bridge.node.pole import Pole


@dataclass(frozen=True)
class WithSoftwareKey(Commune):
    def root(self) -> TrustRoot:
        return super().root().model_copy(update={"software_key": public("software")})


@dataclass
class Tried(Pole):
    commune: Commune = field(default_factory=WithSoftwareKey)
    done: list[Effect] = field(default_factory=list)

    def tell(self, happened: SoftwareInput) -> None:
        self.take(happened)

    def _perform(self, effect: Effect) -> None:
        super()._perform(effect)
        if isinstance(effect, Install | Restart | Confirm):
            self.done.append(effect)

    def results(self) -> list[object]:
        return [one.data["result"] for one in self.entries("software")]


def offered(serial: int = 5, version: str = "0.3.0", signer: str = "software") -> SoftwareOffered:
    return SoftwareOffered(encode(manifest(serial, version).sign(key(signer))))


@pytest.fixture
def pole() -> Tried:
    made = Tried()
    made.ready()
    return made


def test_a_release_is_installed_and_started_when_nothing_airs(pole: Tried) -> None:
    pole.tell(offered())
    pole.tell(SoftwareInstalled("0.3.0"))
    assert [type(one) for one in pole.done] == [Install, Restart]
    assert pole.results() == ["accepted", "installed"]


def test_it_is_offered_again_and_again_and_installed_once(pole: Tried) -> None:
    for _ in range(3):
        pole.tell(offered())
    assert len(pole.done) == 1


def test_a_forged_one_is_refused_and_journalled(pole: Tried) -> None:
    pole.tell(offered(signer="server"))
    pole.tell(SoftwareOffered(b"nonsense"))
    assert pole.done == []
    assert pole.refusals("software") == ["foreign_key", "malformed"]


def test_the_restart_waits_for_the_end_of_a_broadcast(pole: Tried) -> None:
    pole.receive(by_server(order(broadcast("b", NOON.replace(minute=1), sha("x")))))
    pole.store(sha("x"), approved(sha("x")))
    pole.run_until(NOON.replace(minute=1, second=10))
    pole.tell(offered())
    pole.tell(SoftwareInstalled("0.3.0"))
    pole.run_for(40)
    assert [type(one) for one in pole.done] == [Install]
    pole.run_for(60)
    assert [type(one) for one in pole.done] == [Install, Restart]
    assert [one.data["state"] for one in pole.ends("b")] == ["played"]


def test_an_older_manifest_is_refused_also_after_a_kill(pole: Tried) -> None:
    pole.tell(offered(serial=9))
    pole.kill()
    pole.connect()
    pole.tell(offered(serial=8))
    assert pole.refusals("software")[-1] == "older_version"


def test_a_release_that_came_back_or_could_not_be_built_is_not_tried_again(pole: Tried) -> None:
    pole.tell(offered(serial=5))
    pole.tell(SoftwareInstalled("0.3.0", "no room"))
    pole.tell(offered(serial=5))
    assert len(pole.done) == 1
    pole.tell(offered(serial=6))
    assert len(pole.done) == 2
    pole.kill()
    pole.connect()
    pole.tell(SoftwareTried(rolled_back=True))
    pole.tell(offered(serial=6))
    assert len(pole.done) == 2
    assert pole.results() == ["accepted", "failed", "accepted", "rolled_back"]


def test_a_release_on_trial_is_confirmed_only_when_the_server_has_answered(pole: Tried) -> None:
    away = Tried()
    away.tell(SoftwareTried())
    away.run_for(60)
    assert away.done == []
    away.connect()
    away.run_for(5)
    assert away.done == []
    away.receive(by_server(order()))
    assert away.done == [Confirm()]
    away.tell(SoftwareConfirmed())
    assert away.results() == ["healthy"]


def test_on_trial_nothing_newer_is_begun(pole: Tried) -> None:
    trial = Tried()
    trial.tell(SoftwareTried())
    trial.tell(offered())
    assert trial.done == []
    assert trial.state.installing is None

"""What TUF calls attacks on a repository, tried on a pole by whoever holds its server and broker."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from chaos.thief import Thief
from firmware_bridge.contract.documents import AirClass, CommandKind, StandingStop, TimeAnswer, TrustBundle
from firmware_bridge.contract.envelope import encode, to_dict
from firmware_bridge.contract.keys import key_id
from firmware_bridge.contract.messages import TimeRequest
from firmware_bridge.contract.topics import Down
from tests.firmware_bridge.builders import (
    COMMUNE,
    NODE,
    NOON,
    SITE,
    VILLAGE,
    Commune,
    approved,
    broadcast,
    by,
    by_server,
    command,
    key,
    order,
    play_now,
    public,
    receipt,
    sha,
)
from tests.firmware_bridge.node.pole import Pole

NEWS, OTHER = sha("news"), sha("other")
HELD = Commune(version=5)
SOON_S = 60.0
Kill = Callable[[Pole], None]


def rollback_of_an_order(kill: Kill) -> bool:
    """An older order, with other content, after a newer one."""
    pole = _pole()
    pole.receive(by_server(order(version=9)))
    kill(pole)
    pole.receive(by_server(_soon(NEWS, version=8)))
    return _silent(pole)


def rollback_of_trust(kill: Kill) -> bool:
    """The approver list, the policy and the root of before."""
    pole = _pole()
    held = pole.state.trust
    kill(pole)
    pole.receive(HELD.but(version=4, approvers=(("thief", "thief", SITE),), policy_signer="thief").bundle(), Down.TRUST)
    return pole.state.trust == held


def freeze(kill: Kill) -> bool:
    """The thief withholds every newer list: when the held one ends, nothing new is believed."""
    pole = _pole(HELD.but(issued=NOON - timedelta(days=1), lists_for=timedelta(days=1, seconds=30)))
    pole.run_for(60)
    kill(pole)
    pole.store(NEWS, approved(NEWS))
    pole.receive(by_server(_soon(NEWS, at=pole)))
    return _silent(pole)


def fast_forward_of_orders(kill: Kill) -> bool:
    """The highest version there is, by the stolen key; a new key epoch takes orders from 1 again."""
    pole = _pole()
    pole.store(NEWS, approved(NEWS))
    Thief(key("server"), NEWS).rob(pole)
    kill(pole)
    after = HELD.then(server="new-server", key_epoch=1)
    pole.receive(after.bundle(), Down.TRUST)
    kill(pole)
    pole.receive(after.bundle(), Down.TRUST)
    pole.receive(encode(order(version=1, issued=pole.now).sign(key("new-server"))))
    return pole.state.seen == (1, 1) and not pole.state.stop.active


def fast_forward_of_the_list(kill: Kill) -> bool:
    """The highest version there is, by a stolen authority's key; a root with another authority takes the list anew."""
    pole = _pole()
    pole.receive(HELD.but(version=2**53, approvers=(("thief", "thief", SITE),)).bundle(policies=False), Down.TRUST)
    kill(pole)
    after = HELD.then(authorities=(("chairman", SITE),))
    pole.receive(after.bundle(), Down.TRUST)
    return pole.state.trust.approvers == after.approver_list()


def fast_forward_of_a_policy(kill: Kill) -> bool:
    """The highest version there is, by an approver who is then revoked; another approver's policy is taken anew."""
    pole = _pole()
    highest = HELD.but(version=2**53).policy().sign(key("binh"))
    pole.receive(TrustBundle(root=to_dict(HELD.root_envelope()), policies=(to_dict(highest),)).to_bytes(), Down.TRUST)
    kill(pole)
    after = HELD.but(version=6, policy_signer="hoa", volume_cap=50)
    revoking = after.but(revoked=(key_id(public("binh")),)).list_envelope()
    pole.receive(TrustBundle(root=to_dict(HELD.root_envelope()), approvers=to_dict(revoking),
                             policies=(to_dict(after.policy().sign(key("hoa"))),)).to_bytes(), Down.TRUST)
    return pole.state.trust.policies[COMMUNE] == after.policy()


def mix_and_match(kill: Kill) -> bool:
    """Good documents that do not belong together: another node's order, another recording's statement."""
    pole = _pole()
    pole.store(NEWS, approved(OTHER))
    kill(pole)
    pole.receive(by_server(_soon(NEWS, node="another")))
    pole.receive(by_server(_soon(NEWS)))
    return _silent(pole)


def endless_data(kill: Kill) -> bool:
    """More than a node can hold, in numbers, bytes and depth."""
    pole = _pole()
    before = pole.state.trust
    root = to_dict(HELD.root_envelope())
    pole.receive(TrustBundle(root=root, roots=(root,) * 1500).to_bytes(), Down.TRUST)
    pole.receive(b'{"root":' + b"[" * 200_000, Down.TRUST)
    pole.receive(b"9" * 5_000_000)
    kill(pole)
    return pole.state.trust == before and pole.state.order is None


def wrong_site(kill: Kill) -> bool:
    """Everything of another commune, signed by the same keys."""
    pole = _pole()
    before = pole.state.trust
    pole.receive(by_server(_soon(NEWS, site="another")))
    foreign = HELD.then().root().model_copy(update={"site": "another"}).sign(key("root"))
    pole.receive(TrustBundle(root=to_dict(foreign)).to_bytes(), Down.TRUST)
    pole.store(NEWS, approved(NEWS, site="another"))
    kill(pole)
    pole.receive(by_server(_soon(NEWS)))
    return _silent(pole) and pole.state.trust == before


def laundering_of_class(kill: Kill) -> bool:
    """An ordinary recording, ordered as an emergency in the quiet hours."""
    pole = _pole(HELD.but(quiet=(("00:00", "24:00"),)))
    pole.store(NEWS, approved(NEWS))
    kill(pole)
    pole.receive(by_server(_soon(NEWS, air_class=AirClass.EMERGENCY)))
    pole.receive(by_server(play_now("now", NEWS)), Down.COMMAND)
    return _silent(pole)


def laundering_of_policy(kill: Kill) -> bool:
    """A wider policy: by the server, by a village's approver for the commune, for a place that is not on the path."""
    pole = _pole(HELD.but(frames=(("05:00", "06:00"),), approvers=(("hoa", "hoa", COMMUNE), ("ba", "ba", VILLAGE))))
    pole.store(NEWS, approved(NEWS))
    for signer, place in (("server", COMMUNE), ("ba", COMMUNE), ("hoa", "elsewhere"), ("stranger", COMMUNE)):
        wide = HELD.but(version=9).policy(place).sign(key(signer))
        pole.receive(TrustBundle(root=to_dict(HELD.root_envelope()), policies=(to_dict(wide),)).to_bytes(), Down.TRUST)
    kill(pole)
    pole.receive(by_server(_soon(NEWS)))
    return _silent(pole)


def one_owner_with_two_keys(kill: Kill) -> bool:
    """Where two owners are needed, two keys of one are one; and one key listed twice is no list at all."""
    commune = HELD.but(owners_needed=(2, 2, 2), approvers=(("hoa", "hoa", COMMUNE), ("hoa-2", "hoa", COMMUNE)))
    pole = _pole(commune)
    pole.store(NEWS, approved(NEWS, "hoa", "hoa-2"))
    twice = replace(commune, version=6, approvers=(("hoa", "hoa", COMMUNE), ("hoa", "binh", COMMUNE)))
    pole.receive(TrustBundle(root=to_dict(commune.root_envelope()),
                             approvers=to_dict(twice.list_envelope())).to_bytes(), Down.TRUST)
    kill(pole)
    pole.receive(by_server(_soon(NEWS)))
    return _silent(pole)


def laundering_of_kind(kill: Kill) -> bool:
    """Electioneering needs two owners here, whatever the order calls it."""
    pole = _pole(HELD.but(owners_needed_by_kind={"electioneering": 2}))
    pole.store(NEWS, approved(NEWS, kind="electioneering"))
    kill(pole)
    pole.receive(by_server(_soon(NEWS)))
    return _silent(pole)


def forged_receipt(kill: Kill) -> bool:
    """By a stranger, for another journal, for what was not written yet."""
    pole = _pole()
    for forged in (by("hoa", receipt("j1", 1)), by_server(receipt("another", 1)), by_server(receipt("j1", 10**6))):
        pole.receive(forged, Down.RECEIPT)
    kill(pole)
    return pole.state.link.receipted == 0


def forged_time(kill: Kill) -> bool:
    """An answer by a stranger, one that answers another question, and a good one again."""
    pole = _pole()
    pole.run_for(1)
    nonce = TimeRequest.from_bytes(pole.said("time-request")[-1]).nonce
    year = NOON + timedelta(days=365)
    for signer, asked in (("hoa", nonce), ("server", "another")):
        pole.receive(by(signer, TimeAnswer(site=SITE, node=NODE, nonce=asked, received=year, sent=year)), Down.TIME)
    answer = by_server(TimeAnswer(site=SITE, node=NODE, nonce=nonce, received=pole.now, sent=pole.now))
    pole.receive(answer, Down.TIME)
    pole.run_for(300)
    pole.receive(answer, Down.TIME)
    kill(pole)
    return abs((pole.state.time.read(pole.moment()).now - pole.now).total_seconds()) < 1


def replay_of_a_command(kill: Kill) -> bool:
    """A stop that was lifted, told once more; and one that has expired."""
    pole = _pole()
    stop = by_server(command("s", CommandKind.STOP, standing_stop=StandingStop(generation=1, active=True)))
    pole.receive(stop, Down.COMMAND)
    pole.receive(by_server(command("l", CommandKind.STOP, standing_stop=StandingStop(generation=2))), Down.COMMAND)
    kill(pole)
    pole.receive(stop, Down.COMMAND)
    pole.run_for(600)
    pole.receive(stop, Down.COMMAND)
    return not pole.state.stop.active


ATTACKS: tuple[Callable[[Kill], bool], ...] = (
    rollback_of_an_order, rollback_of_trust, freeze, fast_forward_of_orders, fast_forward_of_the_list,
    fast_forward_of_a_policy, mix_and_match,
    endless_data, wrong_site, laundering_of_class, laundering_of_policy, laundering_of_kind, one_owner_with_two_keys,
    forged_receipt, forged_time, replay_of_a_command)


def unharmed(pole: Pole) -> None:
    """No kill."""


def killed(pole: Pole) -> None:
    """kill -9, and back on the broker."""
    pole.kill()
    pole.connect()


def _pole(commune: Commune = HELD) -> Pole:
    return Pole(commune, nap_s=60).ready()


def _soon(recording: str, at: Pole | None = None, air_class: AirClass = AirClass.ORDINARY, **more: object) -> object:
    now = at.now if at else NOON
    return order(broadcast("soon", now + timedelta(seconds=SOON_S), recording, air_class=air_class),
                 issued=now - timedelta(seconds=1), **{"version": 10} | more)  # type: ignore[arg-type]


def _silent(pole: Pole) -> bool:
    pole.run_for(4 * SOON_S)
    return not pole.heard

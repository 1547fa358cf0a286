"""A real pole carries the head of its server's log; a server whose log was rewritten is found out when it returns."""

from pathlib import Path

import pytest
from sqlalchemy import delete
from sqlmodel import Session, col, select

from firmware_bridge.bridge.broker.nats import EmbeddedNats
from firmware_bridge.contract import envelope as dsse
from firmware_bridge.contract import keys
from loudspeaker.conductor import offline, poles
from loudspeaker.conductor.house import House
from loudspeaker.conductor.opening import open_house
from loudspeaker.conductor.setup import FirstRun, set_up
from loudspeaker.demo.sample import acting
from loudspeaker.faults.models import Fault, FaultKind
from loudspeaker.nodes.models import NodeState
from loudspeaker.transparency import service as log
from loudspeaker.transparency.models import LoggedDocument, LoggedSubtree
from loudspeaker.users.first_run import setup_code
from tests.system.commune import prepared, until

pytestmark = pytest.mark.alone


def carried(house: House) -> tuple[int, str]:
    """(size, root) of the head that the only pole says it carries."""
    with house.database.read() as session:
        state = session.exec(select(NodeState)).first()
        return (state.held_log_size, state.held_log_root) if state else (0, "")


def rewrite(session: Session) -> None:
    """The first document is another one, and the whole tree fits it."""
    held = [(one.at, one.envelope) for one in log.documents(session, 0, 1000)]
    held[0] = (held[0][0], dsse.encode(dsse.sign("application/x", b"forged", keys.new_key())))
    for table in (LoggedDocument, LoggedSubtree):
        session.exec(delete(table))
    session.expunge_all()
    for at, raw in held:
        log.append(session, at, dsse.decode(raw))


def security_faults(house: House) -> set[str]:
    """Reasons of the security faults."""
    with house.database.read() as session:
        return {str(one.data.get("reason")) for one in session.exec(select(Fault).where(
            col(Fault.kind) == FaultKind.SECURITY))}


def test_a_pole_finds_out_that_the_servers_log_was_rewritten(tmp_path: Path) -> None:
    commune = prepared(tmp_path)
    with open_house(commune.settings) as house:
        house.processing.close()
        with house.database.work() as session:
            offline.install_new_keys(session, house)
            house.setup_code = setup_code(session)
        place, admin = set_up(house, house.setup_code or "", FirstRun("Xã Minh Tân", "", "Quang", "quantri",
                                                                      "một mật khẩu đủ dài"))
        house.broker = EmbeddedNats(house.settings.data / "broker", house.site, house.settings.broker_host,
                                    commune.settings.broker_port)
        config = tmp_path / "pole.json"
        with house.database.work() as session:
            made = poles.add_node(session, house, acting(session, house, admin), place.id, "Cụm 1")
            config.write_text(made.config)
        try:
            commune.start()
            commune.start_pole(config)
            until("the pole carries the head", lambda: carried(house)[0] > 0, 120)
            with house.database.read() as session:
                assert log.root(session, carried(house)[0]).hex() == carried(house)[1]
            assert security_faults(house) == set()
            commune.server.stop()
            with house.database.work() as session:
                rewrite(session)
            commune.start()
            until("the rewritten log is found out", lambda: "log_forked" in security_faults(house), 120)
        finally:
            commune.stop()

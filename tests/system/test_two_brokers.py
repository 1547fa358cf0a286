"""The server as a process, with its own broker and somebody else's Mosquitto beside it."""

from pathlib import Path

from chaos.served import Served
from chaos.writers import TOKEN, Acknowledged, Commune, Pole
from firmware_bridge.bridge.broker import Admin, MosquittoProcess
from tests.firmware_bridge.bridge.clients import wait_until


def test_a_pole_is_heard_at_either_of_two_brokers_and_one_away_is_a_warning(tmp_path: Path) -> None:
    commune, noted = Commune.make(tmp_path / "data"), Acknowledged()
    foreign = MosquittoProcess(tmp_path / "mosquitto", commune.site, Admin("admin", "its-password"))
    foreign.start()
    (tmp_path / "admin.txt").write_text("its-password\n")
    server = Served(commune.data, token=TOKEN, brokers=f"embedded,mosquitto://127.0.0.1:{foreign.address.port}",
                    broker_admin_file=str(tmp_path / "admin.txt")).ready()
    try:
        assert [one["port"] for one in server.told["brokers"]][1] == foreign.address.port
        pole = Pole(commune, noted)
        for broker in server.told["brokers"]:
            server.told["broker"], before = broker, noted.receipted
            pole.join(server)
            assert wait_until(lambda seen=before: noted.receipted > seen)  # type: ignore[misc]
            pole.leave()
        foreign.stop()
        assert wait_until(lambda: "spare_broker" in server.client.get("/api/v1/faults").text, 40)
        assert server.client.get("/healthz").status_code == 200
    finally:
        server.client.close()
        server.stop()
        foreign.stop()

"""Real server, broker and poles: air now, stop in the middle of it, a pole that was away obeys on its return."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from loudspeaker.demo.sample import Sample
from tests.system.commune import Commune, sample_commune, until

LEAD_S = 8
SOON_S = 15.0


class Desk:
    """The sample editor at the API, and two poles of the commune."""

    def __init__(self, commune: Commune, sample: Sample) -> None:
        self.commune, self.sample = commune, sample
        self.client = httpx2.Client(base_url=f"{commune.url}/api/v1", trust_env=False, timeout=20.0,
                                    headers={"Authorization": f"Bearer {sample.editor_token}"})
        self.here, self.away = list(sample.configs)[:2]
        self._files = {node: sample.configs[node].read_text() for node in (self.here, self.away)}
        for node in (self.here, self.away):
            self.start(node)
        until("both poles are heard", lambda: self.online() == {self.here, self.away}, 30.0)

    def start(self, node: str) -> None:
        """Start a pole, also one that was killed: what it recorded lies where its configuration was."""
        self.sample.configs[node].write_text(self._files[node])
        self.commune.start_pole(self.sample.configs[node])

    def get(self, path: str, **query: Any) -> Any:
        answer = self.client.get(path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, **body: Any) -> Any:
        answer = self.client.post(path, json=body)
        assert answer.status_code < 300, answer.text
        return answer.json()

    def online(self) -> set[str]:
        return {node["id"] for node in self.get("/nodes") if node["state"]["online"]}

    def body(self, pieces: list[str], *nodes: str) -> dict[str, Any]:
        return {"place_id": self.sample.commune.id, "title": "Thử phát",
                "items": [{"recordings": {"vi": self.sample.recordings[one]}} for one in pieces],
                "targets": [{"kind": "node", "id": node} for node in nodes]}

    def state(self, broadcast: str, node: str) -> tuple[str, str | None]:
        row = self.get(f"/playbacks/{node}/{broadcast}")["row"]
        return row["state"], row["reason"]

    def becomes(self, broadcast: str, node: str, state: str, reason: str | None = None) -> Callable[[], bool]:
        return lambda: self.state(broadcast, node) == (state, reason)

    def faults(self, state: str) -> list[str]:
        return [one["node_id"] for one in self.get("/faults", state=state) if one["kind"] == "offline"]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with sample_commune(tmp_path_factory.mktemp("stop")) as (commune, sample, _house):
        opened = Desk(commune, sample)
        yield opened
        opened.client.close()


def test_stop_holds_for_who_plays_and_for_who_was_away(desk: Desk) -> None:
    now = desk.post("/broadcasts/now", lead_s=LEAD_S, **desk.body(["places", "how", "call"], desk.here))
    broadcast = now["broadcast"]["id"]
    until("the pole is on the air", desk.becomes(broadcast, desk.here, "playing"), LEAD_S + SOON_S)
    desk.commune.poles[desk.away].kill()
    until("its silence is a fault", lambda: desk.faults("open") == [desk.away], 40.0)

    later = datetime.now(UTC) + timedelta(seconds=25)
    desk.post("/programmes", first_start=later.isoformat(), latest_start_s=10, **desk.body(["turnout"], desk.away))
    planned = desk.get("/broadcasts", since=later.isoformat())[0]["id"]
    desk.post("/stop", scope="all", active=True, confirm=True)
    until("the pole is silent", desk.becomes(broadcast, desk.here, "partial", "stopped"))

    desk.start(desk.away)
    until("it is back", lambda: desk.faults("closed") == [desk.away], 30.0)
    until("it obeys", desk.becomes(planned, desk.away, "missed", "stopped"), 90.0)

    desk.post("/stop", scope="all", active=False, confirm=True)
    again = desk.post("/broadcasts/now", lead_s=LEAD_S, **desk.body(["greeting"], desk.here, desk.away))
    for node in (desk.here, desk.away):
        until("both sound again", desk.becomes(again["broadcast"]["id"], node, "played"), 60.0)

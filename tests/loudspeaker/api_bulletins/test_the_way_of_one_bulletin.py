"""From an uploaded file to a sound that nodes may fetch."""

import hashlib

from firmware_bridge.contract import envelope, trust
from loudspeaker.trust.service import current_trust
from tests.loudspeaker.builders import a_client, a_node
from tests.loudspeaker.commune import Commune, listen, sign, upload, write_bulletin
from tests.loudspeaker.sounds import speech_like


def test_an_upload_is_processed_heard_signed_and_fetched_by_a_node(commune: Commune) -> None:
    recording = upload(commune, write_bulletin(commune), speech_like(3), chime="1")
    seen = commune.client(commune.editor).get(f"/api/v1/recordings/{recording}").json()
    assert (seen["state"], seen["error"]) == ("ready", None), seen
    assert listen(commune, commune.approver, recording)["complete"]
    outcome = sign(commune, commune.approver, recording).json()
    assert (outcome["recording"]["state"], outcome["signed"], outcome["needed"]) == ("approved", 1, 1)

    with commune.house.database.work() as session:
        a_node(session, commune.village, token="node-secret")
    node = a_client(commune.app)
    node.headers["Authorization"] = "Bearer node-secret"
    sound = node.get(f"/recordings/{seen['sha256']}")
    assert hashlib.sha256(sound.content).hexdigest() == seen["sha256"]
    (statement,) = node.get(f"/recordings/{seen['sha256']}/statement").json()
    with commune.house.database.read() as session:
        held = current_trust(session)
    believed = trust.read_recording(envelope.from_dict(statement), held, commune.village.path_ids, commune.clock())
    assert believed.recording == seen["sha256"]

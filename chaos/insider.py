"""One person with two roles, who wants something on air that nobody else has heard."""

from collections.abc import Set

from fastapi import FastAPI

from firmware_bridge.contract.documents import Approver, ApproverList
from firmware_bridge.contract.envelope import to_dict
from firmware_bridge.contract.keys import key_id, new_key, public_to_base64
from loudspeaker.approvals import keys
from loudspeaker.approvals.models import SigningKey
from loudspeaker.bulletins.models import Recording, RecordingState
from loudspeaker.users.models import Role, User
from tests.firmware_bridge.builders import COMMUNE as PLACE
from tests.firmware_bridge.builders import NOON as POLE_NOON
from tests.firmware_bridge.builders import Commune as Site
from tests.firmware_bridge.builders import approved, broadcast, by_server, order, sha
from tests.firmware_bridge.node.pole import Pole
from tests.loudspeaker.authority import authority_signs, install_trust
from tests.loudspeaker.builders import SetClock, a_user, grant
from tests.loudspeaker.commune import Commune, a_commune_with_people, listen, ready, registration, sign, write_bulletin


class Insider:
    """Tries it through the server's own doors, and then with the broker on a pole."""

    def __init__(self, app: FastAPI, clock: SetClock) -> None:
        self._commune: Commune
        install_trust(app.state.house)
        self._commune = a_commune_with_people(app, clock)

    def gets_something_approved_alone(self, roles: Set[Role]) -> bool:
        """Whether anything that this person made, or a key that only they listed, came to count."""
        return self._through_the_server(roles) or self._on_a_pole()

    def _through_the_server(self, roles: Set[Role]) -> bool:
        commune, key = self._commune, new_key()
        first, *others = sorted(roles)
        with commune.house.database.work() as session:
            me = a_user(session, first, commune.place)
            for role in others:
                grant(session, me, role, commune.place)
        client = commune.client(me)
        client.post("/api/v1/me/signing-keys", json=registration(key, me))
        name = key_id(public_to_base64(key))
        client.post(f"/api/v1/signing-keys/{name}/list", json={"place_id": commune.place.id})
        if self._lists_itself(me, name):
            return True
        if Role.APPROVER in roles:
            self._listed_by_the_authority(name)
            commune.keys[me.id] = key
        author = me if self._may_write(me) else commune.editor
        recording = ready(commune, write_bulletin(commune, author), author)
        if author is me and Role.APPROVER in roles:
            listen(commune, me, recording)
            sign(commune, me, recording, key)
        with commune.house.database.read() as session:
            return session.get_one(Recording, recording).state == RecordingState.APPROVED

    def _may_write(self, me: User) -> bool:
        given = {"place_id": self._commune.place.id, "title": "Thử", "kind": "notice"}
        return self._commune.client(me).post("/api/v1/bulletins", json=given).status_code == 201

    def _lists_itself(self, me: User, name: str) -> bool:
        """Signs the approver list with the own key, which no root names."""
        house, own = self._commune.house, new_key()
        with house.database.read() as session:
            draft = keys.list_to_sign(session, house.now())
        mine = Approver(owner=me.id, name=me.name, place=self._commune.place.id, public_key=public_to_base64(own),
                        valid_from=draft.issued, valid_until=draft.expires)
        forged = ApproverList(**draft.model_dump() | {"approvers": (*draft.approvers, mine)})
        client = self._commune.client(me)
        return any(client.post("/api/v1/trust/approvers", json={"envelope": to_dict(one.sign(own))}).is_success
                   for one in (draft, forged))

    def _listed_by_the_authority(self, name: str) -> None:
        house = self._commune.house
        with house.database.work() as session:
            key = session.get(SigningKey, name)
            if key is not None and key.place_id is None:
                keys.propose_key(session, self._commune.actor(session, self._commune.administrator), house.now(), name,
                                 self._commune.place.id)
            authority_signs(session, house)

    def _on_a_pole(self) -> bool:
        """The same person as author, approver and second listener, with a listed key and the server's."""
        recording, pole = sha("mine"), Pole(Site(approvers=(("me", "me", PLACE), ("hoa", "hoa", PLACE)))).ready()
        pole.store(recording, approved(recording, "me", author="me"),
                   approved(recording, "me", author="lan", second_listener="me"),
                   approved(recording, "server", "me", author="me"))
        pole.receive(by_server(order(broadcast("soon", POLE_NOON, recording))))
        pole.run_for(60)
        return bool(pole.heard)

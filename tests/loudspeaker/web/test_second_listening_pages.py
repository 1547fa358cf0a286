"""Second listening on its pages: who is asked, what the approver reads, and who may not."""

import pytest

from tests.loudspeaker.approvals.conftest import commune
from tests.loudspeaker.approvals.test_second_listening import SAYS, hmong_speaker, in_hmong, speaks
from tests.loudspeaker.commune import Commune, listen

__all__ = ["commune"]
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
NEEDED = "chờ người nghe giúp"


def test_the_speaker_confirms_on_the_page_and_the_approver_reads_it(commune: Commune) -> None:
    recording, speaker = in_hmong(commune), hmong_speaker(commune)
    approver, desk = commune.client(commune.approver), commune.client(speaker)
    assert NEEDED in approver.get("/approve").text
    sheet = approver.get(f"/approve/sheet?recording={recording}").text
    assert speaker.name in sheet
    assert "data-sign" not in sheet
    assert recording in desk.get("/second-listening").text
    assert desk.get("/bulletins").text.count("/second-listening") == 1
    listen(commune, speaker, recording)
    silent = desk.post(f"/second-listening/{recording}", data={"says": ""})
    assert silent.status_code == 422
    assert "Hãy ghi bằng tiếng Việt bản thu nói gì." in silent.text
    done = desk.post(f"/second-listening/{recording}", data={"says": SAYS})
    assert (done.status_code, done.headers["location"]) == (303, "/second-listening")
    assert recording not in desk.get("/second-listening").text
    sheet = approver.get(f"/approve/sheet?recording={recording}").text
    assert SAYS in sheet
    assert "data-sign" in sheet
    bulletin = approver.get(f"/api/v1/recordings/{recording}").json()["bulletin_id"]
    assert SAYS in approver.get(f"/bulletins/{bulletin}").text


def test_who_does_not_speak_it_is_not_asked(commune: Commune) -> None:
    recording = in_hmong(commune)
    gone = commune.client(commune.second).get(f"/second-listening/{recording}")
    assert (gone.status_code, gone.headers["location"]) == (303, "/second-listening")
    assert recording not in commune.client(commune.second).get("/second-listening").text


def test_an_approver_who_confirmed_is_told_that_somebody_else_approves(commune: Commune) -> None:
    recording = in_hmong(commune)
    speaks(commune, commune.second, "vi", "hmn")
    listen(commune, commune.second, recording)
    commune.client(commune.second).post(f"/second-listening/{recording}", data={"says": SAYS})
    sheet = commune.client(commune.second).get(f"/approve/sheet?recording={recording}").text
    assert "phải do người khác phê duyệt" in sheet
    assert "data-sign" not in sheet


def test_ones_own_languages_are_chosen_on_the_account_page(commune: Commune) -> None:
    desk = commune.client(commune.editor)
    form = {"name": commune.editor.name, "phone": "", "languages": ["vi", "tyz"]}
    assert desk.post("/account", data=form).status_code == 303
    assert desk.get(f"/api/v1/users/{commune.editor.id}").json()["languages"] == ["vi", "tyz"]
    assert 'value="tyz" checked' in desk.get("/account").text

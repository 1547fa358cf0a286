"""Bulletins: found, written, spoken, revoked."""

from datetime import timedelta

from loudspeaker.bulletins import recordings
from loudspeaker.bulletins.models import Recording, RecordingState
from loudspeaker.nodes.models import HeldRecording
from tests.loudspeaker.builders import a_node
from tests.loudspeaker.commune import Commune, approved, listen, ready, write_bulletin
from tests.loudspeaker.web.content import browser, page, send, text


def test_an_empty_list_teaches_what_a_bulletin_is(commune: Commune) -> None:
    assert "Write the first bulletin" in page(browser(commune, commune.editor), "/bulletins")
    assert "/bulletins/new" not in page(browser(commune, commune.approver), "/bulletins")


def test_a_bulletin_is_written_and_found_without_accents(commune: Commune) -> None:
    client = browser(commune, commune.editor)
    where = send(client, "/bulletins/new", place_id=commune.place.id, title="Lịch bầu cử", kind="voting_information",
                 air_class="1", script="Sáng chủ nhật.")
    assert "Lịch bầu cử" in page(client, where)
    assert "Lịch bầu cử" in page(client, "/bulletins?q=lich+bau+cu")
    assert "Nothing found" in page(client, "/bulletins?q=tiem+phong")


def test_the_refreshed_part_of_the_list_is_only_the_list(commune: Commune) -> None:
    write_bulletin(commune)
    part = page(browser(commune, commune.editor), "/bulletins/live?q=tiem")
    assert "Thông báo tiêm phòng" in part
    assert "<html" not in part


def test_a_form_without_a_title_comes_back_filled(commune: Commune) -> None:
    shown = send(browser(commune, commune.editor), "/bulletins/new", 422, place_id=commune.place.id, title=" ",
                 kind="news", script="Kính thưa bà con")
    assert "The bulletin needs a title." in shown
    assert "Kính thưa bà con" in shown


def test_who_only_approves_cannot_write(commune: Commune) -> None:
    shown = send(browser(commune, commune.approver), "/bulletins/new", 403, place_id=commune.place.id, title="Tin")
    assert "Your account may not do this here." in shown


def test_a_signed_title_cannot_be_changed(commune: Commune) -> None:
    bulletin = write_bulletin(commune)
    ready(commune, bulletin)
    client = browser(commune, commune.editor)
    assert "Thông báo tiêm phòng" in page(client, f"/bulletins/{bulletin}/edit")
    shown = send(client, f"/bulletins/{bulletin}/edit", 409, title="Tiêu đề khác", kind="notice", air_class="0")
    assert "Title, kind and class cannot change" in shown


def test_a_recording_is_shown_with_loudness_and_history(commune: Commune) -> None:
    recording, statement = approved(commune)
    shown = text(page(browser(commune, commune.editor), f"/bulletins/{statement.bulletin}"))
    assert "-16.0 LUFS" in shown.replace("\N{MINUS SIGN}", "-")
    assert "Lê Văn Tùng signed the approval" in shown
    assert "Lê Văn Tùng heard it to the end" in shown
    assert f'data-player="{recording}"' in page(browser(commune, commune.editor), f"/bulletins/{statement.bulletin}")


def test_the_reason_of_sending_back_stands_at_the_recording(commune: Commune) -> None:
    bulletin = write_bulletin(commune)
    recording = ready(commune, bulletin)
    send(browser(commune, commune.approver), f"/approve/{recording}/send-back", reason="Sai ngày tiêm")
    shown = text(page(browser(commune, commune.editor), f"/bulletins/{bulletin}"))
    assert "sent back — Sai ngày tiêm" in shown


def test_the_machine_speaks_the_script(commune: Commune) -> None:
    bulletin = write_bulletin(commune, script="Kính thưa bà con.")
    client, here = browser(commune, commune.editor), f"/bulletins/{bulletin}"
    assert send(client, f"{here}/speak", text="Kính thưa bà con.", voice="vi") == here
    assert "spoken by the machine" in page(client, here)
    assert "There is nothing to speak" in send(client, f"/bulletins/{write_bulletin(commune)}/speak", 422, text="…")
    assert commune.house.processing.wait(60)


def test_what_failed_for_no_fault_of_its_own_is_tried_again(commune: Commune) -> None:
    bulletin = write_bulletin(commune)
    recording = _failed(commune, bulletin, "timed_out")
    client = browser(commune, commune.editor)
    shown = page(client, f"/bulletins/{bulletin}")
    assert "Processing took too long and was stopped." in shown
    send(client, f"/bulletins/{bulletin}/recordings/{recording}/retry")
    assert commune.house.processing.wait(60)


def test_a_file_that_is_no_sound_is_not_offered_again(commune: Commune) -> None:
    bulletin = write_bulletin(commune)
    recording = _failed(commune, bulletin, "not_audio")
    shown = page(browser(commune, commune.editor), f"/bulletins/{bulletin}")
    assert "This file is not a sound recording." in shown
    assert f"{recording}/retry" not in shown


def test_revoking_needs_the_word_and_shows_who_still_holds_it(commune: Commune) -> None:
    recording, statement = approved(commune)
    with commune.house.database.work() as session:
        node = a_node(session, commune.village, "Loa đình làng")
        session.add(HeldRecording(node_id=node.id, sha256=statement.recording, stored_at=commune.clock()))
    client, here = browser(commune, commune.approver), f"/bulletins/{statement.bulletin}"
    refused = send(client, f"{here}/recordings/{recording}/revoke", 422, reason="Sai", confirmation="yes")
    assert "Type the word to confirm" in refused
    send(client, f"{here}/recordings/{recording}/revoke", reason="Sai địa điểm", confirmation="revoke")
    shown = text(page(client, here))
    assert "revoked — Sai địa điểm" in shown
    assert "Loa đình làng" in shown
    assert "not told yet" in shown


def test_an_editor_is_offered_no_revoking(commune: Commune) -> None:
    _, statement = approved(commune)
    assert "/revoke" not in page(browser(commune, commune.editor), f"/bulletins/{statement.bulletin}")


def test_a_bulletin_is_put_away_and_brought_back(commune: Commune) -> None:
    bulletin = write_bulletin(commune)
    client = browser(commune, commune.editor)
    send(client, f"/bulletins/{bulletin}/archive")
    assert "Thông báo tiêm phòng" not in page(client, "/bulletins/live")
    assert "Thông báo tiêm phòng" in page(client, "/bulletins?archived=1")
    send(client, f"/bulletins/{bulletin}/bring-back")
    assert "Thông báo tiêm phòng" in page(client, "/bulletins/live")


def test_who_made_it_reads_that_somebody_else_must_approve(commune: Commune) -> None:
    bulletin = write_bulletin(commune)
    ready(commune, bulletin)
    assert "somebody else must hear and approve it" in page(browser(commune, commune.editor), f"/bulletins/{bulletin}")
    assert "/approve/sheet" in page(browser(commune, commune.approver), f"/bulletins/{bulletin}")


def test_hearing_in_part_is_no_step_of_the_history(commune: Commune) -> None:
    bulletin = write_bulletin(commune)
    recording = ready(commune, bulletin, duration_ms=60_000)
    client = commune.client(commune.approver)
    assert client.get(f"/api/v1/recordings/{recording}/audio").status_code == 200
    client.post(f"/api/v1/recordings/{recording}/heard", json={"intervals": [[0, 5000]]})
    assert "heard it to the end" not in page(browser(commune, commune.editor), f"/bulletins/{bulletin}")
    listen(commune, commune.approver, recording)
    assert "heard it to the end" in page(browser(commune, commune.editor), f"/bulletins/{bulletin}")


def _failed(commune: Commune, bulletin: str, code: str) -> str:
    with commune.house.database.work() as session:
        actor = commune.actor(session, commune.editor)
        recording = Recording(bulletin_id=bulletin, author_id=actor.user.id, deadline_at=commune.clock() + timedelta(1),
                              source_path="uploads/gone.part", created_at=commune.clock(),
                              state=RecordingState.PROCESSING)
        session.add(recording)
        session.flush()
        recordings.fail(session, commune.clock(), recording.id, code, {})
        return recording.id

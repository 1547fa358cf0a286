"""Approval: the queue, the sheet, sending back, and the signing key."""

from loudspeaker.users.models import Role
from tests.loudspeaker.builders import a_user, grant
from tests.loudspeaker.commune import Commune, give_key, listen, ready, write_bulletin
from tests.loudspeaker.web.content import browser, page, send, text


def test_nothing_waits_at_first(commune: Commune) -> None:
    assert "Nothing waits for you" in page(browser(commune, commune.approver), "/approve")


def test_who_does_not_approve_reads_what_the_page_is_for(commune: Commune) -> None:
    assert "For approvers" in page(browser(commune, commune.editor), "/approve")


def test_the_sheet_holds_what_was_chosen_and_one_bar_to_sign_it(commune: Commune) -> None:
    first, second, third = (ready(commune, write_bulletin(commune, title=title)) for title in ("Một", "Hai", "Ba"))
    client = browser(commune, commune.approver)
    assert page(client, "/approve").count('name="recording"') == 3
    sheet = page(client, f"/approve/sheet?recording={first}&recording={third}")
    assert sheet.count("data-sign>") == 2
    assert f'data-player="{second}"' not in sheet
    assert sheet.count("data-signbar") == 1


def test_what_was_heard_is_remembered(commune: Commune) -> None:
    recording = ready(commune)
    listen(commune, commune.approver, recording)
    assert "heard to the end" in page(browser(commune, commune.approver), "/approve/live")
    assert "data-heard" in page(browser(commune, commune.approver), f"/approve/sheet?recording={recording}")


def test_ones_own_recording_is_shown_as_waiting_for_somebody_else(commune: Commune) -> None:
    with commune.house.database.work() as session:
        both = a_user(session, Role.EDITOR, commune.place, "Vũ Thị Lan")
        grant(session, both, Role.APPROVER, commune.place)
    recording = ready(commune, write_bulletin(commune, both), both)
    shown = page(browser(commune, both), "/approve")
    assert "Made by you: somebody else must approve it" in shown
    answer = browser(commune, both).get(f"/approve/sheet?recording={recording}")
    assert answer.headers["location"] == "/approve"


def test_sending_back_needs_a_reason_that_is_kept_when_it_fails(commune: Commune) -> None:
    recording = ready(commune)
    client = browser(commune, commune.approver)
    assert "Thông báo tiêm phòng" in page(client, f"/approve/{recording}/send-back")
    assert "Say why." in send(client, f"/approve/{recording}/send-back", 422, reason=" ")
    assert send(client, f"/approve/{recording}/send-back", reason="Nói vấp") == "/approve"
    assert "Nothing waits for you" in page(client, "/approve")
    assert "does not wait for approval any more" in page(client, f"/approve/{recording}/send-back", 409)


def test_an_editor_cannot_send_back(commune: Commune) -> None:
    recording = ready(commune)
    page(browser(commune, commune.editor), f"/approve/{recording}/send-back", 403)


def test_without_a_key_the_sheet_can_be_heard_but_not_signed(commune: Commune) -> None:
    with commune.house.database.work() as session:
        newcomer = a_user(session, Role.APPROVER, commune.place, "Hoàng Văn Nam")
    recording = ready(commune)
    client = browser(commune, newcomer)
    sheet = page(client, f"/approve/sheet?recording={recording}")
    assert "you need a signing key" in sheet
    assert "data-signbar" not in sheet
    assert "data-make-key" in page(client, "/account/signing-key")


def test_a_new_key_waits_for_an_administrator_whom_the_page_names(commune: Commune) -> None:
    with commune.house.database.work() as session:
        newcomer = a_user(session, Role.APPROVER, commune.place, "Hoàng Văn Nam")
    give_key(commune, newcomer, listed=False)
    shown = text(page(browser(commune, newcomer), "/account/signing-key"))
    assert "waits to be listed by an administrator" in shown
    assert "Phạm Văn Đức" in shown
    assert "An administrator must list it" in page(browser(commune, newcomer), "/approve")


def test_a_listed_key_is_given_up_only_with_the_word(commune: Commune) -> None:
    client = browser(commune, commune.approver)
    assert "your signature counts" in page(client, "/account/signing-key")
    assert "data-change-passphrase" in page(client, "/account/signing-key")
    refused = send(client, "/account/signing-key/revoke", 422, reason="Lộ mật khẩu", confirmation="")
    assert "Type the word to confirm" in refused
    send(client, "/account/signing-key/revoke", reason="Lộ mật khẩu", confirmation="give up")
    assert "data-make-key" in page(client, "/account/signing-key")


def test_who_does_not_approve_needs_no_key(commune: Commune) -> None:
    assert "Only approvers have signing keys." in page(browser(commune, commune.editor), "/account/signing-key")


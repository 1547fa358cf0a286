"""Programmes: checked, saved, changed, cancelled, aired at once, and seen in the week. Monday 02/03/2026, 08:00."""

from dataclasses import dataclass
from typing import Any

import pytest
from fastapi.testclient import TestClient

from loudspeaker.bulletins.models import Recording, RecordingState
from loudspeaker.nodes.models import Node
from loudspeaker.programmes.models import Programme
from tests.loudspeaker.airing_builders import a_policy, an_approved_recording
from tests.loudspeaker.builders import a_node, a_village, a_zone
from tests.loudspeaker.commune import Commune
from tests.loudspeaker.web.content import browser, page, send, text


@dataclass
class Planning:
    """A commune with a signed policy (05:00–20:00), two poles and an approved minute of news."""

    commune: Commune
    client: TestClient
    near: Node
    far: Node
    news: Recording

    def form(self, **changed: Any) -> dict[str, Any]:
        """The form as the editor fills it for tomorrow at 05:30, everywhere."""
        return {"action": "save", "title": "Bản tin sáng", "place_id": self.commune.place.id,
                "target": f"place:{self.commune.place.id}", "item": self.news.id, "gap": "1", "repeat": "once",
                "first_day": "03/03/2026", "at": "05:30", "air_class": "0", "volume": "80", "late": "5",
                "languages": "first"} | changed

    def saved(self, **changed: Any) -> str:
        """Address of a programme that was saved."""
        return send(self.client, "/programmes/new", **self.form(**changed))


@pytest.fixture
def planning(commune: Commune) -> Planning:
    """What most of these tests begin with."""
    with commune.house.database.work() as session:
        a_policy(session, commune.place)
        other = a_village(session, commune.place, "Thôn Cây Thị")
        near, far = a_node(session, commune.village, "Loa đình làng"), a_node(session, other, "Loa cầu treo")
        a_zone(session, commune.place, near, name="Gần chợ")
        news = an_approved_recording(session, commune.place, commune.actor(session, commune.editor))
    return Planning(commune, browser(commune, commune.editor), near, far, news)


def test_without_an_approved_recording_the_form_says_what_to_do(commune: Commune) -> None:
    assert "No approved recording yet" in page(browser(commune, commune.editor), "/programmes/new")
    assert "No programme yet" in page(browser(commune, commune.editor), "/programmes")


def test_the_form_begins_with_the_recording_that_is_to_be_scheduled(planning: Planning) -> None:
    shown = page(planning.client, f"/programmes/new?recording={planning.news.id}")
    assert f'value="{planning.news.id}" selected' in shown
    assert 'value="03/03/2026"' in shown


def test_a_check_reads_the_plan_back_in_words(planning: Planning) -> None:
    form = planning.form(action="check", repeat="daily", last_day="15/03/2026", left_out="07/03, 08/03/2026")
    shown = text(send(planning.client, "/programmes/new", 200, **form))
    assert "05:30 every day, 03/03–15/03, not on 07/03, 08/03, 2 nodes, 1 minute" in shown
    assert "Nothing stands against it." in shown
    assert "No programme yet" in page(planning.client, "/programmes")


def test_the_plan_is_read_back_in_vietnamese(planning: Planning) -> None:
    planning.client.cookies.set("lang", "vi")
    form = planning.form(action="check", repeat="daily", last_day="15/03/2026")
    shown = text(send(planning.client, "/programmes/new", 200, **form))
    assert "05:30 mỗi ngày, 03/03–15/03, 2 cụm loa, 1 phút" in shown


def test_a_programme_is_saved_and_listed_with_its_next_airing(planning: Planning) -> None:
    where = planning.saved(repeat="weekly", weekday=["TU", "SA"])
    assert "05:30 on Tue, Sat, from 03/03/2026 on" in text(page(planning.client, where))
    assert "05:30 tomorrow" in text(page(planning.client, "/programmes"))


def test_a_meeting_with_another_programme_is_refused_and_the_free_time_is_one_press_away(planning: Planning) -> None:
    planning.saved()
    refused = send(planning.client, "/programmes/new", 409, **planning.form(title="Trùng giờ"))
    assert "“Bản tin sáng” of the same class airs at this time" in refused
    assert "Not saved" in refused
    taken = send(planning.client, "/programmes/new", 200,
                 **planning.form(title="Trùng giờ", action="take", next_free="2026-03-02T22:31:00+00:00"))
    assert "Nothing stands against it." in taken
    assert 'value="05:31"' in taken


def test_a_higher_class_is_saved_and_says_what_it_interrupts(planning: Planning) -> None:
    planning.saved()
    with planning.commune.house.database.work() as session:
        urgent = an_approved_recording(session, planning.commune.place,
                                       planning.commune.actor(session, planning.commune.editor), "Lũ", air_class=1)
    form = planning.form(title="Lũ", item=urgent.id, air_class="1", action="check")
    assert "interrupts “Bản tin sáng”" in send(planning.client, "/programmes/new", 200, **form)
    send(planning.client, "/programmes/new", **form | {"action": "save"})


def test_an_hour_outside_the_frames_is_refused(planning: Planning) -> None:
    refused = send(planning.client, "/programmes/new", 409, **planning.form(at="20h30"))
    assert "outside the time frames" in refused
    assert "Take the next free time" in refused


@pytest.mark.parametrize(("changed", "sentence"), [
    ({"title": " "}, "Give the programme a title."),
    ({"item": ""}, "Choose between 1 and 50 recordings."),
    ({"item": "gone"}, "A chosen recording is not approved."),
    ({"target": ""}, "Choose at least one loudspeaker"),
    ({"target": "node:gone"}, "A chosen place, group or loudspeaker no longer exists."),
    ({"at": "25:00"}, "This is no time of day."),
    ({"at": "sáng"}, "This is no time of day."),
    ({"first_day": "31/02/2026"}, "This is no date."),
    ({"first_day": "01/03/2026"}, "This time has passed."),
    ({"volume": "to"}, "Give a number."),
    ({"volume": "1e400"}, "Give a number."),
    ({"volume": "nan"}, "Give a number."),
    ({"air_class": "1"}, "was approved for a lower class"),
    ({"repeat": "weekly"}, "Choose at least one day of the week."),
    ({"repeat": "daily", "left_out": "mai"}, "This is no date."),
    ({"action": "take", "next_free": "bây giờ"}, "This time has passed."),
    ({"place_id": ""}, "A chosen place, group or loudspeaker no longer exists."),
])
def test_what_is_wrong_is_told_and_what_was_typed_is_kept(planning: Planning, changed: dict[str, str],
                                                          sentence: str) -> None:
    shown = send(planning.client, "/programmes/new", 422, **planning.form(left_out="") | changed)
    assert sentence in shown
    assert f'value="{planning.form()["volume"] if "volume" not in changed else changed["volume"]}"' in shown


def test_an_approver_of_another_place_sees_no_form(planning: Planning) -> None:
    assert "Only broadcast staff and approvers" in page(
        browser(planning.commune, planning.commune.administrator), "/programmes/new")
    send(browser(planning.commune, planning.commune.administrator), "/programmes/new", 403, **planning.form())


def test_a_programme_is_changed_from_what_was_shown(planning: Planning) -> None:
    where = planning.saved(repeat="daily", last_day="15/03/2026", target=[f"node:{planning.near.id}"])
    form = page(planning.client, f"{where}/edit")
    assert 'value="15/03/2026"' in form
    send(planning.client, f"{where}/edit", **planning.form(revision="1", title="Bản tin trưa", at="11:30"))
    assert "11:30 Tuesday 03/03/2026" in text(page(planning.client, where))


def test_a_change_of_an_old_state_is_refused_and_the_new_one_is_offered(planning: Planning) -> None:
    where = planning.saved()
    send(planning.client, f"{where}/edit", **planning.form(revision="1", title="Bản tin trưa"))
    shown = send(planning.client, f"{where}/edit", 409, **planning.form(revision="1", title="Bản tin chiều"))
    assert "Somebody else has changed this programme since you opened it." in shown
    assert "Show the new state" in shown
    assert 'value="Bản tin chiều"' in shown


def test_a_recurrence_that_the_form_cannot_say_is_kept_as_it_is(planning: Planning) -> None:
    where = planning.saved()
    with planning.commune.house.database.work() as session:
        programme = session.get_one(Programme, where.rsplit("/", 1)[1])
        programme.rrule = "FREQ=MONTHLY;BYDAY=1TU"
        session.add(programme)
    form = page(planning.client, f"{where}/edit")
    assert 'value="other" checked' in form
    as_it_is = planning.form(revision="1", repeat="other", rrule="FREQ=MONTHLY;BYDAY=1TU")
    send(planning.client, f"{where}/edit", **as_it_is)
    with planning.commune.house.database.read() as session:
        assert session.get_one(Programme, where.rsplit("/", 1)[1]).rrule == "FREQ=MONTHLY;BYDAY=1TU"


def test_cancelling_needs_the_word_and_keeps_the_plan_for_the_record(planning: Planning) -> None:
    where = planning.saved()
    assert "Type the word" in send(planning.client, f"{where}/cancel", 422, revision="1", confirmation="")
    send(planning.client, f"{where}/cancel", revision="1", confirmation="cancel")
    assert "Bản tin sáng" not in page(planning.client, "/programmes/live")
    assert "Bản tin sáng" in page(planning.client, "/programmes?cancelled=1")
    assert "Nothing of it airs any more" in page(planning.client, where)


def test_one_airing_is_left_out_and_the_programme_goes_on(planning: Planning) -> None:
    where = planning.saved(repeat="daily")
    shown = page(planning.client, where)
    first = shown.split(f"{where}/broadcasts/")[1].split("/", 1)[0]
    assert "Type the time to confirm" in send(planning.client, f"{where}/broadcasts/{first}/cancel", 422)
    assert send(planning.client, f"{where}/broadcasts/{first}/cancel", confirmation="05:30") == where
    page(planning.client, where)  # tells it once
    assert text(page(planning.client, where)).count("will not air") == 1


def test_air_now_goes_out_in_seconds_inside_the_frames(planning: Planning) -> None:
    assert "in a few seconds" in page(planning.client, "/programmes/now")
    assert send(planning.client, "/programmes/now", **planning.form(title="")) == "/today"
    assert "Tin trong xã" in page(planning.client, "/programmes/week")
    refused = send(planning.client, "/programmes/now", 409, **planning.form(title="Lần nữa"))
    assert "of the same class airs at this time" in refused


def test_a_programme_tells_which_recording_was_revoked_since(planning: Planning) -> None:
    where = planning.saved()
    with planning.commune.house.database.work() as session:
        recording = session.get_one(Recording, planning.news.id)
        recording.state = RecordingState.REVOKED
        session.add(recording)
    assert "no longer approved: it does not air" in page(planning.client, where)
    assert "no longer approved" in page(planning.client, f"{where}/edit")
    assert "“Bản tin sáng” airs without it." in page(planning.client, f"/bulletins/{planning.news.bulletin_id}")


def test_the_week_shows_what_airs_at_a_village_inside_the_time_frames(planning: Planning) -> None:
    planning.saved(repeat="daily", target=[f"node:{planning.near.id}"])
    everywhere = page(planning.client, "/programmes/week")
    assert "02/03–08/03/2026" in everywhere
    assert everywhere.count('class="slot c0"') == 12  # six days, in the table and in the list of a phone
    assert everywhere.count('<td class="open"') == 30 * 7  # 05:00–20:00
    assert page(planning.client, f"/programmes/week?place={planning.far.place_id}").count("slot c0") == 0
    assert page(planning.client, "/programmes/week?day=2026-04-01").count('class="slot c0"') == 14
    assert page(planning.client, "/programmes/week?day=mai").count('class="slot c0"') == 12


def test_a_week_without_a_signed_policy_says_so(commune: Commune) -> None:
    assert "No approver has signed a policy here yet" in page(browser(commune, commune.editor), "/programmes/week")

"""From the first run to sound on a pole and its line in the log, in the browsers of three people."""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import imageio_ffmpeg
import pytest
from playwright.sync_api import Browser, Page, expect
from sqlmodel import select

from audio.store import ContentStore
from firmware_bridge.node.enrol import enrol
from loudspeaker.bulletins.models import Recording, RecordingState
from loudspeaker.database import Database
from loudspeaker.playbacks.models import Playback
from tests.system import heard
from tests.system.commune import Commune, empty_commune
from tests.system.people import at_a_browser, button, sign_in

pytestmark = pytest.mark.alone
COMMUNE, VILLAGE, POLE = "Xã Minh Tân", "Tân Bắc", "Tân Bắc 1"
TITLE = "Lịch tiêm phòng cho trẻ em"
PASSWORD = "một mật khẩu đủ dài"
PASSPHRASE = "bốn từ thật khó đoán"
AUTHORITY_PASSPHRASE = "danh sách chỉ chủ tịch ký"
SOUND_S = 5
EDITOR, APPROVER = ("hoa", "Nguyễn Thị Hoa", "editor"), ("lanh", "Trần Văn Lành", "approver")
TECHNICIAN = ("tho", "Hoàng Văn Thọ", "technician")


@dataclass
class People:
    """The commune and the three browsers."""

    commune: Commune
    administrator: Page
    editor: Page
    approver: Page
    files: Path


@pytest.fixture(scope="module")
def people(browser: Browser, built_assets: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    folder = tmp_path_factory.mktemp("path")
    with ExitStack() as stack:
        commune = stack.enter_context(empty_commune(folder))
        administrator, editor, approver = (stack.enter_context(at_a_browser(browser, commune.url)) for _ in range(3))
        yield People(commune, administrator, editor, approver, folder)


def test_from_the_first_run_to_sound_on_a_pole_and_the_log_that_proves_it(people: People) -> None:
    first_run(people)
    for login, name, role in (EDITOR, APPROVER, TECHNICIAN):
        add_person(people.administrator, login, name, role)
    sign_in(people.editor, EDITOR[0], PASSWORD)
    sign_in(people.approver, APPROVER[0], PASSWORD)
    make_signing_key(people.approver)
    list_key(people.administrator)
    two_for_emergencies(people)
    propose_policy(people.administrator)
    sign_policy(people.approver)
    add_pole(people)
    bulletin = upload_bulletin(people)
    self_approval_is_refused(people, bulletin)
    approve(people.approver)
    air(people.editor, bulletin)
    see_it_air_and_find_it_in_the_log(people.editor)
    hear_it_on_the_pole(people.commune)


def first_run(people: People) -> None:
    page = people.administrator
    page.goto("/")
    page.wait_for_url("**/setup")
    for name, value in {"code": people.commune.setup_code, "commune": COMMUNE, "identifier": "000.00.07.H60",
                        "phone": "02073835123", "villages": f"{VILLAGE}\nNà Lừa", "name": "Lê Văn Quang",
                        "login": "quantri", "password": PASSWORD, "again": PASSWORD}.items():
        page.fill(f"[name={name}]", value)
    page.fill("#key-passphrase", AUTHORITY_PASSPHRASE)
    page.fill("#key-again", AUTHORITY_PASSPHRASE)
    with page.expect_download() as saved:
        page.click("[data-save-root]")
    saved.value.save_as(people.files / "root.pem")
    button(page, "Thiết lập")
    expect(page.locator("#side")).to_be_attached(timeout=30_000)


def add_person(page: Page, login: str, name: str, role: str) -> None:
    page.goto("/people/new")
    page.select_option("[name=role]", role)
    page.select_option("[name=place_id]", label=COMMUNE)
    for field, value in {"name": name, "login": login, "password": PASSWORD}.items():
        page.fill(f"[name={field}]", value)
    button(page, "Thêm")
    expect(page.get_by_role("heading", name=name)).to_be_visible()


def make_signing_key(page: Page) -> None:
    page.goto("/account/signing-key")
    page.fill("#key-passphrase", PASSPHRASE)
    page.fill("#key-again", PASSPHRASE)
    button(page, "Tạo khóa ký của tôi")
    expect(page.locator(".fingerprint")).to_be_visible()


def list_key(page: Page) -> None:
    page.goto("/places")
    page.locator("section[aria-labelledby=waiting-keys] a").click()
    page.select_option("form[action$='/list'] [name=place_id]", label=COMMUNE)
    button(page, "Đề nghị ghi khóa này")
    expect(page.locator("#waiting")).to_contain_text(APPROVER[1])
    button(page, "Ký danh sách")
    give_passphrase(page, AUTHORITY_PASSPHRASE)
    expect(page.locator("#waiting")).to_have_count(0, timeout=30_000)
    expect(page.locator("section[aria-labelledby=approvers] table")).to_contain_text(APPROVER[1])


def two_for_emergencies(people: People) -> None:
    """The administrator changes the trust root with the key file."""
    page = people.administrator
    page.goto("/trust")
    page.fill("[name=emergency]", "2")
    page.set_input_files("#root-files", people.files / "root.pem")
    button(page, "Ký gốc tin cậy mới")
    facts = page.locator("section[aria-labelledby=root] dl").nth(1)
    expect(facts).to_contain_text("2", timeout=30_000)


def propose_policy(page: Page) -> None:
    """Open all day, so that the test airs at any hour."""
    page.goto("/policy")
    page.locator("main").get_by_role("link", name=COMMUNE).click()
    rows = page.locator(".frame-row")
    rows.nth(0).locator("[name=start]").fill("00:00")
    rows.nth(0).locator("[name=end]").fill("00:00")
    rows.nth(1).locator("[name=start]").fill("")
    for name in ("quiet_start", "quiet_end"):
        page.fill(f"[name={name}]", "")
    page.fill("[name=sessions_per_day]", "100")
    page.fill("[name=longest_session_minutes]", "1440")
    button(page, "Lưu thành đề xuất")
    expect(page.locator("section[aria-labelledby=draft]")).to_contain_text("00:00–24:00")


def sign_policy(page: Page) -> None:
    page.goto("/policy")
    page.locator("main").get_by_role("link", name=COMMUNE).click()
    button(page, "Ký quy định này")
    give_passphrase(page)
    expect(page.locator("section[aria-labelledby=holds]")).to_contain_text("00:00–24:00")


def give_passphrase(page: Page, passphrase: str = PASSPHRASE) -> None:
    page.fill("#passphrase-field", passphrase)
    page.press("#passphrase-field", "Enter")


def add_pole(people: People) -> None:
    page = people.administrator
    page.goto("/nodes/new")
    page.select_option("[name=place_id]", label=VILLAGE)
    page.fill("[name=name]", POLE)
    button(page, "Thêm cụm loa và tạo thẻ")
    config = people.files / "pole.json"
    made = enrol(page.locator(".token").inner_text(), config)
    people.commune.start_pole(config)
    page.goto(f"/nodes/{made.node}")
    expect(page.locator("main")).to_contain_text("hoạt động", timeout=20_000)


def upload_bulletin(people: People) -> str:
    """The address of the bulletin, once its recording is ready."""
    page = people.editor
    page.goto("/bulletins/new")
    page.fill("[name=title]", TITLE)
    button(page, "Lưu")
    page.wait_for_url("**/bulletins/*")
    expect(page.get_by_role("heading", name=TITLE)).to_be_visible()
    page.set_input_files("[data-upload] input[type=file]", speech(people.files))
    expect(page.locator("[data-player]")).to_be_visible(timeout=40_000)
    return page.url


def speech(folder: Path) -> Path:
    """Something that is never twice the same, so that it is found at one place of a recording only."""
    path = folder / "Bản tin sáng.mp3"
    noise = f"anoisesrc=duration={SOUND_S}:color=pink:seed=7:amplitude=0.4,tremolo=f=3:d=0.8"
    subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-f", "lavfi", "-i", noise, str(path)],
                   check=True)
    return path


def self_approval_is_refused(people: People, bulletin: str) -> None:
    """Also when the author is made an approver."""
    admin, editor = people.administrator, people.editor
    admin.goto("/places")
    admin.get_by_role("link", name=EDITOR[1]).click()
    admin.select_option("form[action$='/roles'] [name=role]", "approver")
    admin.select_option("form[action$='/roles'] [name=place_id]", label=COMMUNE)
    button(admin, "Giao vai trò")
    editor.goto("/approve")
    expect(editor.locator("section[aria-labelledby=own]")).to_contain_text(TITLE)
    expect(editor.locator("form[action='/approve/sheet']")).to_have_count(0)
    editor.goto(bulletin)
    expect(editor.locator("a[href^='/approve/sheet']")).to_have_count(0)
    recording = str(editor.locator("[data-player]").get_attribute("data-player"))
    csrf = str(editor.locator("[name=csrf]").first.get_attribute("value"))
    refused = editor.request.post(
        f"/api/v1/recordings/{recording}/approvals", headers={"X-CSRF-Token": csrf},
        data={"envelope": {"payloadType": "a/b", "payload": "", "signatures": []}})
    assert refused.status == 403, refused.text()


def approve(page: Page) -> None:
    page.goto("/approve")
    button(page, "Nghe và ký")
    sign = page.locator("button[data-sign]")
    expect(sign).to_be_disabled()
    page.click(".play")
    expect(sign).to_be_enabled(timeout=30_000)
    sign.click()
    give_passphrase(page)
    page.wait_for_url("**/approve?signed=1")


def air(page: Page, bulletin: str) -> None:
    page.goto(bulletin)
    recording = page.locator("[data-player]").get_attribute("data-player")
    page.goto(f"/programmes/now?recording={recording}")
    button(page, "Kiểm tra")
    expect(page.locator("#check")).to_contain_text("1 cụm loa")
    button(page, "Phát ngay")
    page.wait_for_url("**/today")


def see_it_air_and_find_it_in_the_log(page: Page) -> None:
    expect(page.locator("section.air")).to_contain_text(TITLE, timeout=30_000)
    page.goto("/log")
    row = page.locator("tbody tr").filter(has_text=TITLE)
    expect(row).to_contain_text(POLE)
    expect(row).to_contain_text("đã phát", timeout=30_000)


def hear_it_on_the_pole(commune: Commune) -> None:
    database = Database(commune.settings.database)
    with database.read() as session:
        playback = session.exec(select(Playback)).one()
        recording = session.exec(select(Recording).where(Recording.state == RecordingState.APPROVED)).one()
    database.close()
    (segment,) = playback.segments
    commune.stop()
    sound = heard.read_sound(commune.sound, playback.node_id)
    rendition = ContentStore(commune.settings.data / "recordings").path_of(str(recording.sha256))
    reference = heard.decode(imageio_ffmpeg.get_ffmpeg_exe(), rendition, sound.rate)
    found, late_ms = heard.find(sound, reference, datetime.fromisoformat(segment["at"]))
    assert found >= 0.9
    assert abs(late_ms) < 100

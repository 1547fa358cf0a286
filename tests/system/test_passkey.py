"""A passkey from its making to an approval that poles believe, in Chromium with a virtual authenticator."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import imageio_ffmpeg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from playwright.sync_api import Browser, Page, expect
from sqlmodel import select

from audio.store import ContentStore
from firmware_bridge.contract.passkeys import KeyKind
from firmware_bridge.contract.trust import read_recording
from loudspeaker.approvals.models import SigningKey
from loudspeaker.approvals.service import statements_of
from loudspeaker.bulletins import recordings
from loudspeaker.bulletins.models import Recording
from loudspeaker.bulletins.recordings import Made
from loudspeaker.bulletins.service import BulletinText, create_bulletin
from loudspeaker.conductor import offline, trust
from loudspeaker.conductor.house import House
from loudspeaker.conductor.opening import open_house
from loudspeaker.conductor.setup import FirstRun, set_up
from loudspeaker.demo.sample import acting
from loudspeaker.places.models import Place
from loudspeaker.trust.service import current_trust
from loudspeaker.users import service as users
from loudspeaker.users.first_run import setup_code
from loudspeaker.users.models import Role, User
from tests.system.commune import Commune, prepared
from tests.system.people import at_a_browser, button, sign_in

pytestmark = pytest.mark.alone
PASSWORD = "một mật khẩu đủ dài"
SOUND_S = 2


@dataclass
class Site:
    """A commune with an administrator, an editor and an approver, and a recording that waits."""

    commune: Commune
    house: House
    place: Place
    people: dict[str, User]
    authority: Ed25519PrivateKey
    recording: str


@pytest.fixture
def site(tmp_path: Path, built_assets: object) -> Iterator[Site]:
    commune = prepared(tmp_path)
    with open_house(commune.settings) as house:
        house.processing.close()
        with house.database.work() as session:
            authority = offline.install_new_keys(session, house)
            house.setup_code = setup_code(session)
        place, admin = set_up(house, house.setup_code or "", FirstRun("Xã Minh Tân", "000.00.07.H60", "Lê Văn Quang",
                                                                      "quantri", PASSWORD))
        people = {"quantri": admin}
        with house.database.work() as session:
            for login, role in (("hoa", Role.EDITOR), ("lanh", Role.APPROVER)):
                people[login] = users.create_user(session, acting(session, house, admin), house.now(), login, role,
                                                  place.id, login, PASSWORD)
        made = Site(commune, house, place, people, authority, a_recording(house, tmp_path, place, people["hoa"]))
        try:
            commune.start()
            yield made
        finally:
            commune.stop()


def a_recording(house: House, folder: Path, place: Place, editor: User) -> str:
    """Two seconds of sound that wait for approval."""
    sound = folder / f"{house.now().timestamp()}.ogg"
    subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-f", "lavfi", "-i",
                    f"sine=frequency=440:duration={SOUND_S}", "-c:a", "libopus", str(sound)], check=True)
    sha256 = ContentStore(house.settings.data / "recordings").add(sound)
    made = Made(sha256, sound.stat().st_size, SOUND_S * 1000, -16.0, -1.0, bytes(40))
    with house.database.work() as session:
        actor = acting(session, house, editor)
        bulletin = create_bulletin(session, actor, house.now(), place.id, BulletinText("Tin trong xã", "news"))
        one = recordings.add_recording(session, actor, house.now(), bulletin.id, language="vi", source_name="a.wav",
                                       source_path="", with_chime=False, seconds=60)
        assert recordings.make_ready(session, house.now(), house.site, one.id, made)
        return one.id


def with_authenticator(page: Page, verified: bool = True) -> None:
    """The page's device keeps passkeys; its owner is (not) recognised."""
    developer = page.context.new_cdp_session(page)
    developer.send("WebAuthn.enable")
    developer.send("WebAuthn.addVirtualAuthenticator", {"options": {
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
        "isUserVerified": verified, "automaticPresenceSimulation": True}})


def test_a_passkey_is_made_listed_and_approves_what_poles_then_believe(site: Site, browser: Browser) -> None:
    address = site.commune.url.replace("127.0.0.1", "localhost")
    with at_a_browser(browser, address) as page:
        sign_in(page, "lanh", PASSWORD)
        with_authenticator(page)
        page.goto("/account/signing-key")
        button(page, "Tạo khóa truy cập")
        expect(page.locator(".fingerprint")).to_be_visible()
        list_it(site)
        page.goto(f"/approve/sheet?recording={site.recording}")
        page.locator("[data-player] .play").click()
        expect(page.locator("[data-signbar] [data-sign]")).to_be_enabled(timeout=15_000)
        button(page, "Ký phê duyệt")
        expect(page.locator("#passphrase-field")).to_be_hidden()
        button(page, "Ký")
        page.wait_for_url("**/approve?signed=1")
    with site.house.database.read() as session:
        recording = session.get_one(Recording, site.recording)
        (signed,) = statements_of(session, recording.sha256 or "")
        held = current_trust(session)
        said = read_recording(signed, held, [site.place.id], site.house.now() + timedelta(seconds=1))
    assert (recording.state, said.recording) == ("approved", recording.sha256)
    assert held.approvers is not None
    assert [one.kind for one in held.approvers.approvers] == [KeyKind.PASSKEY_ES256]
    assert held.approvers.approvers[0].origin == address


def test_without_https_the_page_says_why_there_are_no_passkeys(site: Site, browser: Browser) -> None:
    with at_a_browser(browser, site.commune.url) as page:
        page.add_init_script("Object.defineProperty(window, 'isSecureContext', {value: false})")
        sign_in(page, "lanh", PASSWORD)
        page.goto("/account/signing-key")
        expect(page.get_by_role("button", name="Tạo khóa truy cập")).to_be_disabled()
        expect(page.locator("[data-passkeys-need-https]")).to_be_visible()


def test_a_device_that_does_not_know_its_owner_signs_nothing(site: Site, browser: Browser) -> None:
    with at_a_browser(browser, site.commune.url.replace("127.0.0.1", "localhost")) as page:
        sign_in(page, "lanh", PASSWORD)
        with_authenticator(page, verified=False)
        page.goto("/account/signing-key")
        button(page, "Tạo khóa truy cập")
        expect(page.locator("#flashes")).to_contain_text("Thiết bị chưa ký")


def list_it(site: Site) -> None:
    """The administrator proposes the approver's key, and the place authority signs the list."""
    with site.house.database.work() as session:
        own = session.exec(select(SigningKey)).one()
        trust.propose_key(session, site.house, acting(session, site.house, site.people["quantri"]), own.id,
                          site.place.id)
        offline.sign_list(session, site.house, site.authority)

"""The modules in a real browser, with a stub in place of the server: hearing, signing, reporting, stopping."""

import hashlib
import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import imageio_ffmpeg
import pytest
from playwright.sync_api import Browser, FilePayload, Page, expect, sync_playwright

from firmware_bridge.contract import envelope
from scripts.build_assets import ASSETS
from tests.web.chromium import chromium_path
from tests.web.stub import CSRF, Stub, payload_of, served

SECONDS = 2
PASSPHRASE = "bốn từ thật khó đoán"
TITLE = "Lời kêu gọi “cử tri” <đi bỏ phiếu>"
CHROMIUM_ARGUMENTS = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required", "--mute-audio"]

LISTENING = """{% extends "base.html" %}{% import "components/listening.html" as listening %}"""
PARTS = """{% extends "base.html" %}{% import "components/forms.html" as forms %}
{% block title %}Hôm nay{% endblock %}{% block sub %}mọi thành phần{% endblock %}
{% block breadcrumbs %}{{ ui.breadcrumbs([("/nodes", "Cụm loa"), ("/nodes/1", "Đồng Tâm")]) }}{% endblock %}
{% block content %}
<div class="grid four">{% for tone in ["good", "warn", "fault", "idle"] %}{{ ui.kpi("Nhãn", "46", "48", tone, "chữ") }}
{% endfor %}</div>
{% call ui.card("Đang phát", aside="12 cụm loa", css="air") %}{{ ui.progress(40, label="đã phát") }}
{% for tone in ["plain", "warn", "fault", "good", "accent"] %}{{ ui.pill("ưu tiên", tone) }}{% endfor %}{% endcall %}
{% call ui.card("Đã phát gì", href="/log", link="Nhật ký") %}<div class="scroll-x" tabindex="0"><table class="log">
<tr><th>Cụm loa</th>{% for state in states %}<th>05:30</th>{% endfor %}</tr>
<tr><td>Đồng Tâm</td>{% for state in states %}<td>{{ ui.glyph(state) }}</td>{% endfor %}</tr></table></div>
{{ ui.glyph_key() }}
{% endcall %}
{% for kind in ["good", "warn", "fault"] %}{{ ui.note(kind, "Đã lưu lịch phát.") }}{% endfor %}
{% call ui.card("Bảng") %}{% call ui.table(["Cụm loa", "Trạng thái"], caption="Cụm loa") %}
<tr><td><a href="/n">Đồng Tâm</a></td><td>{{ ui.dot("warn", "chậm") }}</td></tr>{% endcall %}
{{ ui.pagination("/log?a=1", 2, 9) }}{% endcall %}
{% call ui.card() %}{{ ui.empty("Chưa có lịch phát", "Lịch phát là gì.", "/new", "Tạo lịch phát") }}{% endcall %}
{{ forms.open("/x", "c", id="f") }}{{ forms.field("a", "Tên", "Sáng", hint="gợi ý", error="Sai rồi.") }}
{{ forms.select("b", "Mức", [("1", "thường"), ("2", "ưu tiên")], "2") }}
{{ forms.textarea("c", "Ghi chú", optional=True) }}
{{ forms.choices("d", "Ở đâu", [("1", "Đồng Tâm")], ("1",), error="Chọn một.") }}{{ forms.check("e", "Lặp lại", True) }}
{{ forms.buttons("Lưu", "/back") }}</form>
{% endblock %}"""
WIDER_THAN_THEIR_BOX = """[...document.querySelectorAll("body, body *:not(.visually-hidden, .scroll-x, svg, svg *)")]
    .filter((e) => getComputedStyle(e).display !== "inline" && e.clientWidth && e.scrollWidth > e.clientWidth + 1)
    .map((e) => e.outerHTML.slice(0, 80))"""
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
STATES = ("played", "partial", "missed", "awaiting", "unknown", "airing", "planned")
PAGES = {
    "keys.html": LISTENING + """
        {% block title %}Khóa{% endblock %}
        {% block content %}{{ listening.make_key("user-1", "/done.html") }}{% endblock %}
        {% block scripts %}{{ module("keys") }}{% endblock %}""",
    "approve.html": LISTENING + """
        {% block title %}Duyệt{% endblock %}{% block content %}
        {{ listening.player("r1", sha256, title, api + "/audio", api + "/waveform", ms, sign=True) }}
        {{ listening.signbar("/done.html") }}{% endblock %}{% block scripts %}{{ module("approve") }}{% endblock %}""",
    "fault.html": """{% extends "phone_base.html" %}{% import "components/phone.html" as big %}
        {% block title %}Loa Đồng Tâm 2{% endblock %}
        {% block content %}{{ big.report_form("/report", "k", [("no_sound", "A", ""), ("noise", "B", "")]) }}
        {% endblock %}
        {% block scripts %}{{ module("report") }}{% endblock %}""",
    "upload.html": """{% extends "base.html" %}{% import "components/uploading.html" as uploading %}
        {% block title %}Tải lên{% endblock %}
        {% block content %}{{ uploading.drop_zone("b1", "/done.html") }}{% endblock %}
        {% block scripts %}{{ module("upload") }}{% endblock %}""",
    "part.html": """<p id="part" data-live="nodes" data-href="/parts/nodes">{{ now_serving.pop() }}</p>""",
    "live.html": """{% extends "base.html" %}{% block title %}Hôm nay{% endblock %}{% block content %}
        {% include "part.html" %}
        {{ ui.progress(0, starts=started, ends=ending) }}
        {{ ui.countdown(ending, started) }} <span data-remaining="{{ ending.isoformat() }}"></span>
        {% endblock %}{% block scripts %}{{ module("live") }}{% endblock %}""",
    "parts.html": PARTS,
    "form.html": """{% extends "base.html" %}{% import "components/forms.html" as forms %}
        {% block title %}Lịch{% endblock %}
        {% block content %}{{ forms.open("/save", "c", id="programme") }}{{ forms.field("title", "Tên") }}
        {{ forms.select("class", "Mức", [("1", "thường"), ("2", "ưu tiên")]) }}{{ forms.check("repeat", "Lặp lại") }}
        {{ forms.field("secret", "Mật khẩu", type="password", optional=True) }}{{ forms.buttons("Lưu") }}</form>
        {% endblock %}""",
    "expired.html": """{% extends "entry_base.html" %}{% block title %}Đăng nhập{% endblock %}{% block content %}
        <form data-sign-in></form><a href="/form.html">vào</a>{% endblock %}""",
    "done.html": '{% extends "base.html" %}{% block title %}Xong{% endblock %}',
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium_path(), args=CHROMIUM_ARGUMENTS)
        yield running
        running.close()


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    target = tmp_path_factory.mktemp("sound") / "tone.ogg"
    tone = ("-f", "lavfi", "-i", f"sine=frequency=300:duration={SECONDS}", "-c:a", "libopus", "-b:a", "32k")
    subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", *tone, str(target)], check=True)
    return target.read_bytes()


@pytest.fixture
def stub(sound: bytes) -> Stub:
    digest = hashlib.sha256(sound).hexdigest()
    statement = {"recording": digest, "title": TITLE, "duration_ms": SECONDS * 1000, "air_class": 0}
    return Stub(
        PAGES, recordings={"r1": sound}, durations_ms={"r1": SECONDS * 1000},
        statements={"r1": json.dumps(statement, ensure_ascii=False).encode()},
        values={"sha256": digest, "title": TITLE, "ms": SECONDS * 1000, "api": "/api/v1/recordings/r1",
                "states": STATES},
    )


@pytest.fixture
def page(browser: Browser, stub: Stub, built_assets: Path) -> Iterator[Page]:
    with served(stub, built_assets) as address:
        context = browser.new_context(base_url=address, viewport={"width": 360, "height": 780})
        opened = context.new_page()
        complaints: list[str] = []
        opened.on("pageerror", lambda failure: complaints.append(str(failure)))
        opened.on("console", lambda said: complaints.append(said.text) if "Security Policy" in said.text else None)
        yield opened
        context.close()
    assert complaints == []


def make_key(page: Page) -> None:
    page.goto("/keys.html")
    page.fill("#key-passphrase", PASSPHRASE)
    page.fill("#key-again", PASSPHRASE)
    page.click("text=Tạo khóa ký của tôi")
    page.wait_for_url("**/done.html")


def hear_all(page: Page) -> None:
    page.goto("/approve.html")
    page.click(".play")
    expect(page.locator("[data-sign]").last).to_be_enabled(timeout=15_000)


def wait_until(page: Page, condition: str) -> None:
    """Poll: the pages' security policy forbids Playwright's own waiting."""
    for _ in range(200):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    raise AssertionError(condition)


def test_a_key_is_made_and_sealed_in_the_browser_and_proves_itself(page: Page, stub: Stub) -> None:
    make_key(page)
    [key] = stub.keys
    proof = envelope.from_dict(key["proof"])
    assert payload_of(key["proof"]) == {"user": "user-1", "public_key": key["public_key"]}
    assert envelope.good_signers(proof, {proof.signatures[0].key_id: key["public_key"]})
    assert stub.headers[-1]["x-csrf-token"] == CSRF


def test_different_or_easy_passphrases_make_no_key(page: Page, stub: Stub) -> None:
    page.goto("/keys.html")
    for first, second in ((PASSPHRASE, PASSPHRASE + "x"), ("12345678901", "12345678901")):
        page.fill("#key-passphrase", first)
        page.fill("#key-again", second)
        page.click("text=Tạo khóa ký của tôi")
        expect(page.get_by_role("alert")).to_be_visible()
    assert stub.keys == []


def test_only_who_heard_it_to_the_end_can_sign_and_the_protocol_takes_the_signature(page: Page, stub: Stub) -> None:
    make_key(page)
    page.goto("/approve.html")
    expect(page.locator("button[data-sign]")).to_be_disabled()
    hear_all(page)
    assert len(stub.heard["r1"]) >= 0.99 * SECONDS * 1000
    page.click("button[data-sign]")
    page.fill("#passphrase-field", "không phải mật khẩu này")
    page.press("#passphrase-field", "Enter")
    expect(page.locator("[data-said]")).to_contain_text("Mật khẩu ký không đúng")
    assert stub.approvals == {}
    page.fill("#passphrase-field", PASSPHRASE)
    page.press("#passphrase-field", "Enter")
    page.wait_for_url("**/done.html")
    signed = envelope.from_dict(stub.approvals["r1"])
    assert signed.payload == stub.statements["r1"]
    assert envelope.good_signers(signed, {signed.signatures[0].key_id: stub.keys[0]["public_key"]})


def test_skipping_ahead_is_not_hearing(page: Page, stub: Stub) -> None:
    page.goto("/approve.html")
    page.click(".play")
    wait_until(page, "document.querySelector('audio').currentTime > 0.2")
    page.evaluate(f"document.querySelector('audio').currentTime = {SECONDS - 0.3}")
    wait_until(page, "document.querySelector('audio').ended")
    page.wait_for_timeout(300)
    expect(page.locator("button[data-sign]")).to_be_disabled()
    assert len(stub.heard["r1"]) < 0.7 * SECONDS * 1000


def test_a_statement_of_something_else_is_not_signed(page: Page, stub: Stub) -> None:
    make_key(page)
    stub.statements["r1"] = stub.statements["r1"].replace(b"phi", b"fhi")
    hear_all(page)
    page.click("button[data-sign]")
    page.fill("#passphrase-field", PASSPHRASE)
    page.press("#passphrase-field", "Enter")
    expect(page.locator("[data-said]")).to_contain_text("khác với nội dung trên trang này (title)")
    assert stub.approvals == {}


def test_another_sound_than_the_page_names_is_not_even_played(page: Page, stub: Stub) -> None:
    stub.recordings["r1"] += b"x"
    page.goto("/approve.html")
    page.click(".play")
    expect(page.get_by_role("alert")).to_contain_text("không đúng bản thu")
    assert page.evaluate("document.querySelector('audio').paused")
    assert stub.heard == {}


def test_a_report_waits_in_the_phone_until_there_is_a_link_and_arrives_once(page: Page, stub: Stub) -> None:
    page.goto("/fault.html")
    page.check("input[value=noise]")
    page.fill("textarea", "Rè từ tối qua")
    picture = page.evaluate_handle("""async () => {
        const canvas = Object.assign(document.createElement("canvas"), { width: 4000, height: 3000 });
        canvas.getContext("2d").fillRect(0, 0, 2000, 1500);
        const blob = await new Promise((done) => canvas.toBlob(done, "image/png"));
        const transfer = new DataTransfer();
        transfer.items.add(new File([blob], "loa.png", { type: "image/png" }));
        const chooser = document.querySelector("input[type=file]");
        chooser.files = transfer.files;
        chooser.dispatchEvent(new Event("change"));
    }""")
    picture.dispose()
    expect(page.locator("img.shot")).to_be_visible()
    page.context.set_offline(True)
    page.click(".send")
    expect(page.locator("#said")).to_contain_text("máy sẽ tự gửi khi có sóng")
    assert stub.reports == []
    page.context.set_offline(False)
    expect(page.locator("#said")).to_contain_text("Đã gửi báo sự cố", timeout=15_000)
    page.evaluate("dispatchEvent(new Event('online'))")
    page.wait_for_timeout(500)
    [report] = stub.reports
    assert report["kind"] == "noise"
    assert report["note"] == "Rè từ tối qua"
    assert report["photo"].startswith(b"\xff\xd8\xff")
    assert len(report["photo"]) < 300_000
    assert len(report["key"]) == 32


def test_several_files_are_sent_at_once_and_go_on_after_a_lost_link(page: Page, stub: Stub) -> None:
    sound = bytes(range(256)) * 20_000  # 5 MB: two chunks
    stub.values["bytes"] = len(sound)
    stub.cut_link_after = 4 * 1024 * 1024
    page.goto("/upload.html")
    files = [FilePayload(name=name, mimeType="audio/mpeg", buffer=sound) for name in ("Bản tin sáng.mp3", "chiều.mp3")]
    page.set_input_files("input[type=file]", files=files)
    page.wait_for_url("**/done.html", timeout=20_000)
    assert [bytes(held) == sound for held in stub.uploads.values()] == [True, True]
    assert stub.announced[0] == {"filename": "Bản tin sáng.mp3", "bulletin": "b1", "language": "vi", "chime": "1"}


def test_a_file_that_is_no_sound_says_so_and_the_page_stays(page: Page, stub: Stub) -> None:
    stub.values["bytes"] = 3
    page.goto("/upload.html")
    page.set_input_files("input[type=file]", files=[FilePayload(name="a.txt", mimeType="text/plain", buffer=b"abc")])
    expect(page.locator(".sending")).to_contain_text("không phải tệp âm thanh. Hãy chọn tệp khác.")
    expect(page.locator(".sending .dot.fault")).to_be_visible()


def test_a_part_of_the_page_follows_the_news_and_times_run(page: Page, stub: Stub) -> None:
    now = datetime.now(UTC)
    stub.values |= {"now_serving": ["mới", "cũ"], "started": now - timedelta(seconds=60),
                    "ending": now + timedelta(seconds=90)}
    page.goto("/live.html")
    expect(page.locator("#part")).to_have_text("cũ")
    expect(page.locator("time[data-countdown]")).to_contain_text("sau 1 phút 2")
    expect(page.locator("[data-remaining]")).to_contain_text("còn 01:2")
    assert 39 < page.locator("progress").evaluate("bar => bar.value") < 45
    stub.news.append("faults")
    stub.news.append("nodes")
    expect(page.locator("#part")).to_have_text("mới")
    stub.signed_out = True
    stub.news.append("nodes")
    expect(page.locator("#flashes")).to_contain_text("Phiên làm việc đã hết")
    expect(page.locator("#part")).to_have_text("mới")


def fill_form(page: Page) -> None:
    page.goto("/form.html")
    page.fill("[name=title]", "Bản tin sáng")
    page.select_option("[name=class]", "2")
    page.check("[name=repeat]")
    page.fill("[name=secret]", "không giữ")
    page.click("text=Lưu")


def test_what_was_typed_comes_back_after_an_expired_session_but_no_password(page: Page, stub: Stub) -> None:
    stub.saved_goes_to = "/expired.html"
    fill_form(page)
    page.click("text=vào")
    expect(page.locator("[name=title]")).to_have_value("Bản tin sáng")
    expect(page.locator("[name=class]")).to_have_value("2")
    expect(page.locator("[name=repeat]")).to_be_checked()
    expect(page.locator("[name=secret]")).to_have_value("")
    page.reload()
    expect(page.locator("[name=title]")).to_have_value("")


def test_a_form_that_was_taken_starts_empty_next_time(page: Page) -> None:
    fill_form(page)
    page.wait_for_url("**/done.html")
    page.goto("/form.html")
    expect(page.locator("[name=title]")).to_have_value("")


def test_an_impatient_person_sends_a_form_once(page: Page, stub: Stub) -> None:
    page.goto("/form.html")
    page.fill("[name=title]", "Bản tin sáng")
    page.evaluate("for (let i = 0; i < 3; i++) document.querySelector('.form .btn-primary').click()")
    page.wait_for_url("**/done.html")
    assert stub.saved == 1


def test_stopping_everything_wants_the_word(page: Page) -> None:
    page.goto("/done.html")
    page.click(".btn-stop")
    button = page.locator("dialog[open] .btn-fault")
    expect(button).to_be_disabled()
    page.fill("#stop-everything-word", "dun")
    expect(button).to_be_disabled()
    page.fill("#stop-everything-word", "dừng")
    expect(button).to_be_enabled()


@pytest.mark.parametrize("name", ["keys.html", "approve.html", "fault.html", "upload.html", "parts.html"])
def test_nothing_is_wider_than_its_box_and_axe_finds_no_barrier(page: Page, name: str) -> None:
    page.goto(f"/{name}")
    for width in (360, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate(WIDER_THAN_THEIR_BOX) == []
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        page.reload()
        page.evaluate((ASSETS / "node_modules/axe-core/axe.min.js").read_text())
        found = page.evaluate("axe.run().then((all) => all.violations)")
        assert [(one["impact"], one["help"], one["nodes"][0]["html"]) for one in found] == []


def test_the_menu_opens_and_closes_on_a_phone(page: Page) -> None:
    page.goto("/done.html")
    expect(page.locator("#side")).to_be_hidden()
    page.click(".menu")
    expect(page.locator("#side")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#side")).to_be_hidden()

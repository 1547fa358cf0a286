"""A fault from a village head's phone to its closing by a technician, and one that the system finds and closes."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlmodel import select

from loudspeaker.conductor.house import House
from loudspeaker.conductor.opening import open_house
from loudspeaker.demo.sample import Sample, make_sample
from loudspeaker.faults.models import Fault, FaultKind, FaultState
from loudspeaker.nodes.models import NodeState
from tests.system.commune import Commune, prepared, until
from tests.system.people import PHONE, at_a_browser, button, sign_in
from tests.system.sample_life import photo

NOTE = "Loa kêu rè từ tối qua, nghe không rõ lời"
REASON = "Đã thay màng loa, nghe rõ"


@dataclass
class Village:
    """The sample commune, its technician at a desk, and its village head on the phone."""

    commune: Commune
    sample: Sample
    house: House
    technician: Page
    head: Page

    @property
    def pole(self) -> Path:
        """The file of a pole in the village head's village."""
        return next(path for node, path in self.sample.configs.items() if node.startswith("dong-tam"))


@pytest.fixture(scope="module")
def village(browser: Browser, built_assets: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Village]:
    with ExitStack() as stack:
        folder = tmp_path_factory.mktemp("faults")
        commune = prepared(folder, LOUDSPEAKER_OFFLINE_SECONDS="45")
        house = stack.enter_context(open_house(commune.settings))
        sample = make_sample(house, folder)
        stack.callback(commune.stop)
        commune.start()
        technician = stack.enter_context(at_a_browser(browser, commune.url))
        sign_in(technician, "tho", sample.password)
        head = stack.enter_context(at_a_browser(browser, commune.url, PHONE))
        yield Village(commune, sample, house, technician, head)


def test_a_fault_goes_from_the_village_heads_phone_to_its_closing_by_a_technician(
        village: Village, tmp_path: Path) -> None:
    head, technician = village.head, village.technician
    report(village, tmp_path / "loa.jpg")
    expect(head.locator("main")).to_contain_text("Rè, nhiễu")
    technician.goto("/faults")
    technician.get_by_role("link", name="Đồng Tâm").first.click()
    expect(technician.locator("main")).to_contain_text(NOTE)
    expect(technician.locator("main")).to_contain_text("Triệu Văn Phú")
    expect(technician.locator("img.photo")).to_have_js_property("naturalWidth", 640)
    button(technician, "Tôi nhận xử lý")
    expect(technician.locator("main")).to_contain_text("Hoàng Văn Thọ")
    head.goto("/village")
    expect(head.locator("main")).to_contain_text("Cán bộ kỹ thuật đã nhận")
    technician.fill("[name=reason]", REASON)
    button(technician, "Đóng sự cố")
    expect(technician.locator(".board").last).to_contain_text(NOTE)
    head.goto("/village")
    head.locator("a[href^='/village/reports/']").click()
    expect(head.locator("main")).to_contain_text(REASON)


def test_a_pole_that_falls_silent_makes_a_fault_which_its_return_closes(village: Village) -> None:
    pole = village.commune.start_pole(village.pole)
    page = village.technician
    page.goto(f"/nodes/{pole.name}")
    until("the pole is heard", lambda: is_online(village.house, pole.name), 30)
    page.reload()
    expect(page.locator("main")).to_contain_text("hoạt động")
    pole.kill()
    page.goto("/faults")
    fault = page.locator(".board li").filter(has=page.get_by_text("mất kết nối"))
    expect(fault).to_contain_text("Đồng Tâm 1", timeout=60_000)
    village.commune.start_pole(village.pole)
    until("the fault is closed", lambda: states(village.house) == {FaultState.CLOSED}, 30)
    page.reload()
    expect(page.locator(".board").last).to_contain_text("mất kết nối")


def is_online(house: House, node: str) -> bool:
    with house.database.read() as session:
        return session.get_one(NodeState, node).online


def report(village: Village, picture: Path) -> None:
    picture.write_bytes(photo())
    page = village.head
    page.goto(village.sample.village_head_link)
    page.get_by_role("link", name="Báo sự cố").click()
    page.locator(f"a[href$='node={village.pole.stem}']").click()
    page.check("input[value=noise]")
    page.set_input_files("input[type=file]", picture)
    expect(page.locator("img.shot")).to_be_visible()
    page.fill("textarea", NOTE)
    button(page, "Gửi báo sự cố")
    page.wait_for_url("**/village/reports/*")


def states(house: House) -> set[str]:
    """Of the faults that the system found about a connection."""
    with house.database.read() as session:
        return {fault.state for fault in session.exec(select(Fault).where(Fault.kind == FaultKind.OFFLINE))}

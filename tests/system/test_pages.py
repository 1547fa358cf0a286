"""Every page with real data, in Vietnamese, on a desk and on a phone: nothing too wide, no English, quickly there."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, Page, ViewportSize

from loudspeaker.demo.sample import Sample
from tests.system.commune import Commune, sample_commune
from tests.system.english import VISIBLE, english_in
from tests.system.people import DESK, PHONE, Complaints, sign_in
from tests.system.sample_life import Here, live_a_little

KILOBYTE = 1024
MOST_BYTES, MOST_BYTES_PHONE = 200 * KILOBYTE, 60 * KILOBYTE
STRANGER, HEAD = "", "head"
PAGES = {
    STRANGER: ["/sign-in", "/s/{sticker}", "/l/không-phải"],
    "quantri": [
        "/today", "/stop", "/bulletins", "/bulletins/{approved}", "/programmes", "/programmes/week",
        "/programmes/{programme}", "/nodes", "/nodes?state=offline", "/nodes/new", "/nodes/{node}",
        "/nodes/{node}/edit", "/nodes/{node}/controller", "/nodes/{node}/retire", "/nodes/cards", "/nodes/import",
        "/log", "/log?state=missed", "/log/days", "/log/{node}/{broadcast}",
        "/faults", "/faults/{open_fault}", "/faults/{taken_fault}", "/faults/{closed_fault}", "/faults/{own_fault}",
        "/places", "/places/new", "/places/{village}", "/zones/new", "/zones/{zone}", "/people/new", "/people/{person}",
        "/policy", "/policy/{commune}", "/policy/{village}", "/audit", "/account", "/nowhere",
    ],
    "hoa": [
        "/bulletins", "/bulletins?state=ready", "/bulletins/new", "/bulletins/{waiting}", "/bulletins/{waiting}/edit",
        "/bulletins/{bare}", "/bulletins/{refused}", "/bulletins/{approved}", "/approve", "/programmes",
        "/programmes/new",
        "/programmes/new?recording={approved_recording}", "/programmes/now", "/programmes/{programme}/edit", "/account",
        "/account/signing-key",
    ],
    "lanh": [
        "/approve", "/approve/sheet?recording={waiting_recording}", "/approve/{waiting_recording}/send-back",
        "/bulletins/{approved}", "/account/signing-key", "/policy/{commune}",
    ],
    "giamsat": ["/today", "/audit", "/log"],
    HEAD: ["/village", "/village/report", "/village/report?node={head_node}", "/village/report?node=none",
           "/village/reports/{own_fault}"],
}
WIDER_THAN_THEIR_BOX = """() => [...document.querySelectorAll("body, body *:not(.visually-hidden, input, svg, svg *)")]
    .filter((e) => {
        const style = getComputedStyle(e)
        const scrolls = ["auto", "scroll"].includes(style.overflowX) && !["BODY", "HTML", "MAIN"].includes(e.tagName)
        return style.display !== "inline" && e.clientWidth && !scrolls && e.scrollWidth > e.clientWidth + 1
    }).map((e) => e.outerHTML.slice(0, 120))"""
WIDER_THAN_THE_SCREEN = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


@dataclass
class Visit:
    """A signed-in browser that counts what its pages cost and notes what they complain of."""

    page: Page
    complaints: Complaints = field(default_factory=Complaints)
    received: int = 0

    def __post_init__(self) -> None:
        self.complaints.listen(self.page)
        self.wire = self.page.context.new_cdp_session(self.page)
        self.wire.send("Network.enable")
        self.wire.send("Network.setCacheDisabled", {"cacheDisabled": True})
        self.wire.on("Network.loadingFinished", self._count)

    def go(self, address: str, size: ViewportSize) -> int:
        """Load the page as if for the first time; its status."""
        self.page.set_viewport_size(size)
        self.complaints.clear()
        self.received = 0
        answer = self.page.goto(address, wait_until="load")
        assert answer
        self.page.wait_for_timeout(150)
        return answer.status

    def _count(self, event: dict[str, float]) -> None:
        self.received += int(event["encodedDataLength"])


@dataclass
class Village:
    """The commune that all the pages show, and a browser for each of its people."""

    commune: Commune
    sample: Sample
    here: Here
    browser: Browser
    visits: dict[str, Visit] = field(default_factory=dict)

    def visit(self, who: str) -> Visit:
        if who not in self.visits:
            page = self.browser.new_context(base_url=self.commune.url, locale="vi-VN").new_page()
            page.set_default_timeout(15_000)
            if who == HEAD:
                page.goto(self.sample.village_head_link)
            elif who != STRANGER:
                sign_in(page, who, self.sample.password)
            self.visits[who] = Visit(page)
        return self.visits[who]


@pytest.fixture(scope="module")
def village(browser: Browser, built_assets: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Village]:
    with ExitStack() as stack:
        commune, sample, house = stack.enter_context(sample_commune(tmp_path_factory.mktemp("commune")))
        yield Village(commune, sample, live_a_little(commune, sample, house), browser)


@pytest.mark.parametrize(("who", "template"), [(who, one) for who, pages in PAGES.items() for one in pages])
def test_the_page_fits_speaks_vietnamese_and_is_quickly_there(village: Village, who: str, template: str) -> None:
    visit, address = village.visit(who), village.here.address(template)
    wrong: dict[str, object] = {}
    for size in (DESK, PHONE):
        width = size["width"]
        expected = 404 if template == "/nowhere" else 403 if template.startswith("/l/") else 200
        if (status := visit.go(address, size)) != expected:
            wrong[f"status {width}"] = status
        wrong[f"wider than its box {width}"] = visit.page.evaluate(WIDER_THAN_THEIR_BOX)
        wrong[f"wider than the screen {width}"] = visit.page.evaluate(WIDER_THAN_THE_SCREEN)
        wrong[f"English {width}"] = english_in(visit.page.evaluate(VISIBLE))
        wrong[f"complaints {width}"] = [one for one in visit.complaints if expected == 200]
        most = MOST_BYTES_PHONE if who == HEAD or template.startswith(("/s/", "/l/")) else MOST_BYTES
        wrong[f"bytes {width}"] = max(0, visit.received - most)
    assert {name: found for name, found in wrong.items() if found} == {}

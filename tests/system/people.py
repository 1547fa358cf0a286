"""People at their browsers: each with cookies of their own, in Vietnamese, and nothing may go wrong unseen."""

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, ConsoleMessage, Page, Response, ViewportSize, expect

DESK: ViewportSize = {"width": 1280, "height": 900}
PHONE: ViewportSize = {"width": 360, "height": 780}


class Complaints(list[str]):
    """What the browser or the server complained of while a page was open."""

    def listen(self, page: Page) -> None:
        page.on("pageerror", lambda failure: self.append(f"{page.url}: {failure}"))
        page.on("console", self._heard)
        page.on("response", self._answered)

    def _heard(self, said: ConsoleMessage) -> None:
        if said.type == "error":
            self.append(f"{said.location.get('url')}: {said.text}")

    def _answered(self, answer: Response) -> None:
        if answer.status >= 500:
            self.append(f"{answer.url}: {answer.status}")


@contextmanager
def at_a_browser(browser: Browser, url: str, size: ViewportSize = DESK) -> Iterator[Page]:
    """A browser of one's own; ends with a failure when anything was complained of."""
    context = browser.new_context(base_url=url, viewport=size, locale="vi-VN", timezone_id="Asia/Ho_Chi_Minh")
    context.set_default_timeout(15_000)
    complaints = Complaints()
    page = context.new_page()
    complaints.listen(page)
    yield page
    context.close()
    assert complaints == [], "\n".join(complaints)


def sign_in(page: Page, login: str, password: str) -> None:
    page.goto("/sign-in")
    page.fill("[name=login]", login)
    page.fill("[name=password]", password)
    page.get_by_role("button", name="Đăng nhập").click()
    expect(page.locator("#side")).to_be_attached()


def button(page: Page, name: str) -> None:
    """Press the one button of this name."""
    page.get_by_role("button", name=name, exact=True).click()

"""What tests of the content pages are made of: a browser that reads English, and its forms."""

import re
from html import unescape
from typing import Any

from fastapi.testclient import TestClient

from loudspeaker.users.models import User
from tests.loudspeaker.commune import Commune


def browser(commune: Commune, user: User) -> TestClient:
    """A browser signed in as `user`, with the pages in English."""
    client = commune.client(user)
    client.cookies.set("lang", "en")
    return client


def page(client: TestClient, address: str, status: int = 200) -> str:
    """The words and marks of a page."""
    answer = client.get(address)
    assert answer.status_code == status, answer.text
    return unescape(answer.text)


def send(client: TestClient, address: str, status: int = 303, /, **fields: Any) -> str:
    """Send a form: where it leads to, or the page that is shown again."""
    answer = client.post(address, data=fields)
    assert answer.status_code == status, answer.text
    return str(answer.headers["location"]) if status == 303 else unescape(answer.text)


def text(markup: str) -> str:
    """The words alone, with single blanks."""
    return " ".join(re.sub(r"<[^>]+>", " ", re.sub(r"<(script|style).*?</\1>", "", markup, flags=re.DOTALL)).split())

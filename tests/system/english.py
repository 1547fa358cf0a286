"""English that a reader of Vietnamese would meet on a page."""

import re
from collections.abc import Iterable
from functools import cache

from babel.messages.pofile import read_po

from scripts.translations import PLACEHOLDER, VIETNAMESE

FUNCTION_WORDS = re.compile(
    r"\b(the|of|and|is|are|was|not|with|for|from|this|that|has|have|you|your|by|at|it|its|or|no|all|until)\b",
    re.IGNORECASE)
VISIBLE = """() => {
    const said = []
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
    while (walker.nextNode()) {
        const parent = walker.currentNode.parentElement
        if (parent.closest("script, style, template, noscript, pre, .script")) continue
        said.push(walker.currentNode.textContent)
    }
    for (const element of document.querySelectorAll("[title], [aria-label], [placeholder], [alt]"))
        for (const name of ["title", "aria-label", "placeholder", "alt"])
            if (element.hasAttribute(name)) said.push(element.getAttribute(name))
    said.push(document.title)
    return said.map((one) => one.replace(/\\s+/g, " ").trim()).filter((one) => one)
}"""
"""What a page says to eye or ear, also what is folded away."""


def english_in(said: Iterable[str]) -> list[str]:
    """What of `said` is a sentence of the code that has another translation, or reads like English."""
    whole, patterns = _sentences()
    return sorted({one for one in said if one in whole or any(pattern.fullmatch(one) for pattern in patterns)
                   or len(FUNCTION_WORDS.findall(one)) >= 2})


@cache
def _sentences() -> tuple[frozenset[str], tuple[re.Pattern[str], ...]]:
    """English sentences that the catalogue translates to something else: plain ones, and those with values in them."""
    with VIETNAMESE.open("rb") as file:
        catalogue = read_po(file)
    pairs: list[tuple[str, str | None]] = []
    for message in catalogue:
        english = message.id if isinstance(message.id, (list, tuple)) else [message.id]
        vietnamese = message.string if isinstance(message.string, (list, tuple)) else [message.string]
        pairs += [(one, vietnamese[min(n, len(vietnamese) - 1)]) for n, one in enumerate(english) if one]
    strange = [one for one, other in pairs if one != other]
    plain = frozenset(one.replace("%%", "%") for one in strange if not PLACEHOLDER.search(one.replace("%%", "")))
    filled = [one for one in strange
              if PLACEHOLDER.search(one.replace("%%", "")) and re.search(r"[a-z]{3}", PLACEHOLDER.sub("", one))]
    return plain, tuple(_pattern(one) for one in filled)


def _pattern(sentence: str) -> re.Pattern[str]:
    parts = PLACEHOLDER.split(sentence.replace("%%", "\0"))[::2]
    return re.compile(".+?".join(re.escape(part.replace("\0", "%")) for part in parts))

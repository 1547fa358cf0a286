"""Keep the catalogues.

`extract` brings new sentences into messages.pot and the Vietnamese messages.po and keeps every translation, also of
sentences that come back; `fill FILE.json` does the same and then takes translations from a JSON object
{English: Vietnamese}; `check` names what a reader of Vietnamese would miss. All read Python, templates and TypeScript.
"""

import ast
import builtins
import fcntl
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import IO, Any

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po
from jinja2 import Environment, nodes

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "loudspeaker"
TEMPLATES = PACKAGE / "web" / "templates"
TEMPLATE_FILE = PACKAGE / "translations" / "messages.pot"
VIETNAMESE = PACKAGE / "translations" / "vi" / "LC_MESSAGES" / "messages.po"

METHODS = [
    ("web/assets/node_modules/**", "ignore"),
    ("web/templates/**.html", "jinja2"),
    ("web/assets/src/**.ts", "typescript"),
    ("**.py", "python_and_errors"),
]
ERROR_SENTENCES = {"title", "kept", "advice"}
FLASHED = {"redirect": 3, "to": 1}
"""Functions of loudspeaker.web.page that take a sentence, and where among their arguments."""
OPTIONS = {"web/templates/**.html": {"extensions": "jinja2.ext.do", "silent": "false", "newstyle_gettext": "true"}}
HEADER = "# Loudspeaker, catalogue of sentences. Kept by scripts/translations.py."
KEYWORDS: dict[str, Any] = {"_": None, "gettext": None, "ngettext": (1, 2), "marked": None, "t": None, "tn": (1, 2)}

SAID_ATTRIBUTES = {"title", "placeholder", "aria-label", "alt"}
SAID_ARGUMENTS = {
    "label", "title", "words", "hint", "placeholder", "button", "caption", "link", "aside", "meaning", "text", "legend"
}  # fmt: skip
NAMES_AND_UNITS = {"Loudspeaker", "English", "Tiếng Việt", "ms", "dB", "dBFS", "dBTP", "LUFS", "kB", "MB"}
PLACEHOLDER = re.compile(r"%\((\w+)\)[a-z]|%%")
VIETNAMESE_LETTER = re.compile(r"[ăâđêôơưàảãáạằẳẵắặầẩẫấậèẻẽéẹềểễếệìỉĩíịòỏõóọồổỗốộờởỡớợùủũúụừửữứựỳỷỹýỵ]", re.IGNORECASE)


def main(arguments: list[str]) -> int:
    if arguments == ["extract"] or (len(arguments) == 2 and arguments[0] == "fill"):
        given = json.loads(Path(arguments[1]).read_text()) if len(arguments) == 2 else {}
        waiting = [m.id for m in extract(given) if m.id and not _translation(m)]
        print(f"{VIETNAMESE.relative_to(ROOT)}: {len(waiting)} sentences wait for a translation")
        print("\n".join(f"  {sentence}" for sentence in waiting), end="\n" if waiting else "")
        return 0
    if arguments == ["check"]:
        complaints = list(check())
        print("\n".join(complaints) or "Every sentence is translated.")
        return 1 if complaints else 0
    print("Usage: python scripts/translations.py extract|fill FILE.json|check", file=sys.stderr)
    return 2


def sentences_in_code() -> Catalog:
    """Every sentence in the sources, with where it stands."""
    template = _catalogue(None)
    # Babel takes a function where its types ask for the name of one
    own = {"typescript": typescript, "python_and_errors": python_and_errors}
    methods: Any = [(pattern, own.get(method, method)) for pattern, method in METHODS]
    found = extract_from_dir(PACKAGE, method_map=methods, options_map=OPTIONS, keywords=KEYWORDS)
    for name, _, message, comments, context in found:
        template.add(message, None, [(f"loudspeaker/{name}", 0)], auto_comments=comments, context=context)
    return template


def typescript(source: IO[bytes], *_: object, **__: object) -> Iterator[tuple[int, str, Any, list[str]]]:
    """Babel's extractor for `t("…")` and `tn("…", "…", n)`."""
    text = source.read().decode()
    quoted = r'"((?:[^"\\]|\\.)*)"'
    for found in re.finditer(rf"\b(tn?)\(\s*{quoted}(?:,\s*{quoted})?", text):
        function, *words = found.groups()
        sentences = tuple(json.loads(f'"{word}"') for word in words if word is not None)
        yield text.count("\n", 0, found.start()) + 1, function, sentences if function == "tn" else sentences[0], []


def python_and_errors(source: IO[bytes], *_: object, **__: object) -> Iterator[tuple[int, str, Any, list[str]]]:
    """Babel's extractor for Python: gettext calls, and what the classes of `loudspeaker.errors` are given to say."""
    for node in ast.walk(ast.parse(source.read())):
        if isinstance(node, ast.ClassDef) and _tells_people(node.name):
            yield from _own_sentences(node)
        elif isinstance(node, ast.Call):
            yield from _given_sentences(node, getattr(node.func, "id", getattr(node.func, "attr", "")))


def _own_sentences(error: ast.ClassDef) -> Iterator[tuple[int, str, Any, list[str]]]:
    for item in error.body:
        if isinstance(item, ast.AnnAssign | ast.Assign):
            names = item.targets if isinstance(item, ast.Assign) else [item.target]
            if any(isinstance(name, ast.Name) and name.id in ERROR_SENTENCES for name in names):
                yield from _literal(item.value)


def _given_sentences(call: ast.Call, called: str) -> Iterator[tuple[int, str, Any, list[str]]]:
    if called == "ngettext":
        plural = tuple(part.value for part in call.args[:2] if isinstance(part, ast.Constant))
        yield call.lineno, "ngettext", plural, []
    elif called in KEYWORDS or _tells_people(called):
        yield from _literal(next(iter(call.args), None))
    elif called in FLASHED:
        yield from _literal(next(iter(call.args[FLASHED[called] :]), None))
    if _tells_people(called):
        for keyword in call.keywords:
            if keyword.arg in ERROR_SENTENCES:
                yield from _literal(keyword.value)


def _tells_people(name: str) -> bool:
    return name.endswith("Error") and not hasattr(builtins, name)


def _literal(value: ast.expr | None) -> Iterator[tuple[int, str, Any, list[str]]]:
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        yield value.lineno, "gettext", value.value, []
    elif isinstance(value, ast.IfExp):
        yield from _literal(value.body)
        yield from _literal(value.orelse)


def extract(given: Mapping[str, str]) -> Catalog:
    """Write messages.pot and messages.po anew, with the translations that were there and those given; return these."""
    template = sentences_in_code()
    folder = os.open(VIETNAMESE.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        return _merge(template, given)
    finally:
        os.close(folder)


def _merge(template: Catalog, given: Mapping[str, str]) -> Catalog:
    old = _read(VIETNAMESE)
    known = {_key(m): m for m in [*old.obsolete.values(), *old] if m.id}
    new = _catalogue("vi")
    for message in template:
        if message.id:
            before = known.pop(_key(message), None)
            english = message.id if isinstance(message.id, str) else message.id[0]
            said = before.string if before else None
            if english in given:
                said = given[english] if isinstance(message.id, str) else (given[english],)
            new.add(message.id, said, message.locations, auto_comments=message.auto_comments)
    new.obsolete.update({key: message for key, message in known.items() if _translation(message)})
    _write(TEMPLATE_FILE, template)
    _write(VIETNAMESE, new)
    return new


def check() -> Iterator[str]:
    """One line for each thing that a reader of Vietnamese would see in English, or not at all."""
    code = sentences_in_code()
    yield from untranslated(code, _read(VIETNAMESE))
    known = {part for message in code for part in ([message.id] if isinstance(message.id, str) else message.id)}
    for path in sorted((PACKAGE / "web").glob("*.py")):
        for line, text in bare_sentences(path.read_text()):
            if text not in known:
                yield f"{path.relative_to(ROOT)}:{line}: not in the catalogue, mark it: {text}"
    for path in sorted(TEMPLATES.rglob("*.html")):
        for line, text in bare_words(path.read_text()):
            yield f"{path.relative_to(ROOT)}:{line}: not in the catalogue, write it as _(…): {text}"


def untranslated(code: Catalog, catalogue: Catalog) -> Iterator[str]:
    for message in code:
        if not message.id:
            continue
        place = ", ".join(sorted({name for name, _ in message.locations}))
        english = message.id if isinstance(message.id, str) else message.id[0]
        said = catalogue.get(message.id)
        translation = _translation(said) if said else ""
        if _is_vietnamese(english):
            yield f"{place}: a sentence in the code is English: {english}"
        elif said is None or not translation:
            yield f"{place}: no Vietnamese for: {english}"
        elif said.fuzzy:
            yield f"{place}: fuzzy Vietnamese for: {english}"
        elif _placeholders(translation) - {"n"} != _placeholders(english) - {"n"}:
            yield f"{place}: other placeholders in Vietnamese: {english} → {translation}"


def bare_sentences(source: str) -> Iterator[tuple[int, str]]:
    """String literals of a page module that look like sentences for people, as (line, text); docstrings are not."""
    tree = ast.parse(source)
    silent = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    silent |= {id(part) for node in ast.walk(tree) if isinstance(node, ast.Raise) for part in ast.walk(node)}
    for node in ast.walk(tree):
        text = node.value if isinstance(node, ast.Constant) and id(node) not in silent else None
        if isinstance(node, ast.Constant) and isinstance(text, str) and re.fullmatch(r"[A-Z][\w%()]* .*[.?!]", text):
            yield node.lineno, text


def bare_words(template: str) -> Iterator[tuple[int, str]]:
    """Words a template shows without the catalogue, as (line, words): text, said attributes and arguments of macros."""
    environment = Environment(extensions=["jinja2.ext.i18n", "jinja2.ext.do"], autoescape=True)
    yield from _bare_arguments(environment.parse(template))
    spoken = _SpokenText()
    translating = False
    for line, kind, value in environment.lex(template):
        if kind == "name" and value in ("trans", "endtrans"):
            translating = value == "trans"
        elif kind == "data" and not translating:
            spoken.feed_at(line, value)
        elif kind == "variable_begin":
            spoken.feed_at(line, "\0")
    spoken.close()
    yield from spoken.found


class _SpokenText(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[int, str]] = []
        self._line = 1
        self._silent = 0

    def feed_at(self, line: int, data: str) -> None:
        self._line = line
        self.feed(data)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._silent += tag in ("script", "style")
        for name, value in attrs:
            if name in SAID_ATTRIBUTES or (name == "value" and ("type", "submit") in attrs):
                self._judge(value or "")

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in ("script", "style")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self._judge(data)

    def _judge(self, text: str) -> None:
        words = " ".join(text.replace("\0", " ").split())
        attribute = re.match(r'[\w-]+="', words)
        said = re.sub("|".join(rf"\b{name}\b" for name in NAMES_AND_UNITS), "", words)
        if re.search(r"[^\W\d_]{2}", said) and not attribute:
            self.found.append((self._line, words))


def _bare_arguments(tree: nodes.Template) -> Iterator[tuple[int, str]]:
    for call in tree.find_all(nodes.Call):
        for keyword in call.kwargs:
            value = keyword.value
            said = keyword.key in SAID_ARGUMENTS and isinstance(value, nodes.Const) and isinstance(value.value, str)
            if said and isinstance(value, nodes.Const) and re.search(r"[^\W\d_]{2}", value.value):
                yield value.lineno, value.value


def _translation(message: Message) -> str:
    said = message.string
    return said if isinstance(said, str) else (said[0] if said else "")


def _is_vietnamese(sentence: str) -> bool:
    """Some English sentences name a Vietnamese thing; a Vietnamese one has marks on every other word."""
    words = sentence.split()
    return sum(bool(VIETNAMESE_LETTER.search(word)) for word in words) > 0.4 * len(words)


def _placeholders(text: str) -> set[str]:
    return {found.group(1) or "%" for found in PLACEHOLDER.finditer(text)}


def _key(message: Message) -> Any:
    return message.id


def _catalogue(locale: str | None) -> Catalog:
    """An empty one; its dates are fixed so that the file changes only when a sentence does."""
    day = datetime(2026, 1, 1, tzinfo=UTC)
    return Catalog(
        locale=locale,
        project="Loudspeaker",
        header_comment=HEADER,
        charset="utf-8",
        creation_date=day,
        revision_date=day,
        fuzzy=False,
    )


def _read(path: Path) -> Catalog:
    if not path.exists():
        return Catalog(locale="vi")
    with path.open("rb") as source:
        return read_po(source, locale="vi")


def _write(path: Path, catalogue: Catalog) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as target:
        write_po(target, catalogue, width=120, sort_output=True, include_lineno=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

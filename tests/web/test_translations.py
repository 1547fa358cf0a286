"""No English reaches a Vietnamese reader: the checker, and proof that it sees."""

from babel.messages.catalog import Catalog

from scripts import translations


def catalogue(**sentences: str) -> Catalog:
    made = Catalog(locale="vi")
    for english, vietnamese in sentences.items():
        made.add(english, vietnamese)
    return made


def test_every_sentence_is_translated_and_no_template_speaks_past_the_catalogue() -> None:
    assert list(translations.check()) == []


def test_a_missing_a_fuzzy_and_a_crooked_translation_are_named() -> None:
    code = catalogue(Today="", Faults="", Nodes="")
    code.add("Page %(page)s")
    said = catalogue(Today="Hôm nay")
    said.add("Faults", "Sự cố", flags={"fuzzy"})
    said.add("Page %(page)s", "Trang %(trang)s")
    complaints = list(translations.untranslated(code, said))
    assert [line.split(": ", 1)[1].split(" for")[0] for line in complaints] == [
        "fuzzy Vietnamese", "no Vietnamese", "other placeholders in Vietnamese: Page %(page)s → Trang %(trang)s"
    ]


def test_a_vietnamese_sentence_in_the_code_is_named() -> None:
    [complaint] = translations.untranslated(catalogue(**{"Hôm nay": ""}), catalogue(**{"Hôm nay": "Hôm nay"}))
    assert "is English" in complaint


def test_bare_words_in_a_template_are_named() -> None:
    template = """{% import "x" as ui %}<p>{{ _("Today") }} 12:30 · ms</p><p title="Loud">{{ n }}
    nodes</p>{% trans %}fine{% endtrans %}<script>let fine;</script>{{ ui.card(label="Faults", css="fine") }}
    {{ ui.card(label=_("ok")) }}"""
    assert sorted(text for _, text in translations.bare_words(template)) == ["Faults", "Loud", "nodes"]


def test_a_sentence_of_a_page_module_that_nobody_marked_is_named() -> None:
    source = """'''Docs of the module.'''
def page() -> str:
    raise ValueError("Only the technician reads this.")
    return desk.to("/x", "It was saved.")"""
    assert [text for _, text in translations.bare_sentences(source)] == ["It was saved."]


def test_sentences_of_errors_and_modules_are_collected() -> None:
    found = {message.id for message in translations.sentences_in_code()}
    assert "This page or item does not exist." in found
    assert "Choose a smaller file." in found
    assert "Opening your key …" in found
    assert ("%(n)s hour", "%(n)s hours") in found

"""Typed confirmation: the word a person types before something that cannot be taken back."""

import unicodedata


def confirms(typed: str, word: str) -> bool:
    """Whether the typed word is the one asked for; case and Vietnamese marks do not count (`dung` for `DỪNG`)."""
    return bool(word) and _bare(typed) == _bare(word)


def _bare(text: str) -> str:
    marked = unicodedata.normalize("NFD", text.strip().replace("đ", "d").replace("Đ", "D"))
    return "".join(letter for letter in marked if not unicodedata.combining(letter)).casefold()

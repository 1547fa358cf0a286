"""Enrolment tokens: short, read back as written, and every slip of a finger is found."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.contract.token import HASH_BYTES, LETTERS, SECRET_BYTES, BadToken, Token, short_hash

ADDRESSES = st.sampled_from(["radio.minhtan.gov.vn", "192.168.1.20:8443", "[fd00::1]:8443", "localhost:1", "a"])
TOKENS = st.builds(
    Token, server=st.builds("{}://{}".format, st.sampled_from(["https", "http"]), ADDRESSES),
    secret=st.binary(min_size=SECRET_BYTES, max_size=SECRET_BYTES),
    root=st.binary(min_size=HASH_BYTES, max_size=HASH_BYTES),
    authority=st.none() | st.binary(min_size=HASH_BYTES, max_size=HASH_BYTES))
ONE = Token("https://radio.minhtan.gov.vn", bytes(range(SECRET_BYTES)), short_hash(b"root"), short_hash(b"ca"))


@given(TOKENS)
def test_a_token_is_read_back_as_it_was_written(token: Token) -> None:
    assert Token.from_text(token.to_text()) == token


@given(TOKENS)
def test_how_it_is_typed_does_not_matter(token: Token) -> None:
    typed = token.to_text().lower().replace("-", " ").replace("0", "o").replace("1", "l")
    assert Token.from_text(f"  {typed}\n") == token


@given(TOKENS, st.data())
def test_one_wrong_letter_or_a_missing_one_is_found(token: Token, data: st.DataObject) -> None:
    letters = token.to_text().replace("-", "")
    at = data.draw(st.integers(0, len(letters) - 1))
    other = data.draw(st.sampled_from([one for one in LETTERS if one != letters[at]]))
    for wrong in (letters[:at] + other + letters[at + 1:], letters[:at] + letters[at + 1:]):
        try:
            assert Token.from_text(wrong) == token, "only two bytes of check: one in 65,536 may pass"
        except BadToken:
            continue


def test_it_can_be_typed_in_an_emergency_and_fits_a_small_qr_code() -> None:
    letters = ONE.to_text().replace("-", "")
    assert len(letters) <= 105
    assert set(ONE.to_text()) <= set(LETTERS + "-"), "letters of QR's alphanumeric mode"


@pytest.mark.parametrize("text", [
    "", "   ", "----", "không phải mã", "8F3KA", "0" * 600, "Z" * 105, "U" * 105, "\0", "8" * 10_000, "%s" * 30])
def test_what_is_no_token_is_said_to_be_none(text: str) -> None:
    with pytest.raises(BadToken):
        Token.from_text(text)


@given(st.text(max_size=700))
def test_no_text_whatever_makes_it_fail_in_another_way(text: str) -> None:
    try:
        Token.from_text(text)
    except BadToken:
        return


@pytest.mark.parametrize("server", ["ftp://x", "https://", "https://ở.vn", "https://x/path", "https://x:0", "x"])
def test_an_address_that_cannot_stand_in_a_token_is_refused_when_it_is_made(server: str) -> None:
    with pytest.raises(ValueError):
        Token(server, ONE.secret, ONE.root).to_text()


def test_the_secret_stays_out_of_logs() -> None:
    assert ONE.secret.hex() not in repr(ONE)
    assert str(ONE.secret) not in repr(ONE)

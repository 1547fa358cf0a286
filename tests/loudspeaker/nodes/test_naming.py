"""Node ids: topic levels made of Vietnamese names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.contract.topics import check_level
from loudspeaker.database import Database
from loudspeaker.nodes.naming import free_id, slug
from tests.loudspeaker.builders import a_commune, a_node


@pytest.mark.parametrize(("name", "wanted"), [
    ("Đồng Tâm 2", "dong-tam-2"), ("  NGÃ  BA chợ (cũ) ", "nga-ba-cho-cu"), ("Ủy ban xã", "uy-ban-xa"),
    ("Bản Nà Lừa – đồi chè", "ban-na-lua-doi-che"), ("…", "node"), ("Thôn " + "dài " * 40, None)])
def test_a_vietnamese_name_becomes_a_readable_topic_level(name: str, wanted: str | None) -> None:
    made = slug(name)
    assert wanted is None or made == wanted


@given(st.text(max_size=200))
def test_any_name_becomes_a_topic_level(name: str) -> None:
    assert len(check_level(slug(name))) <= 48


def test_a_taken_or_reserved_id_is_numbered(database: Database) -> None:
    with database.work() as session:
        commune = a_commune(session)
        for node_id in ("dong-tam", "dong-tam-2", "dong-tam-10"):
            a_node(session, commune, node_id=node_id)
        assert free_id(session, "Đồng Tâm") == "dong-tam-3"
        assert free_id(session, "Đồng Tâm 10") == "dong-tam-10-2"
        assert free_id(session, "Mẹ") == "me-2"
        assert free_id(session, "Khe Mo") == "khe-mo"

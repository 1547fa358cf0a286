"""Node ids: topic levels that a person recognises, made of the Vietnamese name."""

import re
import unicodedata

from sqlmodel import Session, col, select

from loudspeaker.nodes.models import Node

LONGEST = 48
RESERVED = frozenset({"me", "all", "new", "cards", "import"})
"""Words that addresses and topics use for something else."""


def slug(name: str) -> str:
    """`Đồng Tâm 2` → `dong-tam-2`; `node` where no letter or digit is left."""
    marked = unicodedata.normalize("NFD", name.casefold().replace("đ", "d"))
    plain = "".join(letter for letter in marked if not unicodedata.combining(letter))
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:LONGEST].strip("-") or "node"


def free_id(session: Session, name: str) -> str:
    """The slug of `name`, numbered from 2 where it is taken or reserved. Retired nodes keep theirs."""
    base = slug(name)
    taken = set(session.exec(select(Node.id).where(col(Node.id).startswith(base)))) | RESERVED
    if base not in taken:
        return base
    return next(f"{base}-{number}" for number in range(2, len(taken) + 3) if f"{base}-{number}" not in taken)

"""What endpoints and pages ask for: a unit of work, the house, the clock, and who is asking.

Work and Reading are closed before the answer goes out, so a failing commit becomes an error and a slow reader holds
no connection.
"""

import hmac
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, cast

from fastapi import Depends, Request
from sqlmodel import Session, col, select

from loudspeaker.conductor.enrolling import use_given_credentials
from loudspeaker.conductor.house import House
from loudspeaker.errors import ForbiddenError, SignInNeededError
from loudspeaker.nodes.models import NextCredentials, Node
from loudspeaker.users import credentials
from loudspeaker.users.access import Actor
from loudspeaker.users.credentials import SignedIn
from loudspeaker.users.secrets import digest

SESSION_COOKIE = "session"
LINK_COOKIE = "link"
CSRF_HEADER = "X-CSRF-Token"
CSRF_FIELD = "csrf"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


def house_of(request: Request) -> House:
    """The running server's parts."""
    return cast(House, request.app.state.house)


HouseDep = Annotated[House, Depends(house_of)]


def _now(house: HouseDep) -> datetime:
    return house.now()


Now = Annotated[datetime, Depends(_now)]


def _work(house: HouseDep) -> Iterator[Session]:
    with house.database.work() as session:
        yield session


def _reading(house: HouseDep) -> Iterator[Session]:
    with house.database.read() as session:
        yield session


Work = Annotated[Session, Depends(_work, scope="function")]
"""A session that is committed before the answer, or rolled back when the endpoint raises."""
Reading = Annotated[Session, Depends(_reading, scope="function")]
"""A session for reading; what is changed in it is lost."""


def bearer_of(request: Request) -> str | None:
    """The token of `Authorization: Bearer …`."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


async def _csrf_given(request: Request) -> str:
    given = request.headers.get(CSRF_HEADER, "")
    if given or request.method in SAFE_METHODS or not request.headers.get("content-type", "").startswith(FORMS):
        return given
    field = (await request.form()).get(CSRF_FIELD, "")
    return field if isinstance(field, str) else ""


def _signed_in(request: Request, house: HouseDep, now: Now,
               csrf: Annotated[str, Depends(_csrf_given)]) -> SignedIn | None:
    token, cookie, link = bearer_of(request), request.cookies.get(SESSION_COOKIE), request.cookies.get(LINK_COOKIE)
    with house.database.read() as session:
        found = credentials.by_token(session, token, now) if token else None
        if token and found is None:
            raise SignInNeededError("This token is not known or was revoked.")
        if found is None and cookie:
            found = credentials.by_session(session, cookie, now)
        if found is None and link:
            found = credentials.by_link(session, link, now)
    if found and found.csrf is not None and request.method not in SAFE_METHODS and not _same(csrf, found.csrf):
        raise ForbiddenError("The page was too old, or the request came from another site.",
                             advice="Load the page again and repeat the step.", code="csrf")
    return found


MaybeSignedIn = Annotated[SignedIn | None, Depends(_signed_in)]
"""Who is asking, if anybody; with the CSRF token for the page's forms."""


def _certainly_signed_in(found: MaybeSignedIn) -> SignedIn:
    if found is None:
        raise SignInNeededError
    return found


CurrentSignedIn = Annotated[SignedIn, Depends(_certainly_signed_in)]


def _actor(found: CurrentSignedIn) -> Actor:
    return found.actor


CurrentActor = Annotated[Actor, Depends(_actor)]
"""The person asking. Raises SignInNeededError; ForbiddenError (code `csrf`) on an unsafe request without its token."""


def _csrf(found: CurrentSignedIn) -> str:
    return found.csrf or ""


CurrentCsrf = Annotated[str, Depends(_csrf)]
"""The CSRF token that forms of this page send as `csrf` or X-CSRF-Token."""


def _by_token(session: Session, hashed: str) -> Node | None:
    return session.exec(select(Node).where(Node.api_token_hash == hashed, col(Node.retired_at).is_(None),
                                           col(Node.revoked_at).is_(None))).first()


def _node(request: Request, house: HouseDep) -> Node:
    token = bearer_of(request)
    if token is None:
        raise SignInNeededError("A node's token is needed.", advice="Send Authorization: Bearer with the node's token.")
    known = digest(token)
    with house.database.read() as session:
        node = _by_token(session, known)
        given = session.exec(select(NextCredentials.node_id).where(
            NextCredentials.api_token_hash == known)).first() if node is None else None
    if given is not None:
        use_given_credentials(house, given)
        with house.database.read() as session:
            node = _by_token(session, known)
    if node is None:
        raise SignInNeededError("This token is not known or was revoked.",
                                advice="Let the node ask for new credentials with its key, or enrol it again.")
    return node


CurrentNode = Annotated[Node, Depends(_node)]
"""The node asking, by its bearer token."""


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(), wanted.encode())

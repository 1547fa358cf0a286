"""Odd input at every address of the API: always an answer in our own words, never a crash."""

import json
from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.testclient import TestClient

from loudspeaker.database import Database
from loudspeaker.users.models import Role
from tests.loudspeaker.builders import a_client, a_commune, a_node, a_user, grant

ODD_TEXTS = ("", "a\x00b", "\ud83d\ude00", "ắ" * 5000)
ODD_NUMBERS: tuple[Any, ...] = (-1, 2**63, 1e308, "12", None)
ELSEWHERE = ("/api/v1/session", "/api/v1/uploads")
"""Signing out would end the test; uploads answer as tus says, and have tests of their own."""
JSON = {"Content-Type": "application/json"}
ODD_QUERIES = ("", "\x00", "9" * 30, "0001-01-01T00:00:00Z")
PARTS = ("%00", "%F0%9F%98%80", "a" * 3000)


def sample(schema: dict[str, Any], named: dict[str, Any]) -> Any:
    """A value that fits a JSON schema, more or less."""
    if "$ref" in schema:
        return sample(named[schema["$ref"].rsplit("/", 1)[1]], named)
    if "anyOf" in schema:
        return sample(schema["anyOf"][0], named)
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type")
    if kind == "object":
        return {name: sample(one, named) for name, one in schema.get("properties", {}).items()}
    if kind == "array":
        return [sample(schema.get("items", {}), named)]
    if schema.get("format") == "date-time":
        return "2026-03-15T05:30:00Z"
    return {"integer": 1, "number": 1.0, "boolean": True}.get(str(kind), "abc")


def spoilt(body: Any) -> Iterator[Any]:
    """The body with one value after the other made odd."""
    yield from (None, [], {}, 5)
    if not isinstance(body, dict):
        return
    for name, value in body.items():
        yield {one: kept for one, kept in body.items() if one != name}
        for odd in ODD_TEXTS if isinstance(value, str) else ODD_NUMBERS:
            yield {**body, name: odd}
        if isinstance(value, dict):
            yield from ({**body, name: inner} for inner in spoilt(value))


def crashes(client: TestClient, method: str, path: str, **given: Any) -> str | None:
    """What went wrong; None when the answer is one of ours."""
    answer = client.request(method, path, **given)
    if answer.status_code < 400 or answer.headers.get("content-type", "").startswith("application/problem+json"):
        return None if answer.status_code < 500 else f"{method} {path[:80]} {str(given)[:200]}: {answer.text[:200]}"
    return f"{method} {path[:80]}: {answer.status_code} {answer.text[:200]}"


def quiet(signed_in: TestClient, app: FastAPI) -> TestClient:
    """The same browser, to which a crash is a 500 like to any other."""
    return TestClient(app, raise_server_exceptions=False, follow_redirects=False, cookies=signed_in.cookies,
                      headers=dict(signed_in.headers))


def test_nothing_odd_crashes_the_server(app: FastAPI, database: Database) -> None:
    with database.work() as session:
        commune = a_commune(session)
        user = a_user(session, Role.ADMINISTRATOR, commune)
        for role in Role:
            if role is not Role.ADMINISTRATOR:
                grant(session, user, role, commune)
        node = a_node(session, commune, node_id="loa")
    client, document = quiet(a_client(app, user), app), app.openapi()
    named = document["components"]["schemas"]
    known = {"place_id": commune.id, "node_id": node.id, "user_id": user.id}
    wrong: list[str | None] = []
    for path, methods in document["paths"].items():
        real = path
        for name, value in known.items():
            real = real.replace("{" + name + "}", value)
        if not path.startswith(("/api/v1", "/recordings", "/nodes/me")) or path.startswith(ELSEWHERE):
            continue
        for method, told in methods.items():
            wrong += [crashes(client, method.upper(), _with(path, part)) for part in PARTS if "{" in path]
            wrong += [crashes(client, method.upper(), _with(real, "x"), params={one["name"]: odd})
                      for one in told.get("parameters", []) if one["in"] == "query"
                      for odd in ODD_QUERIES]
            body = told.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
            if body:
                wrong += [crashes(client, method.upper(), _with(real, "x"), content=json.dumps(odd), headers=JSON)
                          for odd in spoilt(sample(body, named))]
    assert "\n".join(one for one in wrong if one) == ""


def _with(path: str, part: str) -> str:
    while "{" in path:
        before, _, rest = path.partition("{")
        path = before + part + rest.partition("}")[2]
    return path

"""Whatever goes wrong, the answer is a problem that says what would be right, and tells nothing else."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import orjson
import pytest
import structlog
from fastapi import APIRouter, Request, Response

from holdfast.identity.issuer import DevIssuer
from holdfast.identity.token import TokenVerifier
from holdfast.kernel import telemetry
from holdfast.kernel.body import Body
from holdfast.kernel.config import Settings
from holdfast.kernel.errors import Overloaded, VersionConflict
from holdfast.kernel.http import answer, parse
from holdfast.kernel.problem import PROBLEM_JSON
from holdfast.kernel.telemetry import merge_context
from holdfast.main.http import middleware
from holdfast.main.http.app import create_app
from holdfast.main.http.refusals import BODY_BYTES_MAX

CANARY = "canary-alice@example.org"
JSON = {"content-type": "application/json"}
router = APIRouter()


class Wish(Body):
    name: str
    party_size: int = 1


@router.post("/wishes")
async def post_wish(wish: Wish) -> Response:
    return answer({"name": wish.name})


@router.post("/quick")
async def post_quick(request: Request) -> Response:
    return answer({"name": parse(await request.body(), Wish).name})


@router.get("/wishes/{number}")
async def get_wish(number: int) -> Response:
    raise VersionConflict(current_version=number)


@router.get("/broken")
async def get_broken() -> Response:
    raise RuntimeError(CANARY)


@router.get("/half")
async def get_half(request: Request) -> Response:
    return Half()


@router.get("/busy")
async def get_busy() -> Response:
    raise Overloaded


class Half(Response):
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError(CANARY)


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(Settings(), routers=[router])
    app.state.verifier = TokenVerifier([DevIssuer.load(tmp_path)])
    app.state.engine = SimpleNamespace(places=None)  # No token here is good enough to ask for its tenant.
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test/api/v1") as client:
        yield client


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> io.BytesIO:
    """What is logged, one JSON object a line."""
    written = io.BytesIO()
    raw = structlog.BytesLogger(written)
    as_json = structlog.processors.JSONRenderer(serializer=orjson.dumps)
    processors = [merge_context, as_json]
    monkeypatch.setattr(middleware, "log", structlog.wrap_logger(raw, processors=processors))
    monkeypatch.setattr(middleware, "request_log", structlog.wrap_logger(raw, processors=[telemetry._line]))
    return written


def problem(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The problem, which has all that each of them must have."""
    found = response.json()
    assert response.status_code == found["status"] == status
    assert found["code"] == code
    assert response.headers["content-type"] == PROBLEM_JSON
    assert found["instance"] == response.request.url.path
    assert found["type"].startswith("urn:holdfast:problem:")
    assert found["title"]
    assert found["detail"].endswith((".", "header Content-Type: application/json")) or found["errors"]
    return found


def field(found: dict[str, Any]) -> str:
    return found["errors"][0]["field"]


@pytest.mark.parametrize("path", ["/wishes", "/quick"])
@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        (b'{"name": 1}', "name"),
        (b'{"name": "x", "party_size": "many"}', "party_size"),
        (b'{"name": "x", "color": "red"}', "color"),
        (b"{}", "name"),
    ],
)
async def test_a_wrong_field_is_named(client: httpx.AsyncClient, path: str, body: bytes, wrong: str) -> None:
    response = await client.post(path, content=body, headers=JSON)
    assert field(problem(response, 400, "INVALID_REQUEST")) == wrong


@pytest.mark.parametrize("path", ["/wishes", "/quick"])
@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"\xff\xfe", b'{"name": NaN}', b'{"name": "x", "\\ud800": 1}',
     b"[" * 100_000, b'{"name": ' + b"9" * 5000 + b"}"],
)  # fmt: skip
async def test_what_is_no_json_is_refused(client: httpx.AsyncClient, path: str, body: bytes) -> None:
    problem(await client.post(path, content=body, headers=JSON), 400, "INVALID_REQUEST")


async def test_half_a_character_is_refused(client: httpx.AsyncClient) -> None:
    response = await client.post("/quick", content=b'{"name": "\\ud800"}', headers=JSON)
    problem(response, 400, "INVALID_REQUEST")


async def test_the_content_type_must_be_json(client: httpx.AsyncClient) -> None:
    response = await client.post("/wishes", content=b'{"name": "x"}', headers={"content-type": "text/plain"})
    assert "application/json" in problem(response, 400, "INVALID_REQUEST")["detail"]


@pytest.mark.parametrize("path", ["/wishes", "/quick"])
async def test_a_body_may_be_256_kib_and_no_more(client: httpx.AsyncClient, path: str) -> None:
    head, tail = b'{"name": "', b'"}'
    fits = head + b"x" * (BODY_BYTES_MAX - len(head) - len(tail)) + tail
    assert (await client.post(path, content=fits, headers=JSON)).status_code == 200
    too_long = await client.post(path, content=fits + b" ", headers=JSON)
    problem(too_long, 413, "PAYLOAD_TOO_LARGE")
    assert too_long.headers["connection"] == "close"


@pytest.mark.parametrize("path", ["/wishes", "/quick"])
async def test_a_body_of_unknown_length_is_counted(client: httpx.AsyncClient, path: str) -> None:
    sent = 0

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(16):
            sent += 65_536
            yield b" " * 65_536

    problem(await client.post(path, content=chunks(), headers=JSON), 413, "PAYLOAD_TOO_LARGE")
    assert sent <= 2 * BODY_BYTES_MAX


async def test_a_wrong_part_of_the_path_is_named(client: httpx.AsyncClient) -> None:
    assert field(problem(await client.get("/wishes/x"), 400, "INVALID_REQUEST")) == "number"


async def test_a_refusal_keeps_its_fields(client: httpx.AsyncClient) -> None:
    assert problem(await client.get("/wishes/7"), 409, "VERSION_CONFLICT")["current_version"] == 7


async def test_unknown_paths_and_methods(client: httpx.AsyncClient) -> None:
    problem(await client.get("/nowhere"), 404, "NOT_FOUND")
    problem(await client.post("/wishes/"), 404, "NOT_FOUND")
    for path in ("/wishes", "/quick"):
        response = await client.delete(path)
        problem(response, 405, "METHOD_NOT_ALLOWED")
        assert response.headers["allow"] == "POST"


async def test_overloaded_says_when_to_come_again(client: httpx.AsyncClient) -> None:
    response = await client.get("/busy")
    problem(response, 503, "OVERLOADED")
    assert int(response.headers["retry-after"]) >= 1


@pytest.mark.parametrize(
    "header", ["Bearer x.y.z", "Bearer", "Basic YWxpY2U6eA==", "", "Bearer " + "a" * 9000, "Bearer \xff"]
)
async def test_a_bad_token_is_refused(client: httpx.AsyncClient, header: str) -> None:
    response = await client.get("/busy", headers={"authorization": header.encode("latin-1")})
    problem(response, 401, "UNAUTHENTICATED")
    assert response.headers["www-authenticate"] == "Bearer"


async def test_two_tokens_are_refused(client: httpx.AsyncClient) -> None:
    two = [("authorization", "Bearer a.b.c"), ("authorization", "Bearer a.b.c")]
    assert "one" in problem(await client.get("/busy", headers=two), 401, "UNAUTHENTICATED")["detail"]


@pytest.mark.parametrize(
    "path", ["/healthz", "/metrics", "/docs", "/openapi.json", "/docs/assets/swagger-ui.css"]
)
async def test_a_bad_token_does_not_matter_where_none_is_needed(client: httpx.AsyncClient, path: str) -> None:
    response = await client.get("http://test" + path, headers={"authorization": "Bearer x.y.z"})
    assert response.status_code == 200


async def test_the_unforeseen_is_answered_without_details(
    client: httpx.AsyncClient, logged: io.BytesIO
) -> None:
    response = await client.get("/broken", headers={"x-request-id": "from-alice.1"})
    assert problem(response, 500, "INTERNAL")["request_id"] == "from-alice.1"
    assert CANARY not in response.text
    assert "Traceback" not in response.text
    failed, request = map(orjson.loads, logged.getvalue().splitlines())
    assert failed["error"] == "RuntimeError"
    assert "in get_broken" in failed["stack"]
    assert failed["request_id"] == request["request_id"] == "from-alice.1"
    assert request["status"] == 500


async def test_logs_quote_nothing_that_was_sent(client: httpx.AsyncClient, logged: io.BytesIO) -> None:
    token = {"authorization": f"Bearer {CANARY}"}
    await client.get("/broken")
    await client.get(f"/wishes/{CANARY}?email={CANARY}")
    await client.get(f"/nowhere/{CANARY}", headers=token)
    await client.post("/wishes", json={"name": CANARY, CANARY: 1}, headers={"x-request-id": CANARY + " !"})
    assert logged.getvalue().count(b"\n") == 5
    assert CANARY.encode() not in logged.getvalue()


async def test_an_answer_that_breaks_off_is_not_finished(logged: io.BytesIO) -> None:
    app = create_app(Settings(), routers=[router])
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {"type": "http", "method": "GET", "path": "/api/v1/half", "headers": [], "query_string": b""}
    await app(scope, receive, send)
    assert [each["type"] for each in sent] == ["http.response.start"]
    assert CANARY.encode() not in logged.getvalue()

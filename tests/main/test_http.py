"""The application as it runs: who calls, what every answer carries, health, metrics, the document."""

from __future__ import annotations

import asyncio
import io
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import asyncpg
import httpx
import orjson
import pytest
import structlog
from fastapi import APIRouter, Depends, FastAPI, Request, Response
from prometheus_client import REGISTRY

from holdfast.identity.issuer import DevIssuer
from holdfast.kernel import telemetry
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.body import Body, takes
from holdfast.kernel.config import Settings
from holdfast.kernel.db.tx import REQUEST_DEADLINE_S, left_s, part_s
from holdfast.kernel.embedded import create_database
from holdfast.kernel.errors import Forbidden
from holdfast.kernel.http import Caller, answer, json_body, parse
from holdfast.kernel.telemetry import CONTEXT
from holdfast.main.http import middleware, operations
from holdfast.main.http.app import create_app
from holdfast.main.http.shortcut import shortcuts
from holdfast.place.create_tenant import create_tenant
from tests.databases import embedded, new_cluster
from tests.processes import PATIENT_S

SCHEMA = Path(__file__).parents[2] / "schema.sql"
POSTGRES = {"shared_buffers": "16MB", "max_connections": "30", "fsync": "off"}
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
Serve = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]
router = APIRouter(tags=["Bookings"])
guarded = APIRouter(dependencies=[Depends(lambda: _refuse())])


class Guest(Body):
    name: str


class Wish(Body):
    guest: Guest


def _refuse() -> None:
    raise Forbidden


@guarded.get("/guarded")
async def get_guarded(request: Request) -> Response:
    return answer({})


@router.post("/quick", openapi_extra=takes(Wish))
async def post_quick(request: Request) -> Response:
    return answer({"name": parse(await request.body(), Wish).guest.name})


@router.post("/noted", openapi_extra=takes(Wish))
async def post_noted(request: Request) -> Response:
    return answer({})


@router.post("/read")
async def post_read(body: Annotated[Wish, json_body(Wish)]) -> Response:
    return answer({"name": body.guest.name})


@router.get("/me/{part}")
async def get_me(part: str, caller: Caller, request: Request, q: str | None = None) -> Response:
    tenants = None if caller.tenant_ids is None else [str(each) for each in caller.tenant_ids]
    state = request.state
    return answer(
        {
            "kind": caller.kind,
            "id": caller.id,
            "tenants": tenants,
            "ip": state.client_ip,
            "traceparent": state.traceparent,
            "logged": CONTEXT.get(),
        }
    )


@router.get("/left")
async def get_left() -> Response:
    return answer({"all": left_s(3600.0), "of_a_usual_second": part_s(1.0)})


@router.get("/kept")
async def get_kept() -> Response:
    response = answer({})
    response.headers["cache-control"] = "max-age=5"
    return response


@pytest.fixture(scope="module")
async def postgres(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Any]:
    data_dir = tmp_path_factory.mktemp("http") / "data"
    new_cluster(data_dir)
    with embedded(data_dir, POSTGRES) as server:
        await create_database(server)
        connection = await asyncpg.connect(server.url())
        await connection.execute(SCHEMA.read_text())
        await connection.close()
        yield server


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("keys")


@pytest.fixture
def serve(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Serve:
    """`async with serve(url) as client`: the application on that database, started."""
    monkeypatch.setattr(operations, "ANSWER_TIMEOUT_S", PATIENT_S)

    @asynccontextmanager
    async def served(url: str, **settings: Any) -> AsyncIterator[httpx.AsyncClient]:
        app = create_app(Settings(database_url=url, data_dir=data_dir, **settings), routers=[router, guarded])
        async with app.router.lifespan_context(app):
            transport = httpx.ASGITransport(app, client=("203.0.113.9", 4711))
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                client.app = app  # type: ignore[attr-defined]
                yield client

    return served


@pytest.fixture
async def client(serve: Serve, postgres: Any) -> AsyncIterator[httpx.AsyncClient]:
    async with serve(postgres.url()) as client:
        yield client


def app_of(client: httpx.AsyncClient) -> FastAPI:
    return client.app  # type: ignore[attr-defined]


def bearer(data_dir: Path, tenant: str | None, *roles: str) -> dict[str, str]:
    token = DevIssuer.load(data_dir).mint(tenant, roles, "alice")
    return {"authorization": f"Bearer {token}"}


async def test_without_a_token_one_is_anonymous(client: httpx.AsyncClient) -> None:
    me = (await client.get("/api/v1/me/x")).json()
    assert (me["kind"], me["tenants"], me["ip"]) == ("anonymous", [], "203.0.113.9")


async def test_a_token_says_who_calls(client: httpx.AsyncClient, data_dir: Path) -> None:
    tenant = (
        await app_of(client).state.engine.db.call(SYSTEM, lane="changes").run(create_tenant, "nord", "Nord")
    )
    for _ in range(2):
        me = (await client.get("/api/v1/me/x", headers=bearer(data_dir, "nord", "manager"))).json()
        assert (me["kind"], me["id"], me["tenants"]) == ("staff", "alice", [str(tenant.id)])


async def test_a_token_of_an_unknown_tenant_is_refused(client: httpx.AsyncClient, data_dir: Path) -> None:
    response = await client.get("/api/v1/me/x", headers=bearer(data_dir, "nobody", "admin"))
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"


async def test_a_platform_administrator_needs_no_tenant(client: httpx.AsyncClient, data_dir: Path) -> None:
    me = (await client.get("/api/v1/me/x", headers=bearer(data_dir, None, "platform_admin"))).json()
    assert (me["kind"], me["tenants"]) == ("staff", None)


async def test_without_the_database_a_token_is_not_wrong(serve: Serve, data_dir: Path) -> None:
    async with serve("postgresql://nobody@127.0.0.1:1/none") as client:
        response = await client.get("/api/v1/me/x", headers=bearer(data_dir, "nord", "manager"))
    assert response.status_code == 503
    assert "retry-after" in response.headers


@pytest.mark.parametrize(
    ("sent", "kept"),
    [("a.B-9_", True), ("x" * 128, True), ("x" * 129, False), ("a b", False), ("", False), ("é", False)],
)
async def test_the_request_id_is_taken_if_it_is_plain(
    client: httpx.AsyncClient, sent: str, kept: bool
) -> None:
    response = await client.get("/healthz", headers={"x-request-id": sent.encode()})
    assert (response.headers["x-request-id"] == sent) is kept
    assert len(response.headers["x-request-id"]) >= 1


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (PARENT, PARENT),
        ("01" + PARENT[2:] + "-more", PARENT),
        (PARENT + "-more", None),
        ("ff" + PARENT[2:], None),
        (PARENT.upper(), None),
        (PARENT.replace("0af7651916cd43dd8448eb211c80319c", "0" * 32), None),
        (PARENT.replace("b7ad6b7169203331", "0" * 16), None),
        ("nonsense", None),
    ],
)
async def test_a_valid_trace_is_kept(client: httpx.AsyncClient, sent: str, kept: str | None) -> None:
    me = (await client.get("/api/v1/me/x", headers={"traceparent": sent})).json()
    assert me["traceparent"] == kept
    assert me["logged"].get("trace_id") == (kept and kept[3:35])


async def test_nothing_of_a_request_is_left_for_the_next(client: httpx.AsyncClient) -> None:
    await client.get("/api/v1/me/x", headers={"traceparent": PARENT})
    me = (await client.get("/api/v1/me/x", headers={"x-request-id": "second"})).json()
    assert me["logged"] == {"request_id": "second"}
    assert "request_id" not in CONTEXT.get()


async def test_answers_carry_the_security_headers(client: httpx.AsyncClient) -> None:
    for path in ("/api/v1/me/x", "/nowhere", "/healthz"):
        headers = (await client.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers.get_list("cache-control") == ["no-store"]
    kept = (await client.get("/api/v1/kept", headers={"origin": "https://elsewhere.example"})).headers
    assert kept.get_list("cache-control") == ["max-age=5"]
    assert "access-control-allow-origin" not in kept


async def test_a_handler_of_the_request_alone_is_reached_by_the_short_way(client: httpx.AsyncClient) -> None:
    assert ("POST", "/api/v1/quick") in shortcuts(app_of(client))
    response = await client.post("/api/v1/quick", json={"guest": {"name": "Alice"}})
    assert response.json() == {"name": "Alice"}


@pytest.mark.parametrize(
    "raw",
    [b'{"guest": {"name": "Alice"}}', b'{"guest": {"name": 7}}', b"", b"{", b"[]", b"null", b"\xff", b"NaN"],
)
@pytest.mark.parametrize("content_type", ["application/json", "text/plain", None])
async def test_a_dependency_reads_a_body_as_the_short_way_does(
    client: httpx.AsyncClient, raw: bytes, content_type: str | None
) -> None:
    headers = {} if content_type is None else {"content-type": content_type}
    quick, read = [
        await client.post(f"/api/v1/{path}", content=raw, headers=headers) for path in ("quick", "read")
    ]
    assert (read.status_code, {**read.json(), "instance": ""}) == (
        quick.status_code,
        {**quick.json(), "instance": ""},
    )
    assert read.status_code == (200 if b"Alice" in raw else 400)


async def test_the_document_has_the_body_that_a_dependency_reads(client: httpx.AsyncClient) -> None:
    paths = app_of(client).openapi()["paths"]
    assert paths["/api/v1/read"]["post"]["requestBody"] == paths["/api/v1/quick"]["post"]["requestBody"]
    assert "413" in paths["/api/v1/read"]["post"]["responses"]
    assert ("POST", "/api/v1/read") not in shortcuts(app_of(client))


async def test_the_short_way_does_not_lead_around_dependencies(client: httpx.AsyncClient) -> None:
    assert (await client.get("/api/v1/guarded")).status_code == 403


async def test_each_request_is_one_log_line(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = io.BytesIO()
    line = structlog.wrap_logger(structlog.BytesLogger(written), processors=[telemetry._line])
    monkeypatch.setattr(middleware, "request_log", line)
    await client.get("/api/v1/me/secret?q=secret", headers={"x-request-id": "r1", "traceparent": PARENT})
    (logged,) = map(orjson.loads, written.getvalue().splitlines())
    assert 0 < logged.pop("ms") < 10_000
    assert logged.pop("timestamp").endswith("Z")
    assert logged == {
        "event": "request",
        "level": "info",
        "request_id": "r1",
        "trace_id": PARENT[3:35],
        "method": "GET",
        "route": "/api/v1/me/{part}",
        "status": 200,
        "code": None,
        "actor": "anonymous",
        "subject": None,
        "tenant_id": None,
        "venue_id": None,
    }


def sample(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0


async def test_requests_are_counted_by_template(client: httpx.AsyncClient) -> None:
    labels = {"method": "GET", "route": "/api/v1/me/{part}", "status": "200"}
    before = sample("holdfast_http_requests_total", **labels)
    await asyncio.gather(*(client.get(f"/api/v1/me/{part}") for part in range(5)))
    assert sample("holdfast_http_requests_total", **labels) == before + 5
    assert sample("holdfast_http_seconds_count", route="/api/v1/me/{part}") >= 5


async def test_made_up_methods_and_paths_are_one_series(client: httpx.AsyncClient) -> None:
    for number in range(3):
        await client.request(f"X{number}", f"/nowhere{number}")
    assert sample("holdfast_http_requests_total", method="OTHER", route="unmatched", status="404") >= 3
    text = (await client.get("/metrics")).text
    assert "nowhere" not in text
    assert "X1" not in text


async def test_requests_have_the_time_that_is_set(serve: Serve, postgres: Any) -> None:
    async with serve(postgres.url(), request_deadline_s=REQUEST_DEADLINE_S * 10) as client:
        left = (await client.get("/api/v1/left")).json()
        assert left == pytest.approx({"all": REQUEST_DEADLINE_S * 10, "of_a_usual_second": 10.0})
        assert app_of(client).state.engine.db.deadline_s == REQUEST_DEADLINE_S * 10


async def test_metrics_show_the_pool_and_the_writer(client: httpx.AsyncClient) -> None:
    text = (await client.get("/metrics")).text
    for name in (
        "http_in_flight 1.0",
        "pool_connections 0.0",
        "pool_connections_idle 0.0",
        "booking_writer_queue 0.0",
    ):
        assert f"holdfast_{name}\n" in text


async def test_ready_with_the_schema(client: httpx.AsyncClient) -> None:
    for _ in range(2):
        response = await client.get("/readyz")
        assert (response.status_code, response.json()) == (200, {"status": "ready"})


async def test_ready_although_the_pool_is_exhausted(serve: Serve, postgres: Any) -> None:
    async with serve(postgres.url(), pool_max=1) as client, app_of(client).state.engine.db.pool.acquire():
        assert (await client.get("/readyz")).status_code == 200
        assert (await client.get("/healthz")).json() == {"status": "alive"}


async def test_not_ready_without_the_schema(serve: Serve, postgres: Any) -> None:
    async with serve(postgres.url("postgres")) as client:
        response = await client.get("/readyz")
        assert (response.status_code, response.json()["missing"]) == (503, ["schema"])


async def test_alive_but_not_ready_without_the_database(serve: Serve) -> None:
    async with serve("postgresql://nobody@127.0.0.1:1/none") as client:
        response = await client.get("/readyz")
        assert (response.status_code, response.json()["missing"]) == (503, ["database"])
        assert (await client.get("/healthz")).status_code == 200


async def test_not_ready_when_the_database_is_silent(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those who ask at the same time are told at the same time."""
    monkeypatch.setattr(operations, "ANSWER_TIMEOUT_S", 2.0)

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    listener = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    async with listener, serve(f"postgresql://nobody@127.0.0.1:{port}/none") as client:
        asking = asyncio.gather(*(client.get("/readyz") for _ in range(3)))
        answers = await asyncio.wait_for(asking, 2 * operations.ANSWER_TIMEOUT_S)
        assert [each.json()["missing"] for each in answers] == [["database"]] * 3


async def test_ready_again_after_the_connection_was_lost(client: httpx.AsyncClient, postgres: Any) -> None:
    await client.get("/readyz")
    owner = await asyncpg.connect(postgres.url())
    ended = "SELECT count(pg_terminate_backend(pid, 1000)) FROM pg_stat_activity WHERE application_name = $1"
    assert await owner.fetchval(ended, "holdfast readyz") == 1
    await owner.close()
    answered = [(await client.get("/readyz")).status_code for _ in range(2)]
    assert answered[-1] == 200


async def test_the_document_has_our_errors(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    responses = document["paths"]["/api/v1/me/{part}"]["get"]["responses"]
    assert set(responses) == {"200", "400", "401", "403", "404", "409", "429", "503", "504"}
    schema = responses["409"]["content"]["application/problem+json"]["schema"]
    assert schema == {"$ref": "#/components/schemas/Problem"}
    assert "422" not in str(document)
    assert "HTTPValidationError" not in str(document)
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"


async def test_the_document_has_bodies_that_a_handler_reads_itself(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    for path in ("/api/v1/quick", "/api/v1/noted"):
        operation = document["paths"][path]["post"]
        body = operation["requestBody"]["content"]["application/json"]["schema"]
        assert body == {"$ref": "#/components/schemas/Wish"}
    schemas = document["components"]["schemas"]
    assert schemas["Wish"]["properties"]["guest"] == {"$ref": "#/components/schemas/Guest"}
    assert schemas["Guest"]["required"] == ["name"]
    assert "413" in operation["responses"]


async def test_the_docs_load_nothing_from_elsewhere(client: httpx.AsyncClient) -> None:
    root = await client.get("/")
    assert root.headers["location"] == "docs"
    page = await client.get("/docs")
    assert "//" not in page.text.replace("// ", "").split("<body>")[0]
    assert "http" not in page.text
    for name in ("swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png"):
        assert f"docs/assets/{name}" in page.text
        assert (await client.get(f"/docs/assets/{name}")).status_code == 200


async def test_it_does_not_start_without_a_database_url() -> None:
    app = create_app(Settings(), routers=[])
    with pytest.raises(ValueError, match="database_url"):
        async with app.router.lifespan_context(app):
            pass


async def test_the_documents_references_all_lead_somewhere() -> None:
    document = create_app(Settings()).openapi()
    named = set(re.findall(r'"\$ref": ?"#/components/schemas/([^"]+)"', json.dumps(document)))
    assert named
    assert named <= set(document["components"]["schemas"])
    tags = {each["name"] for each in document["tags"]}
    operations = [each for item in document["paths"].values() for each in item.values()]
    assert {"/api/v1/bookings", "/api/v1/venues"} <= set(document["paths"])
    assert {tag for each in operations for tag in each["tags"]} <= tags


async def test_making_a_booking_goes_the_short_way() -> None:
    assert ("POST", "/api/v1/bookings") in shortcuts(create_app(Settings()))

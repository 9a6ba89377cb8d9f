"""nginx in front, as docs/operations.md has it: TLS, and HTTP/2 with all of a browser's streams on one connection."""

from __future__ import annotations

import asyncio
import datetime
import re
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import orjson
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from websockets.asyncio.client import connect

from tests.booking.asking import at
from tests.conftest import House
from tests.live.conftest import bookings_channel, slot_channel, staff
from tests.live.reading import WITHIN_S
from tests.processes import reserved_port, serving, until
from tests.services import NGINX, leave_out

DOCS = Path(__file__).parents[2] / "docs" / "operations.md"
STREAMS = 50


@dataclass(frozen=True, slots=True)
class Proxy:
    """nginx, and where its certificate is."""

    port: int
    certificate: Path

    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.certificate))


def make_certificate(place: Path) -> Path:
    """Makes a key and a certificate for localhost there; returns the certificate."""
    key, name = (
        ec.generate_private_key(ec.SECP256R1()),
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]),
    )
    today = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (place / "holdfast.crt").write_bytes(made.public_bytes(pem))
    (place / "holdfast.key").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return place / "holdfast.crt"


def configuration(place: Path, *, port: int, api_port: int) -> str:
    """The one of the docs, with other ports and places."""
    [shown] = re.findall(r"```nginx\n(.*?)```", DOCS.read_text(), re.DOTALL)
    for word, value in {
        "127.0.0.1:8000": f"127.0.0.1:{api_port}",
        "8443": f"127.0.0.1:{port}",
        "/etc/ssl": str(place),
    }.items():
        assert word in shown
        shown = shown.replace(word, value)
    paths = "".join(
        f"{each}_temp_path {place}/{each};\n" for each in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return (
        f"daemon off;\npid {place}/nginx.pid;\nerror_log {place}/error.log;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{paths}{shown}\n}}\n"
    )


@pytest.fixture(scope="module")
async def proxy(
    database_url: str, data_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Proxy]:
    """nginx in front of an API that trusts it, and that takes few connections of any other address."""
    program = shutil.which("nginx") or shutil.which("/usr/sbin/nginx") or leave_out(NGINX)
    place = tmp_path_factory.mktemp("nginx")
    certificate = make_certificate(place)
    limits = {"trusted_proxies": "127.0.0.1", "connections_per_address_max": 5}
    with reserved_port() as port:
        async with serving(database_url, data_dir, **limits) as api:
            (place / "nginx.conf").write_text(configuration(place, port=port, api_port=api.port))
            words = [program, "-c", place / "nginx.conf", "-e", place / "error.log"]
            nginx = subprocess.Popen(words)  # noqa: ASYNC220
            try:
                await until(lambda: listens(port, nginx))
                yield Proxy(port, certificate)
            finally:
                nginx.terminate()
                nginx.wait()


async def listens(port: int, nginx: subprocess.Popen[bytes]) -> bool:
    assert nginx.poll() is None, "nginx did not start"
    try:
        (await asyncio.open_connection("127.0.0.1", port))[1].close()
    except OSError:
        return False
    return True


def client(proxy: Proxy, *, http2: bool = True) -> httpx.AsyncClient:
    """One connection, no more."""
    return httpx.AsyncClient(
        base_url=f"https://localhost:{proxy.port}/api/v1",
        verify=proxy.trust(),
        http2=http2,
        http1=not http2,
        timeout=WITHIN_S,
        limits=httpx.Limits(max_connections=1),
    )


async def events(stream: httpx.Response) -> AsyncIterator[dict[str, object]]:
    async for line in stream.aiter_lines():
        if line.startswith("data: ") and len(line) > len("data: {}"):
            yield orjson.loads(line.removeprefix("data: "))


async def test_many_streams_and_bookings_on_one_connection(proxy: Proxy, house: House) -> None:
    signed = {"Authorization": f"Bearer {staff(house)}"}
    async with client(proxy) as browser, AsyncExitStack() as open_streams:
        streams = [
            await open_streams.enter_async_context(
                browser.stream("GET", "/live", params={"channel": slot_channel(house)}, headers=signed)
            )
            for _ in range(STREAMS)
        ]
        assert {(each.status_code, each.http_version) for each in streams} == {(200, "HTTP/2")}
        read = [events(each) for each in streams]
        wanted = {
            "venue_id": house.venue_id,
            "party_size": 2,
            "start": at("19:00"),
            "resource_ids": house.ids("t1"),
        }
        booked = await browser.post("/bookings", json=wanted, headers=signed)
        assert (booked.status_code, booked.http_version) == (201, "HTTP/2")
        told = [await asyncio.wait_for(anext(each), WITHIN_S) for each in read]
        assert {(each["version"], each["newState"]) for each in told} == {(1, "confirmed")}


async def test_a_websocket_goes_through(proxy: Proxy, house: House) -> None:
    url, signed = f"wss://localhost:{proxy.port}/api/v1/live/ws", {"Authorization": f"Bearer {staff(house)}"}
    async with connect(url, ssl=proxy.trust(), additional_headers=signed, proxy=None) as socket:
        await socket.send(orjson.dumps({"op": "subscribe", "channels": [bookings_channel(house)]}).decode())
        assert orjson.loads(await socket.recv())["op"] == "subscribed"


async def test_what_is_too_large_or_private_is_refused(proxy: Proxy) -> None:
    async with client(proxy, http2=False) as browser:
        assert (await browser.post("/bookings", content=b"x" * 300_000)).status_code == 413
        assert (await browser.get("/venues", params={"tenant": "none"})).status_code == 404
        assert (await browser.get(f"https://localhost:{proxy.port}/metrics")).status_code == 403

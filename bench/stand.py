"""The stand: a database, venues to book at, and the API in a separate process."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import socket
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from holdfast.identity.issuer import TTL_S_MAX, DevIssuer
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.db.database import Bounds, Database
from holdfast.kernel.embedded import EmbeddedPostgres, Server, create_database, create_login
from holdfast.main.process.migrate import migrate
from holdfast.main.reactions import engine_over
from holdfast.place.create_tenant import create_tenant
from holdfast.place.document import parse_document
from holdfast.place.import_venue import import_venue
from holdfast.place.places import Places

READY_S_MAX = 20.0
TENANTS, VENUES_EACH, RESOURCES_EACH = 5, 20, 30


@dataclass(slots=True)
class VenueAtHand:
    """A venue to book at."""

    id: UUID
    tenant_id: UUID
    tenant: str
    resource_ids: list[UUID]
    token: str


@dataclass(slots=True)
class Stand:
    """Everything a benchmark needs. `seed`: for all its random numbers."""

    server: Server
    data_dir: Path
    seed: int
    venues: list[VenueAtHand] = field(default_factory=list)
    pids: dict[int, int] = field(default_factory=dict)
    """Process ids of the APIs, by port."""

    @asynccontextmanager
    async def api(self, **settings: str) -> AsyncIterator[int]:
        """The port of an API that runs in a separate process during the block, with these additional settings."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        async with self.process("serve", port=str(port), **settings) as process:
            self.pids[port] = process.pid
            await _ready(port, process)
            yield port

    @asynccontextmanager
    async def process(self, command: str, **settings: str) -> AsyncIterator[asyncio.subprocess.Process]:
        """`holdfast <command>` on the stand's database during the block, with these settings."""
        environment = os.environ | {
            "HOLDFAST_DATABASE_URL": self.server.app_url(),
            "HOLDFAST_DATA_DIR": str(self.data_dir),
            # All clients of a benchmark share one address.
            "HOLDFAST_CONNECTIONS_PER_ADDRESS_MAX": "100000",
            **{f"HOLDFAST_{name.upper()}": value for name, value in settings.items()},
        }
        with (self.data_dir / f"{command}-{settings.get('port', '')}.log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "holdfast", command),
                env=environment,
                stdout=log,
                stderr=log,
            )
        try:
            yield process
        finally:
            process.terminate()
            await asyncio.wait_for(process.wait(), 15)


async def _ready(port: int, process: asyncio.subprocess.Process) -> None:
    give_up_at = time.monotonic() + READY_S_MAX
    while time.monotonic() < give_up_at and process.returncode is None:
        try:
            await asyncio.to_thread(urllib.request.urlopen, f"http://127.0.0.1:{port}/readyz", timeout=2)
        except (urllib.error.URLError, OSError):
            await asyncio.sleep(0.1)
        else:
            return
    raise RuntimeError("the API did not become ready")


@asynccontextmanager
async def stand(*, seed: int) -> AsyncIterator[Stand]:
    """A new database with venues, durable as in production (fsync on); deleted afterwards."""
    data_dir = Path(tempfile.mkdtemp(prefix="holdfast-bench-"))
    postgres = EmbeddedPostgres(data_dir, {"shared_buffers": "1GB", "max_wal_size": "8GB"})
    try:
        server = await asyncio.to_thread(postgres.start)
        await create_database(server)
        await migrate(server.url())
        await create_login(server)
        made = Stand(server, data_dir, seed)
        await _make_venues(made)
        yield made
    finally:
        await asyncio.to_thread(postgres.stop)
        shutil.rmtree(data_dir, ignore_errors=True)


async def _make_venues(stand: Stand) -> None:
    async with _database(stand) as db:
        for number in range(TENANTS):
            documents = [_document(venue) for venue in range(VENUES_EACH)]
            stand.venues += await _tenant(stand, db, f"bench-{number}", documents)


async def add_venue(stand: Stand, tenant: str, document: dict[str, object]) -> VenueAtHand:
    """Adds a venue with its own tenant; it is not in `stand.venues`. Its resources are in order."""
    async with _database(stand) as db:
        return (await _tenant(stand, db, tenant, [document]))[0]


@asynccontextmanager
async def _database(stand: Stand) -> AsyncIterator[Database]:
    db = await Database.connect(stand.server.url(), bounds=Bounds(statement_ms=60_000))
    engine_over(db)
    try:
        yield db
    finally:
        await db.close()


async def _tenant(
    stand: Stand, db: Database, slug: str, documents: Sequence[dict[str, object]]
) -> list[VenueAtHand]:
    tenant = await db.run(SYSTEM, create_tenant, slug, slug)
    token = DevIssuer.load(stand.data_dir).mint(slug, ["staff"], "bench", ttl_s=TTL_S_MAX)
    places, made = Places(db), list[VenueAtHand]()
    for document in documents:
        kept = (await db.run(SYSTEM, import_venue, parse_document(document), tenant=slug)).kept
        resources = sorted((await places.venue(kept.id)).resources.values(), key=lambda each: each.order)
        made.append(VenueAtHand(kept.id, tenant.id, slug, [each.id for each in resources], token))
    return made


def _document(number: int) -> dict[str, object]:
    days = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]
    return {
        "slug": f"venue-{number}",
        "name": f"Venue {number}",
        "timezone": "Europe/Stockholm",
        "currency": "SEK",
        "policy": {
            "slot_step_minutes": 15,
            "default_duration_minutes": 60,
            "buffer_after_minutes": 15,
            "max_advance_days": 1_500,
            "tax_percent": 12,
            "price_rules": [
                {"per": "guest", "amount": "95.00", "days": ["FR", "SA"]},
                {"per": "hour", "amount": "120"},
            ],
        },
        "hours": {"weekly": [{"days": days, "open": "10:00", "close": "23:00"}]},
        "resources": [
            {"slug": f"t{n}", "name": f"T{n}", "kind": "table", "seats_max": 4, "zone": "hall"}
            for n in range(RESOURCES_EACH)
        ],
    }


def generator(stand: Stand, *, salt: object) -> random.Random:
    """Returns random numbers for one part of a benchmark, the same for the same seed."""
    return random.Random(f"{stand.seed}-{salt}")

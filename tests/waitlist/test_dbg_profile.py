import asyncio, time, cProfile, pstats, random
from datetime import timedelta, datetime
from uuid import UUID
from holdfast.kernel.actor import SYSTEM
from holdfast.kernel.tx import Tx, lock_key
from holdfast.kernel.span import Span
from holdfast.place.places import Places
from holdfast.port.pricing import LocalPricing
from holdfast.waitlist.promote import promote
from .sittings import *
import holdfast.kernel.tx as txm


async def test_dbg(open_house, db, owner):
    T, D, N = 100, 2, 1500
    dice = random.Random(5)
    house = await open_house(
        policy={"slot_step_minutes": 15, "combination_resources_max": 1, "offer_ttl_seconds": 3600},
        hours=HOURS,
        resources=resources(T),
    )
    made = {
        id_: Table(id_, e["zone"], e["seats_min"], e["seats_max"], e["kind"])
        for e in resources(T)
        for id_ in house.ids(e["slug"])
    }
    full = Full(None, house, dice, made, sittings(D), "")
    t = time.monotonic()
    bookings = []
    for s in full.sittings:
        bookings += await asyncio.gather(
            *(
                house.booked(
                    start=s.isoformat(),
                    end=(s + timedelta(minutes=105)).isoformat(),
                    resource_ids=[x.id],
                    party_size=x.seats_min,
                )
                for x in made.values()
            )
        )
    for _ in range(N):
        r = await house.client.post(
            "/waitlist", json={"venue_id": house.venue_id, **full.any_entry()}, headers=house.bob
        )
        assert r.status_code == 201
    print("setup", time.monotonic() - t)
    venue = await Places(db).venue(UUID(house.venue_id))
    places = Places(db)
    await places.venue(venue.id)

    async def go(around, label, prof=False):
        stm = []

        async def verb(tx: Tx):
            orig = tx.fetch

            async def timed(sql, *a):
                t = time.perf_counter()
                r = await orig(sql, *a)
                stm.append((round((time.perf_counter() - t) * 1000, 1), len(r), " ".join(sql.split())[:60]))
                return r

            try:
                tx.fetch = timed
            except AttributeError:
                pass
            return await promote(tx, venue, places=places, pricing=LocalPricing(), around=around)

        p = cProfile.Profile()
        t = time.perf_counter()
        if prof:
            p.enable()
        n = await db.call(SYSTEM, tenants=[venue.tenant_id], locks=[lock_key(venue.id)], deadline_s=60).run(
            verb
        )
        if prof:
            p.disable()
        print(label, n, "offers", round((time.perf_counter() - t) * 1000), "ms")
        if prof:
            pstats.Stats(p).sort_stats("cumtime").print_stats(22)

    await go(None, "full none")
    await go(None, "full none")
    dice.shuffle(bookings)
    for k in range(6):
        b = bookings.pop()
        assert (
            await house.client.post(
                f"/bookings/{b['id']}/cancel", json={"expected_version": 1}, headers=house.bob
            )
        ).status_code == 200
        s = Span(datetime.fromisoformat(b["start"]), datetime.fromisoformat(b["end"]))
        await go(s, "one", k == 5)
    for k in range(300):
        b = bookings.pop()
        assert (
            await house.client.post(
                f"/bookings/{b['id']}/cancel", json={"expected_version": 1}, headers=house.bob
            )
        ).status_code == 200
    await go(None, "300")
    await go(None, "300")
    b = bookings.pop()
    assert (
        await house.client.post(
            f"/bookings/{b['id']}/cancel", json={"expected_version": 1}, headers=house.bob
        )
    ).status_code == 200
    s = Span(datetime.fromisoformat(b["start"]), datetime.fromisoformat(b["end"]))
    await go(s, "one later", True)

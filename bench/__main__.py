"""All benchmarks: `python -m bench [--seconds 6] [--seed 1] [--rounds 1000] [--large 1000000] [name ...]`.

Each prints one JSON object with its figures and a ratio to the bare database, or to another measurement of its own,
from the same run on the same machine: absolute figures depend on the machine and its load, ratios hardly do. The exit
code is 1 if a figure breaks a promise of Holdfast.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import sys
import urllib.request
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import uvloop

from bench import (
    baseline,
    blocks,
    bookings,
    events,
    live,
    processes,
    race,
    reads,
    retention,
    series,
    size,
    snapshots,
    tenants,
    trades,
    views,
    waitlist,
)
from bench.stand import Stand, stand

ROUNDS = 5
RATIO_MIN = 0.5
ONE_CLIENT_P50_MS_MAX = 5.0
SMALL = 10_000
TENANTS_RATIO_MAX = 2.0


async def bench_bookings(made: Stand, asked: argparse.Namespace) -> dict[str, Any]:
    """Bookings per second, and their ratio to the bare database: the median of ROUNDS rounds of both."""
    await baseline.prepare(made)
    await size.fill(made, SMALL)
    rounds = [await _round(made, asked.seconds) for _ in range(ROUNDS)]
    rounds.sort(key=lambda each: each["ratio"])
    found = rounds[ROUNDS // 2]
    async with made.api() as port:
        await bookings.warm_up(made, port)
        few = {
            f"clients_{n}": bookings.figures(
                await bookings.measure(made, port, clients=n, seconds=asked.seconds), clients=n
            )
            for n in (1, 16)
        }
        best_fit = await bookings.measure(made, port, clients=64, seconds=asked.seconds, named=False)
        before = await _round_trips(port)
        counted = await bookings.measure(made, port, clients=64, seconds=asked.seconds)
        trips = (await _round_trips(port) - before) / max(counted.statuses[201], 1)
        alone = await _trips_alone(made, port)
    one = few["clients_1"]
    return {
        **found,
        "ratios": [each["ratio"] for each in rounds],
        **few,
        "best_fit_64": bookings.figures(best_fit, clients=64),
        "round_trips_per_booking_64": round(trips, 2),
        "round_trips_per_booking_1": round(alone, 2),
        "ok": found["ratio"] >= RATIO_MIN and one["p50_ms"] <= ONE_CLIENT_P50_MS_MAX,
    }


async def _round(made: Stand, seconds: float) -> dict[str, Any]:
    """Measures the bare database, then Holdfast: one after the other, so that they don't compete for the CPU."""
    bare = [await baseline.measure(made, clients=n, seconds=int(seconds)) for n in (16, 64)]
    best = max(bare, key=lambda each: each["transactions_per_s"])
    async with made.api() as port:
        await bookings.warm_up(made, port)
        result = await bookings.measure(made, port, clients=64, seconds=seconds)
    found = bookings.figures(result, clients=64)
    ratio = found["bookings_per_s"] / best["transactions_per_s"]
    return {"clients_64": found, "bare_database": best, "ratio": round(ratio, 3)}


async def _round_trips(port: int) -> float:
    def read() -> str:
        return urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5).read().decode()

    found = re.search(
        r"^holdfast_db_round_trips_total ([\d.e+]+)", await asyncio.to_thread(read), re.MULTILINE
    )
    return float(found[1]) if found else 0.0


async def _trips_alone(made: Stand, port: int) -> float:
    before = await _round_trips(port)
    result = await bookings.measure(made, port, clients=1, seconds=1.0)
    return (await _round_trips(port) - before) / max(result.statuses[201], 1)


async def bench_reads(made: Stand, asked: argparse.Namespace) -> dict[str, Any]:
    """Availability checks and day views per second; ratio: day views to checks."""
    await size.fill(made, SMALL)
    async with made.api() as port:
        await reads.measure(made, port, reads.checks, seconds=1.0)
        check = await reads.measure(made, port, reads.checks, seconds=asked.seconds)
        day = await reads.measure(made, port, reads.days, seconds=asked.seconds)
    return {
        "availability_check": check,
        "day_view": day,
        "ratio": round(day["reads_per_s"] / check["reads_per_s"], 3),
    }


async def bench_size(made: Stand, asked: argparse.Namespace) -> dict[str, Any]:
    """Bookings and reads with SMALL and with `--large` bookings in the tables; ratio: large to small."""
    found: dict[str, Any] = {}
    for count in (SMALL, asked.large):
        await size.fill(made, count)
        async with made.api() as port:
            await bookings.warm_up(made, port)
            many = await bookings.measure(made, port, clients=64, seconds=asked.seconds)
            one = await bookings.measure(made, port, clients=1, seconds=asked.seconds / 2)
            found[str(count)] = {
                "clients_64": bookings.figures(many, clients=64),
                "clients_1": bookings.figures(one, clients=1),
                "availability_check": await reads.measure(
                    made, port, reads.checks, seconds=asked.seconds / 2
                ),
                "day_view": await reads.measure(made, port, reads.days, seconds=asked.seconds / 2),
            }
    small, large = (found[str(count)]["clients_64"]["bookings_per_s"] for count in (SMALL, asked.large))
    return {**found, "ratio": round(large / small, 3)}


async def bench_blocks(made: Stand, _asked: argparse.Namespace) -> dict[str, Any]:
    """1,000 recurring blocks expanded over three months, and a two-year block created; ratio: that to a bare INSERT."""
    expanded = blocks.expand()
    async with made.api() as port:
        created = await blocks.create(made, port)
    return {
        "expand": expanded,
        "create": created,
        "ratio": created["ratio"],
        "ok": expanded["ok"] and created["ok"],
    }


async def bench_series(made: Stand, _asked: argparse.Namespace) -> dict[str, Any]:
    """A series of 52 weeks; ratio: 52 single bookings one after the other to the series."""
    await size.fill(made, SMALL)
    async with made.api() as port:
        return await series.measure(made, port)


async def bench_snapshots(made: Stand, asked: argparse.Namespace) -> dict[str, Any]:
    """Slot snapshots per second, from memory and from the database; ratio: memory to database."""
    await size.fill(made, SMALL)
    wanted = snapshots.slots(made)
    async with made.api() as port:
        await snapshots.opened(port, wanted)
        found = {
            "database": await snapshots.in_turn(port, wanted, seconds=asked.seconds),
            "memory": await snapshots.at_random(made, port, wanted, seconds=asked.seconds),
        }
    ratio = found["memory"]["reads_per_s"] / found["database"]["reads_per_s"]
    return {**found, "redis": await snapshots.in_redis(seconds=asked.seconds / 2), "ratio": round(ratio, 3)}


async def bench_race(made: Stand, asked: argparse.Namespace) -> dict[str, Any]:
    """64 clients race for one slot, round after round, on one and on two servers; ratio: p99 of two servers to one."""
    found: dict[str, Any] = {}
    wanted = race.slots(made)
    for servers in (1, 2):
        async with AsyncExitStack() as running:
            ports = [await running.enter_async_context(made.api()) for _ in range(servers)]
            before = await race.deadlocks(made)
            one = await race.measure(wanted, ports, clients=64, count=asked.rounds)
        one["deadlocks"] = await race.deadlocks(made) - before
        found[f"servers_{servers}"] = one | {"ok": race.holds(one)}
    ratio = found["servers_2"]["p99_ms"] / found["servers_1"]["p99_ms"]
    return {**found, "ratio": round(ratio, 3), "ok": all(each["ok"] for each in found.values())}


async def bench_processes(made: Stand, asked: argparse.Namespace) -> dict[str, Any]:
    """Bookings and reads with one and with two API processes on a database; ratio: bookings per second, two to one."""
    await size.fill(made, SMALL)
    return await processes.measure(made, seconds=asked.seconds)


async def bench_live(made: Stand, asked: argparse.Namespace) -> dict[str, Any]:
    """Delivery of events to 1,000 and 5,000 streams, and its cost to bookings; ratio: to a bare server."""
    return await live.measure(made, seconds=asked.seconds)


async def bench_events(made: Stand, asked: argparse.Namespace) -> dict[str, Any]:
    """Time from writing an event to reading it, in several situations; ratio: the worst p95 to the quiet one."""
    return await events.measure(made, seconds=asked.seconds)


async def bench_retention(made: Stand, asked: argparse.Namespace) -> dict[str, Any]:
    """Purge of 900,000 keys and `--large` events during bookings; ratio: bookings with the purge to without."""
    return await retention.measure(made, seconds=asked.seconds, keys=900_000, events=asked.large)


async def bench_tenants(made: Stand, _asked: argparse.Namespace) -> dict[str, Any]:
    """Lookups and a tick with 5 and with 100,000 tenants in the tables; ratio: the worst of many to few."""
    await size.fill(made, SMALL)
    few = await tenants.measure(made)
    await tenants.fill(made)
    many = await tenants.measure(made)
    ratio = max(many[name] / few[name] for name in few)
    return {"few_ms": few, "many_ms": many, "ratio": round(ratio, 3), "ok": ratio <= TENANTS_RATIO_MAX}


async def bench_views(made: Stand, asked: argparse.Namespace) -> dict[str, Any]:
    """Anonymous queries at a venue of 1,000 resources; ratio: p99 of bookings elsewhere, with ten clients to idle."""
    await size.fill(made, SMALL)
    async with made.api() as port:
        await bookings.warm_up(made, port)
        return await views.measure(made, port, seconds=asked.seconds)


async def bench_waitlist(made: Stand, asked: argparse.Namespace) -> dict[str, Any]:
    """A month comes free for 2,000 waiting: offers, locks, other tenants' bookings; ratio: their p99 then to idle."""
    async with made.api() as port, made.process("work"):
        await bookings.warm_up(made, port)
        return await waitlist.measure(made, port, seconds=asked.seconds)


async def bench_trades(made: Stand, asked: argparse.Namespace) -> dict[str, Any]:
    """300 units by guest, and the calendar of 360 rooms for 62 days; ratio: a booking of 4 units to one of a table."""
    async with made.api() as port:
        await bookings.warm_up(made, port)
        return await trades.measure(made, port, seconds=asked.seconds)


BENCHMARKS: dict[str, Callable[[Stand, argparse.Namespace], Awaitable[dict[str, Any]]]] = {
    "blocks": bench_blocks,
    "bookings": bench_bookings,
    "events": bench_events,
    "live": bench_live,
    "processes": bench_processes,
    "race": bench_race,
    "reads": bench_reads,
    "retention": bench_retention,
    "series": bench_series,
    "size": bench_size,
    "snapshots": bench_snapshots,
    "tenants": bench_tenants,
    "views": bench_views,
    "waitlist": bench_waitlist,
    "trades": bench_trades,
}


async def main(asked: argparse.Namespace) -> int:
    """Runs the named benchmarks, or all. Returns 1 if a promise is broken."""
    failed = 0
    for name in asked.names or BENCHMARKS:
        print(f"{name}: {BENCHMARKS[name].__doc__}", flush=True)
        async with stand(seed=asked.seed) as made:
            found = await BENCHMARKS[name](made, asked)
        failed |= not found.get("ok", True)
        line = {"benchmark": name, "seed": asked.seed, "load_average": os.getloadavg()[0], **found}
        print(json.dumps(line), flush=True)
    return int(failed)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*BENCHMARKS, []], metavar="name")
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=1_000)
    parser.add_argument("--large", type=int, default=1_000_000)
    sys.exit(uvloop.run(main(parser.parse_args())))

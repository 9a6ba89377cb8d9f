"""The race: many clients want the same slot at once, round after round.

`python -m bench.race [--rounds 1000] [--clients 64] [--servers 1] [--seed 1]` prints one JSON object. The exit code is
1 if a round does not have exactly one winner, a loser gets no suggestions, PostgreSQL counted a deadlock, or one
response in a thousand takes longer than P999_MS_MAX.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import orjson
import uvloop

from bench import load
from bench.crowd import Answer, Crowd, crowd
from bench.stand import Stand, generator, stand

P999_MS_MAX = 250.0
SUGGESTIONS = 3
WARM_UP_ROUNDS = 40
DAYS_AHEAD = 350


def slots(stand: Stand) -> Iterator[bytes]:
    """Yields requests for one slot each, no two at the same venue on the same day."""
    rng = generator(stand, salt="race")
    first = datetime.now(UTC).date() + timedelta(days=2)
    places = [(venue, day) for venue in stand.venues for day in range(DAYS_AHEAD)]
    for venue, day in rng.sample(places, len(places)):
        body = {
            "venue_id": str(venue.id),
            "booking_date": str(first + timedelta(days=day)),
            "booking_time": "18:00",
            "party_size": 2,
            "resource_ids": [str(rng.choice(venue.resource_ids))],
        }
        yield load.http("POST", "/bookings", token=venue.token, body=orjson.dumps(body))


async def rounds(clients: Crowd, wanted: Iterator[bytes], count: int) -> list[list[Answer]]:
    """Returns all responses of each round."""
    return [await clients.ask([next(wanted)] * len(clients.clients)) for _ in range(count)]


async def measure(
    wanted: Iterator[bytes], ports: Sequence[int], *, clients: int, count: int
) -> dict[str, Any]:
    """Returns the figures of that many rounds, as JSON; each round takes the next of the wanted slots."""
    async with crowd(ports, clients) as everybody:
        await rounds(everybody, wanted, WARM_UP_ROUNDS)
        answers = await rounds(everybody, wanted, count)
    winners = Counter(sum(each.status == 201 for each in round_) for round_ in answers)
    every = [each for round_ in answers for each in round_]
    refused = [each for each in every if each.status == 409]
    suggestions = Counter(len(each.json()["suggested_slots"]) for each in refused)
    return {
        "clients": clients,
        "servers": len(ports),
        "rounds": count,
        "rounds_by_winners": dict(winners),
        "losers_by_suggestions": dict(suggestions),
        "statuses": dict(Counter(each.status for each in every)),
        **{f"{name}_ms": round(_quantile(every, share), 2) for name, share in _SHARES.items()},
        "winner_p50_ms": round(_quantile([each for each in every if each.status == 201], 0.5), 2),
    }


_SHARES = {"p50": 0.5, "p99": 0.99, "p999": 0.999, "slowest": 1.0}


def _quantile(answers: Sequence[Answer], share: float) -> float:
    ordered = sorted(each.ms for each in answers)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def holds(found: dict[str, Any]) -> bool:
    """Returns whether the figures keep Holdfast's promises."""
    return (
        found["rounds_by_winners"] == {1: found["rounds"]}
        and found["losers_by_suggestions"].keys() == {SUGGESTIONS}
        and found["statuses"].keys() == {201, 409}
        and found["deadlocks"] == 0
        and found["p999_ms"] < P999_MS_MAX
    )


DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"


async def deadlocks(made: Stand) -> int:
    # Sessions report their counts when they end; the servers have stopped by now.
    connection = await asyncpg.connect(made.server.url())
    try:
        return await connection.fetchval(DEADLOCKS)
    finally:
        await connection.close()


async def main(asked: argparse.Namespace) -> int:
    """Runs the race. Returns 1 if a promise is broken."""
    async with stand(seed=asked.seed) as made:
        async with AsyncExitStack() as serving:
            ports = [await serving.enter_async_context(made.api()) for _ in range(asked.servers)]
            found = await measure(slots(made), ports, clients=asked.clients, count=asked.rounds)
        found["deadlocks"] = await deadlocks(made)
    found["ok"] = holds(found)
    line = {"benchmark": "race", "seed": asked.seed, "load_average": os.getloadavg()[0], **found}
    print(json.dumps(line), flush=True)
    return int(not found["ok"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.race", description=__doc__)
    parser.add_argument("--rounds", type=int, default=1_000)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--servers", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    sys.exit(uvloop.run(main(parser.parse_args())))

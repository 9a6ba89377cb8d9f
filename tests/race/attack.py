"""A client that means harm, as a process of its own: `python -m tests.race.attack NAME PORT`, until it is killed."""

from __future__ import annotations

import itertools
import socket
import sys
import time
from collections.abc import Callable, Iterator

from tests.raw import UPGRADE, chunked, frame, get

CHUNK = 256 * 1024
CONT, TEXT, PING = 0, 1, 9
Script = Callable[[], Iterator[bytes]]
WS = UPGRADE.replace(b"GET /", b"GET /api/v1/live/ws")


def after(first: bytes, again: bytes) -> Script:
    """`first`, and then `again` for ever."""
    many = again * (CHUNK // len(again) + 1)
    return lambda: itertools.chain([first], itertools.repeat(many))


ATTACKS: dict[str, Script] = {
    "header": after(b"GET / HTTP/1.1\r\nX: ", b"y"),
    "url": after(b"GET /", b"y"),
    "headers": after(b"GET / HTTP/1.1\r\n", b"X: y\r\n"),
    "ahead": after(b"", get("/healthz")),
    "ahead-unknown": after(b"", get("/" + "y" * 20)),
    "empty-lines": after(b"", b"\r\n"),
    "body": after(b"POST /api/v1/bookings HTTP/1.1\r\nContent-Length: 9000000000\r\n\r\n", b"\r\n"),
    "chunks": after(chunked("/api/v1/bookings", [])[:-5], b"1\r\na\r\n"),
    "trailers": after(chunked("/api/v1/bookings", [])[:-2], b"X: y\r\n"),
    "fragments": after(WS + frame(TEXT, b"", is_last=False), frame(CONT, b"x", is_last=False)),
    "pings": after(WS, frame(PING)),
    "messages": after(WS, frame(TEXT)),
    "long-messages": after(WS, frame(TEXT, b"[" * 60_000)),
    "connections": lambda: iter([b"GET / HTTP/1.1\r\n"]),
}
TELL_S = 0.3
AT_ONCE = {"connections": 2_000}
"""How many connections each attack has at a time, 4 if nothing is said."""


class Attacker:
    """One connection of its, which sends the whole script and reads what it is told."""

    def __init__(self, name: str, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.2", port), source_address=("127.0.0.3", 0))
        self.socket.setblocking(False)
        self._script = ATTACKS[name]()
        self._left = memoryview(b"")

    def go_on(self) -> bool:
        """Sends what is taken now. False when the server has ended it."""
        try:
            if self.socket.recv(CHUNK) == b"":
                return False
        except BlockingIOError:
            pass
        except OSError:
            return False
        try:
            self._left = self._left or memoryview(next(self._script, b""))
            self._left = self._left[self.socket.send(self._left) :] if self._left else self._left
        except BlockingIOError:
            return True
        except OSError:
            return False
        return True


def main(name: str, port: int) -> None:
    """Attacks until it is killed; who is thrown out comes again. Prints how often, every TELL_S."""
    attackers: list[Attacker] = []
    ended, told_at = 0, time.monotonic()
    while True:
        attackers += [Attacker(name, port) for _ in range(AT_ONCE.get(name, 4) - len(attackers))]
        still = [each for each in attackers if each.go_on()]
        for each in set(attackers).difference(still):
            each.socket.close()
        ended += len(attackers) - len(still)
        attackers = still
        time.sleep(0.001)
        if time.monotonic() - told_at > TELL_S:
            told_at = time.monotonic()
            print(ended, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))

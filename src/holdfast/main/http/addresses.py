"""Limits the open connections per client address, so that one client can't use them all."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Protocol

IPV6_PREFIX = 64
"""A single IPv6 customer has at least a /64 (RFC 6177), so a /64 counts as one address."""


class Guarded(Protocol):
    """A connection that counts towards the limit."""

    def give_way(self) -> bool:
        """Closes the connection if it is idle or still waits for a request. Returns whether it does."""
        ...


class Addresses:
    """The open connections per address, at most `most` each.

    `proxies`: addresses or networks without a limit, since many clients connect through them; `*`: all.
    """

    def __init__(self, *, most: int, proxies: str | None = None) -> None:
        self._most = most
        self._open: dict[str, dict[Guarded, None]] = {}
        self._is_proxy = _test(proxies)

    def enter(self, address: str | None, connection: Guarded) -> bool:
        """Counts a connection. At the limit it closes the address's oldest connection without a request; if there is
        none, it counts nothing and returns False."""
        key = self._key(address)
        if key is None:
            return True
        those = self._open.setdefault(key, {})
        if len(those) >= self._most and not self._made_room(those):
            return False
        those[connection] = None
        return True

    def leave(self, address: str | None, connection: Guarded) -> None:
        """Stops counting a closed connection. Does nothing for one that was not counted."""
        key = self._key(address)
        those = self._open.get(key) if key is not None else None
        if those is None or key is None:
            return
        those.pop(connection, None)
        if not those:
            del self._open[key]

    def _made_room(self, those: dict[Guarded, None]) -> bool:
        idle = next((each for each in those if each.give_way()), None)
        if idle is None:
            return False
        del those[idle]
        return True

    def _key(self, address: str | None) -> str | None:
        return None if address is None or self._is_proxy(address) else _counted_as(address)


def _counted_as(address: str) -> str:
    if ":" not in address:
        return address
    parsed = ip_address(address.partition("%")[0])
    assert isinstance(parsed, IPv6Address)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(IPv6Network((parsed, IPV6_PREFIX), strict=False))


def _test(proxies: str | None) -> Callable[[str], bool]:
    named = [each.strip() for each in (proxies or "").split(",") if each.strip()]
    if "*" in named:
        return lambda _: True
    networks: list[IPv4Network | IPv6Network] = [ip_network(each) for each in named]
    if not networks:
        return lambda _: False

    def is_proxy(address: str) -> bool:
        try:
            parsed = ip_address(address.partition("%")[0])
        except ValueError:
            return False
        if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
            parsed = parsed.ipv4_mapped
        return any(parsed in network for network in networks)

    return is_proxy

"""How many connections each address has open, so that one client can't take them all."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Protocol

IPV6_PREFIX = 64
"""A single IPv6 customer has at least a /64 (RFC 6177), so that is what counts as one address."""


class Guarded(Protocol):
    """A connection as it is counted."""

    def give_way(self) -> bool:
        """Closes it if it is between two requests or waits for one. Returns whether it does."""
        ...


class Addresses:
    """The open connections by address, at most `most` of each.

    `proxies`: addresses or networks that may open as many as they like, since others come through them; `*`: all.
    """

    def __init__(self, *, most: int, proxies: str | None = None) -> None:
        self._most = most
        self._open: dict[str, dict[Guarded, None]] = {}
        self._is_proxy = _test(proxies)

    def enter(self, address: str | None, connection: Guarded) -> bool:
        """Counts it. Where the address has as many as it may, the oldest one without a request gives way; if there
        is none, nothing is counted and the answer is False."""
        key = self._key(address)
        if key is None:
            return True
        those = self._open.setdefault(key, {})
        if len(those) >= self._most and not self._made_room(those):
            return False
        those[connection] = None
        return True

    def leave(self, address: str | None, connection: Guarded) -> None:
        """It is closed. Harmless for one that was not counted."""
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

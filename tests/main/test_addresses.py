"""What counts as one address."""

from __future__ import annotations

import pytest

from holdfast.main.http.addresses import Addresses


class Idle:
    """A connection that gives way if it is told to."""

    def __init__(self, *, idle: bool) -> None:
        self.idle = idle

    def give_way(self) -> bool:
        return self.idle


def enter(addresses: Addresses, address: str | None, *, idle: bool = False) -> bool:
    return addresses.enter(address, Idle(idle=idle))


@pytest.mark.parametrize(
    ("one", "other", "are_one"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("fe80::1%eth0", "fe80::1%eth1", True),
        (None, None, False),
    ],
)
def test_what_counts_as_one(one: str | None, other: str | None, are_one: bool) -> None:
    addresses = Addresses(most=1)
    assert enter(addresses, one)
    assert enter(addresses, other) is not are_one


@pytest.mark.parametrize("address", ["10.0.0.7", "10.1.2.3", "::ffff:10.1.2.3", "2001:db8::5"])
def test_proxies_are_not_counted(address: str) -> None:
    addresses = Addresses(most=1, proxies="10.0.0.0/8, 2001:db8::/32")
    assert all(enter(addresses, address) for _ in range(3))
    assert [enter(addresses, "192.0.2.1") for _ in range(2)] == [True, False]
    assert all(enter(Addresses(most=1, proxies="*"), "192.0.2.1") for _ in range(3))


def test_the_oldest_that_can_gives_way() -> None:
    addresses = Addresses(most=3)
    for idle in (False, True, True):
        assert enter(addresses, "192.0.2.1", idle=idle)
    assert [enter(addresses, "192.0.2.1") for _ in range(3)] == [True, True, False]


def test_nothing_is_left_of_who_left() -> None:
    addresses, connection = Addresses(most=1), Idle(idle=False)
    for _ in range(3):
        assert addresses.enter("192.0.2.1", connection)
        addresses.leave("192.0.2.1", connection)
        addresses.leave("192.0.2.1", connection)
    assert addresses._open == {}

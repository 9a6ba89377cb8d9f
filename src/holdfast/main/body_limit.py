"""No request body may be longer than 256 KiB, announced or not."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.types import Message, Receive

from holdfast.kernel.errors import HoldfastError

BODY_BYTES_MAX = 256 * 1024


class PayloadTooLarge(HoldfastError):
    """A request body must not be longer than 262144 bytes (256 KiB)."""

    code = "PAYLOAD_TOO_LARGE"


def limited(receive: Receive, headers: Mapping[bytes, bytes]) -> Receive:
    """`receive`, which raises PayloadTooLarge where the body gets too long; or it is raised at once."""
    announced = headers.get(b"content-length")
    if announced is None:
        return _counting(receive)
    # The server holds the sender to what was announced, so there is nothing left to count.
    if not announced.isdigit() or int(announced) > BODY_BYTES_MAX:
        raise PayloadTooLarge
    return receive


def _counting(receive: Receive) -> Receive:
    left = BODY_BYTES_MAX

    async def counted() -> Message:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise PayloadTooLarge
        return message

    return counted

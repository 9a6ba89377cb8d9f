"""Requests and frames byte by byte, for those who send what a client library would not."""

from __future__ import annotations

from collections.abc import Sequence

UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


def get(path: str, *headers: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: x", *headers, "", ""]).encode()


def post(path: str, body: bytes, *headers: str) -> bytes:
    return (
        "\r\n".join([f"POST {path} HTTP/1.1", f"Content-Length: {len(body)}", *headers, "", ""]).encode()
        + body
    )


def chunked(
    path: str,
    chunks: Sequence[bytes],
    *,
    extension: str = "",
    headers: Sequence[str] = (),
    trailers: Sequence[str] = (),
) -> bytes:
    head = "\r\n".join([f"POST {path} HTTP/1.1", "Transfer-Encoding: chunked", *headers, "", ""]).encode()
    framed = [b"%x%b\r\n%b\r\n" % (len(each), extension.encode(), each) for each in chunks]
    return b"".join([head, *framed, b"0\r\n", *(f"{each}\r\n".encode() for each in trailers), b"\r\n"])


def frame(opcode: int, data: bytes = b"", *, is_last: bool = True) -> bytes:
    """A frame from a client (RFC 6455, 5.2), masked with zeros."""
    head = bytes([(0x80 if is_last else 0) | opcode])
    if len(data) < 126:
        length = bytes([0x80 | len(data)])
    elif len(data) < 65536:
        length = b"\xfe" + len(data).to_bytes(2, "big")
    else:
        length = b"\xff" + len(data).to_bytes(8, "big")
    return head + length + b"\0\0\0\0" + data

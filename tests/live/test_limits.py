"""The figures that docs/live.md tells are those of the code."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.live import broadcast, sse, stream, subscribe, ws
from holdfast.main.process import serve

DOCS = Path(__file__).parents[2] / "docs" / "live.md"

SAID = [
    f"| {subscribe.CHANNELS_MAX} channels on a stream |",
    f"up to {subscribe.CHANNELS_MAX} channels:",
    f"| {stream.BACKLOG_BYTES_MAX / 1e6:g} MB of backlog for a slow reader |",
    f"| {broadcast.REPLAY_EVENTS_MAX:,} events, of all venues together, since your cursor; "
    f"or {stream.BACKLOG_BYTES_MAX / 1e6:g} MB of yours |",
    f"| {ws.OPS_PER_S_MAX} messages a second to a WebSocket, {ws.OPS_BURST_MAX} in a burst; "
    f"{ws.MESSAGE_BYTES_MAX // 1024} KiB each |",
    f"A comment, a line with a colon, comes every {stream.COMMENT_S:g} s.",
    f"first as long as `retry` says ({sse.RETRY_MS_MIN // 1000} to {sse.RETRY_MS_MAX // 1000} s,",
    f"pings a WebSocket every {serve.WS_PING_S:g} s",
    f"{ws.CLOSE_CODES['token']} the token has expired, {ws.CLOSE_CODES['slow']} you read too slowly, "
    f"{ws.CLOSE_CODES['lost']} reconnect",
]


@pytest.mark.parametrize("said", SAID)
def test_the_docs_say_what_the_code_does(said: str) -> None:
    assert said in " ".join(DOCS.read_text().split())

"""Metrics of the live channels."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

DELIVERY_SECONDS = Histogram(
    "holdfast_live_delivery_seconds",
    "Time from writing an event until it is on the socket of its last reader; one observation per event that has "
    "readers, without stalled readers.",
    buckets=(0.005, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10),
)
STREAMS = Gauge("holdfast_live_streams", "Open streams.", ["transport"])
DELIVERED = Counter(
    "holdfast_live_events_delivered_total", "Events sent to readers, by transport.", ["transport"]
)
REPLAYED = Counter("holdfast_live_events_replayed_total", "Events replayed to readers that reconnected.")
DROPS = Counter("holdfast_live_drops_total", "Streams closed because their reader was too slow.")
RESETS = Counter(
    "holdfast_live_resets_total", "Resets sent to readers, one per channel, by reason.", ["reason"]
)
TOKENS_ENDED = Counter("holdfast_live_tokens_ended_total", "Streams closed because their token expired.")
TAIL_LAG = Gauge("holdfast_live_tail_lag_seconds", "Time since the event table was last read to its end.")
AUDITED = Counter(
    "holdfast_live_audited_total",
    "Channels audited, by outcome: agrees, differs, unknown (inconclusive).",
    ["outcome"],
)
MISMATCHES = Counter(
    "holdfast_live_mismatches_total",
    "Sections whose snapshot differs from the stream, and gaps in versions.",
)

"""What is measured of the live channels."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

DELIVERY_SECONDS = Histogram(
    "holdfast_live_delivery_seconds",
    "Time from the writing of an event to the moment its last reader's socket had it; once for each event that "
    "somebody reads, readers that stall left out.",
    buckets=(0.005, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10),
)
STREAMS = Gauge("holdfast_live_streams", "Open streams.", ["transport"])
DELIVERED = Counter(
    "holdfast_live_events_delivered_total", "Events given to readers, by transport.", ["transport"]
)
REPLAYED = Counter("holdfast_live_events_replayed_total", "Events given to readers who came back.")
DROPS = Counter("holdfast_live_drops_total", "Streams closed because their reader was too slow.")
RESETS = Counter(
    "holdfast_live_resets_total", "Channels that a reader was told to read anew, by reason.", ["reason"]
)
TOKENS_ENDED = Counter("holdfast_live_tokens_ended_total", "Streams closed because their token had ended.")
TAIL_LAG = Gauge("holdfast_live_tail_lag_seconds", "Time since the event table was last read to its end.")
AUDITED = Counter(
    "holdfast_live_audited_total",
    "Channels audited, by outcome: agrees, differs, unknown (it could not be told).",
    ["outcome"],
)
MISMATCHES = Counter(
    "holdfast_live_mismatches_total",
    "Sections whose snapshot is not what the stream says, and gaps in versions.",
)

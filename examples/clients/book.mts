// Books, changes and cancels with a generated client, and reads a refusal. docs/clients.md says how to run it.
//
// SERVER is where Holdfast listens, TOKEN a token of staff, VENUE the slug of a venue of theirs.

import createClient from "openapi-fetch";
import type { components, paths } from "./holdfast.d.ts";

type Problem = components["schemas"]["Problem"];

const client = createClient<paths>({
  baseUrl: process.env.SERVER,
  headers: { Authorization: `Bearer ${process.env.TOKEN}` },
});
const day = new Date(Date.now() + 30 * 24 * 3600 * 1000).toISOString().slice(0, 10);

// What was answered; a refusal is thrown.
function done<T>(answer: { data?: T; error?: Problem }): T {
  if (answer.data === undefined) throw new Error(`${answer.error?.code}: ${answer.error?.detail}`);
  return answer.data;
}

const venues = done(await client.GET("/api/v1/venues"));
const venue = venues.items.find((each) => each.slug === process.env.VENUE);
if (!venue) throw new Error(`There is no venue ${process.env.VENUE}.`);

const free = done(
  await client.GET("/api/v1/venues/{venue_id}/availability/day", {
    params: { path: { venue_id: venue.id }, query: { date: day, party_size: 2 } },
  }),
);
const first = free.starts[0];
const last = free.starts[free.starts.length - 1];

const body = {
  venue_id: venue.id,
  start: first.start,
  party_size: 2,
  resource_ids: first.resource_ids,
  guest_name: "Gina Larsson",
};
const booking = done(await client.POST("/api/v1/bookings", { body }));
console.log(booking.status, booking.booking_date, booking.booking_time);

const { error: refusal } = await client.POST("/api/v1/bookings", { body });
if (refusal?.code !== "LANE_NOT_AVAILABLE" && refusal?.code !== "TABLE_NOT_AVAILABLE") {
  throw new Error(`Expected a refusal: ${JSON.stringify(refusal)}`);
}
console.log(refusal.code, "-", refusal.detail);

const path = { booking_id: booking.id };
const changed = done(
  await client.PUT("/api/v1/bookings/{booking_id}", {
    params: { path },
    body: { expected_version: booking.version, start: last.start },
  }),
);
console.log(changed.status, changed.booking_date, changed.booking_time);

const cancelled = done(
  await client.POST("/api/v1/bookings/{booking_id}/cancel", {
    params: { path },
    body: { expected_version: changed.version, reason: "Fell ill" },
  }),
);
console.log(cancelled.status);

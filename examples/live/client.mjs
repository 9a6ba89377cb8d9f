// Keeps the states of all sections of one slot up to date, whatever happens to the connection.
//
//     node client.mjs http://127.0.0.1:8000 nordlek boulehallen 2027-05-01 day
//
// Prints a JSON line whenever it knows something new; `because` says how. HOLDFAST_TOKEN, if set, is a token of
// staff. What it does, and why, is told in docs/live.md. Needs nothing but fetch: Node 18 or later, or a browser,
// where you import Slot and give it an `onChange`.

const DEAD_AFTER_MS = 40_000; // the server says something every 15 s
const WAIT_MS_MAX = 30_000;
const SNAPSHOT_TRIES_MAX = 10;

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const between = (low, high) => low + Math.random() * (high - low);

export class Slot {
  // What is known of one slot: `sections` by id, as of `version` in `epoch`.
  constructor({ base, tenant, venue, date, slotId, token, onChange }) {
    const channel = `availability:${tenant}:${venue}:${date}:${slotId}`;
    this.streamUrl = `${base}/api/v1/live?${new URLSearchParams({ channel })}`;
    this.snapshotUrl =
      `${base}/api/v1/clubs/${tenant}/venues/${venue}/availability?${new URLSearchParams({ date, slotId })}`;
    this.headers = token ? { Authorization: `Bearer ${token}` } : {};
    this.onChange = onChange;
    Object.assign(this, { epoch: null, version: -1, sections: {}, cursor: null, retryMs: 1000, failures: 0 });
  }

  // Never ends, but with an error if the server says that asking again is of no use.
  async follow() {
    for (;;) {
      try {
        await this.listen();
      } catch (error) {
        if (error.status >= 400 && error.status < 500 && ![408, 429].includes(error.status)) throw error;
      }
      this.failures += 1;
      const waitMs = Math.min(this.retryMs * 2 ** (this.failures - 1), WAIT_MS_MAX);
      await sleep(waitMs * between(0.5, 1.5)); // not all clients at the same moment
    }
  }

  // One connection, for as long as it lasts.
  async listen() {
    const dead = new AbortController();
    let timer = setTimeout(() => dead.abort(), DEAD_AFTER_MS);
    const alive = () => {
      clearTimeout(timer);
      timer = setTimeout(() => dead.abort(), DEAD_AFTER_MS);
    };
    try {
      const after = this.cursor ? `&after=${this.cursor}` : "";
      const response = await this.get(this.streamUrl + after, dead.signal);
      for await (const frame of frames(response.body, alive)) {
        this.failures = 0;
        if (this.epoch === null) await this.fetch("start"); // only now: what happens from here on is in the stream
        if (frame.retry) this.retryMs = Number(frame.retry);
        if (frame.data) await this.take(frame.event, JSON.parse(frame.data));
        // Last: if something failed before this, the next connection brings it again.
        if (frame.id) this.cursor = frame.id;
      }
    } finally {
      clearTimeout(timer);
      dead.abort();
    }
  }

  // Folds one event into what is known, or finds that it can't be and starts over from a snapshot.
  async take(kind, event) {
    if (kind === "reset") {
      await sleep(between(0, 1000)); // everybody else got it in the same moment
      return this.fetch("reset", event.version);
    }
    if (event.epoch !== this.epoch) return this.fetch("epoch");
    if (event.version <= this.version) return; // the snapshot had it
    if (event.version > this.version + 1) return this.fetch("gap", event.version);
    this.version = event.version;
    if (event.sectionId in this.sections) this.sections[event.sectionId] = [event.newState, event.unitsFree];
    this.say("event");
  }

  // Replaces all that is known. Another process than the one that streams may be a moment behind it.
  async fetch(because, atLeast = 0) {
    for (let tries = 0; tries < SNAPSHOT_TRIES_MAX; tries++) {
      const found = await (await this.get(this.snapshotUrl, AbortSignal.timeout(10_000))).json();
      if (found.version >= atLeast || found.epoch !== this.epoch) {
        const sections = found.sections.map((each) => [each.sectionId, [each.state, each.unitsFree]]);
        Object.assign(this, { epoch: found.epoch, version: found.version, sections: Object.fromEntries(sections) });
        return this.say(because);
      }
      await sleep(between(100, 300));
    }
    throw new Error("the snapshot stays behind the stream");
  }

  say(because) {
    const { epoch, version, sections } = this;
    this.onChange({ because, epoch, version, sections });
  }

  async get(url, signal) {
    const response = await fetch(url, { headers: this.headers, signal });
    if (!response.ok) throw Object.assign(new Error(await response.text()), { status: response.status });
    return response;
  }
}

// The fields of each frame of server-sent events. One that was cut off is not one.
async function* frames(body, alive) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    alive();
    const blocks = (text + value).split("\n\n");
    text = blocks.pop();
    for (const block of blocks) {
      const fields = block.split("\n").map((line) => /^(\w+): ?(.*)$/.exec(line));
      yield Object.fromEntries(fields.filter(Boolean).map(([, name, value]) => [name, value]));
    }
  }
}

if (typeof process !== "undefined" && process.argv[1]?.endsWith("client.mjs")) {
  const [base, tenant, venue, date, slotId] = process.argv.slice(2);
  if (process.argv.length !== 7) {
    const today = new Date().toISOString().slice(0, 10);
    const example = `http://127.0.0.1:8000 nordlek boulehallen ${today} day`;
    console.error(`Usage: node client.mjs SERVER TENANT VENUE DATE SLOT, such as ${example}`);
    process.exit(2);
  }
  const onChange = (known) => console.log(JSON.stringify(known));
  await new Slot({ base, tenant, venue, date, slotId, token: process.env.HOLDFAST_TOKEN, onChange }).follow();
}

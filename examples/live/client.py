"""Keeps the states of all sections of one slot up to date, whatever happens to the connection.

    python client.py http://127.0.0.1:8000 nordlek boulehallen 2027-05-01 day

Prints a JSON line whenever it knows something new; `because` says how. HOLDFAST_TOKEN, if set, is a token of staff.
What it does, and why, is told in docs/live.md. Needs the standard library alone.
"""

import http.client
import json
import os
import random
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

DEAD_AFTER_S = 40  # the server says something every 15 s
WAIT_S_MAX = 30
SNAPSHOT_TRIES_MAX = 10


class Slot:
    """What is known of one slot: `sections` by id, as of `version` in `epoch`."""

    def __init__(self, base, tenant, venue, date, slot_id):
        self.channel = f"availability:{tenant}:{venue}:{date}:{slot_id}"
        self.stream_url = f"{base}/api/v1/live?channel={urllib.parse.quote(self.channel)}"
        query = urllib.parse.urlencode({"date": date, "slotId": slot_id})
        self.snapshot_url = f"{base}/api/v1/clubs/{tenant}/venues/{venue}/availability?{query}"
        self.epoch, self.version, self.sections = None, -1, {}
        self.cursor, self.retry_s, self.failures = None, 1.0, 0

    def follow(self):
        """Never returns. Stops with an error only if the server says that asking again is of no use."""
        while True:
            try:
                self.listen()
            except urllib.error.HTTPError as error:
                if 400 <= error.code < 500 and error.code not in (408, 429):
                    raise
            except (OSError, http.client.HTTPException, ValueError):
                pass  # cut, dead or unreadable: all the same, come back
            self.failures += 1
            wait_s = min(self.retry_s * 2 ** min(self.failures - 1, 10), WAIT_S_MAX)
            time.sleep(wait_s * random.uniform(0.5, 1.5))  # not all clients at the same moment

    def listen(self):
        """One connection, for as long as it lasts."""
        after = f"&after={self.cursor}" if self.cursor else ""
        with get(self.stream_url + after, timeout=DEAD_AFTER_S) as stream:
            for frame in frames(stream):
                self.failures = 0
                if self.epoch is None:
                    self.fetch("start")  # only now: what happens from here on is in the stream
                self.retry_s = int(frame.get("retry", self.retry_s * 1000)) / 1000
                if "data" in frame:
                    self.take(frame["event"], json.loads(frame["data"]))
                # Last: if something failed before this, the next connection brings it again.
                self.cursor = frame.get("id", self.cursor)

    def take(self, kind, event):
        """Folds one event into what is known, or finds that it can't be and starts over from a snapshot."""
        if kind == "reset":
            time.sleep(random.random())  # everybody else got it in the same moment
            self.fetch("reset", at_least=event["version"])
        elif event["epoch"] != self.epoch:
            self.fetch("epoch")
        elif event["version"] <= self.version:
            return  # the snapshot had it
        elif event["version"] > self.version + 1:
            self.fetch("gap", at_least=event["version"])
        else:
            self.version = event["version"]
            if event["sectionId"] in self.sections:
                self.sections[event["sectionId"]] = (event["newState"], event["unitsFree"])
            self.say("event")

    def fetch(self, because, at_least=0):
        """Replaces all that is known. Another process than the one that streams may be a moment behind it."""
        for _ in range(SNAPSHOT_TRIES_MAX):
            with get(self.snapshot_url, timeout=10) as response:
                found = json.load(response)
            if found["version"] >= at_least or found["epoch"] != self.epoch:
                break
            time.sleep(random.uniform(0.1, 0.3))
        else:
            raise ValueError("the snapshot stays behind the stream")
        self.epoch, self.version = found["epoch"], found["version"]
        self.sections = {each["sectionId"]: (each["state"], each["unitsFree"]) for each in found["sections"]}
        self.say(because)

    def say(self, because):
        line = {"because": because, "epoch": self.epoch, "version": self.version, "sections": self.sections}
        print(json.dumps(line), flush=True)


def frames(stream):
    """The fields of each frame of server-sent events. One that was cut off is not one."""
    frame = {}
    for line in stream:
        name, _, value = line.decode().rstrip("\r\n").partition(":")
        if name:
            frame[name] = value.removeprefix(" ")
        elif not value and frame:
            yield frame
            frame = {}


def get(url, timeout):
    token = os.environ.get("HOLDFAST_TOKEN")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=timeout)


USAGE = "Usage: python client.py SERVER TENANT VENUE DATE SLOT, such as"
EXAMPLE = "http://127.0.0.1:8000 nordlek boulehallen %Y-%m-%d day"

if __name__ == "__main__":
    if len(sys.argv) != 6:
        print(USAGE, time.strftime(EXAMPLE), file=sys.stderr)
        sys.exit(2)
    Slot(*sys.argv[1:6]).follow()

"""The server under test, and a plain WebSocket client that observes what it delivers.

The harness (tests/clients.rs) starts the binary with tests/clients/apps.toml and hands the port over in
SHARDCAST_TEST_PORT. Waiting is by blocking reads with a deadline, never by sleeping.
"""

import itertools
import json
import os
import time

import pusher
import websocket

HOST = "127.0.0.1"
PORT = int(os.environ["SHARDCAST_TEST_PORT"])
DEADLINE_SECONDS = 20
TRIES_FOR_A_SHARD = 200

APP = {
    "app_id": "4242",
    "key": "orders-key",
    "secret": "orders-secret",
    # Never reaches the server: backends encrypt with it (E2).
    "encryption_master_key_base64": "c2hhcmRjYXN0IGtub3dzIG5vdGhpbmcgb2YgdGhpcyE=",
}
QUIET_APP = {"app_id": "2002", "key": "quiet-key", "secret": "quiet-secret-ü"}

_names = itertools.count(1)


def unique(prefix):
    """A channel name nobody else uses, with the wanted prefix."""
    return f"{prefix}-py-{os.getpid()}-{next(_names)}"


def backend(credentials=None, **overrides):
    """The SDK, set up as a customer sets it up."""
    settings = {**(credentials or APP), **overrides}
    return pusher.Pusher(host=HOST, port=PORT, ssl=False, timeout=DEADLINE_SECONDS, **settings)


class Subscriber:
    """One connection. It keeps every frame it was sent, in order."""

    def __init__(self, key=APP["key"]):
        url = f"ws://{HOST}:{PORT}/app/{key}?protocol=7&client=py-test&version=1.0&flash=false"
        self._socket = websocket.create_connection(url, timeout=DEADLINE_SECONDS)
        self.frames = []
        established = self._read()
        assert established["event"] == "pusher:connection_established", established
        self.socket_id = json.loads(established["data"])["socket_id"]

    @property
    def shard(self):
        return int(self.socket_id.split(".")[0]) % 1024

    def close(self):
        self._socket.close()

    def send(self, event, data, **fields):
        self._socket.send(json.dumps({"event": event, "data": data, **fields}))

    def _read(self):
        frame = json.loads(self._socket.recv())
        self.frames.append(frame)
        return frame

    def wait_for(self, event, channel=None):
        """The first frame of that name, already here or still to come."""

        def matches(frame):
            return frame["event"] == event and channel in (None, frame.get("channel"))

        for frame in self.frames:
            if matches(frame):
                return frame
        end = time.monotonic() + DEADLINE_SECONDS
        while time.monotonic() < end:
            frame = self._read()
            if matches(frame):
                return frame
        raise AssertionError(f"no {event} on {channel}; got {self.frames}")

    def subscribe(self, channel, auth=None):
        """Subscribes and returns the confirming frame; a refusal fails the test."""
        answer = self.attempt(channel, auth)
        if answer["event"] != "pusher_internal:subscription_succeeded":
            raise AssertionError(f"subscription to {channel} refused: {answer}")
        return answer

    def attempt(self, channel, auth=None):
        """Subscribes and returns the answer, a success or a refusal."""
        self.send("pusher:subscribe", {"channel": channel, **(auth or {})})
        answers = ("pusher_internal:subscription_succeeded", "pusher:subscription_error")
        while True:
            frame = self._read()
            if frame["event"] in answers and frame.get("channel") == channel:
                return frame

    def events(self, channel):
        """(name, decoded data) of the application events on the channel so far."""
        return [
            (frame["event"], json.loads(frame["data"]))
            for frame in self.frames
            if frame.get("channel") == channel and not frame["event"].startswith("pusher")
        ]


def subscriber_on(shard, key=APP["key"]):
    """A connection on that shard. The kernel spreads connections, so this takes some tries."""
    for _ in range(TRIES_FOR_A_SHARD):
        subscriber = Subscriber(key)
        if subscriber.shard == shard:
            return subscriber
        subscriber.close()
    raise AssertionError(f"no connection landed on shard {shard}")

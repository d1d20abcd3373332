"""PyPI `pusher`: every call of the SDK against the real server, observed by plain WebSocket clients."""

import base64
import json
import unittest

import pusher
from nacl.exceptions import CryptoError
from nacl.secret import SecretBox
from pusher.errors import PusherBadAuth, PusherBadRequest, PusherBadStatus
from wire import APP, HOST, PORT, QUIET_APP, Subscriber, backend, subscriber_on, unique


class SdkTest(unittest.TestCase):
    """Opens connections that are closed when the test ends."""

    def subscriber(self, shard=None, key=APP["key"]):
        subscriber = Subscriber(key) if shard is None else subscriber_on(shard, key)
        self.addCleanup(subscriber.close)
        return subscriber

    def on_each_shard(self):
        return [self.subscriber(shard) for shard in (0, 1)]

    def member(self, shard, channel, user_id, user_info=None, credentials=None):
        subscriber = self.subscriber(shard)
        data = {"user_id": user_id}
        if user_info is not None:
            data["user_info"] = user_info
        auth = backend(credentials).authenticate(channel, subscriber.socket_id, data)
        return subscriber, subscriber.attempt(channel, auth)


class Trigger(SdkTest):
    def test_single_channel_reaches_both_shards(self):
        name = unique("news")
        subscribers = self.on_each_shard()
        for subscriber in subscribers:
            subscriber.subscribe(name)
        self.assertEqual(backend().trigger(name, "shipped", {"id": 5, "who": "Zoë ☃ 日本"}), {})
        for subscriber in subscribers:
            frame = subscriber.wait_for("shipped", name)
            # S12: the published text arrives byte for byte; Python writes a space after colons.
            self.assertEqual(frame["data"], '{"id": 5, "who": "Zoë ☃ 日本"}')
            self.assertNotIn("user_id", frame)

    def test_several_channels(self):
        names = [unique("news"), unique("news"), unique("news")]
        zero, one = self.on_each_shard()
        for name in names:
            zero.subscribe(name)
        one.subscribe(names[1])
        self.assertEqual(backend().trigger(names, "shipped", {"id": 5}), {})
        for name in names:
            zero.wait_for("shipped", name)
        one.wait_for("shipped", names[1])
        backend().trigger(names[1], "sentinel", {})
        one.wait_for("sentinel", names[1])
        self.assertEqual(one.events(names[0]), [])
        self.assertEqual([event for event, _ in one.events(names[1])], ["shipped", "sentinel"])

    def test_plain_text_stays_plain(self):
        name = unique("news")
        subscriber = self.subscriber()
        subscriber.subscribe(name)
        backend().trigger(name, "text", "hello")
        self.assertEqual(subscriber.wait_for("text", name)["data"], "hello")

    def test_socket_id_is_left_out(self):
        name = unique("news")
        subscribers = self.on_each_shard()
        for subscriber in subscribers:
            subscriber.subscribe(name)
        for index, subscriber in enumerate(subscribers):
            for n in range(8):
                backend().trigger(name, f"without-{index}", n, socket_id=subscriber.socket_id)
        backend().trigger(name, "sentinel", -1)
        for index, subscriber in enumerate(subscribers):
            subscriber.wait_for("sentinel", name)
            other = [(f"without-{1 - index}", n) for n in range(8)]
            self.assertEqual(subscriber.events(name), [*other, ("sentinel", -1)])

    def test_many_in_a_row_keep_their_order(self):
        name = unique("news")
        subscribers = self.on_each_shard()
        for subscriber in subscribers:
            subscriber.subscribe(name)
        sdk = backend()
        for n in range(60):
            sdk.trigger(name, "tick", n)
        sdk.trigger(name, "sentinel", -1)
        for subscriber in subscribers:
            subscriber.wait_for("sentinel", name)
            ticks = [("tick", n) for n in range(60)]
            self.assertEqual(subscriber.events(name), [*ticks, ("sentinel", -1)])

    def test_data_at_the_limit_and_past_it(self):
        name = unique("news")
        subscriber = self.subscriber()
        subscriber.subscribe(name)
        backend().trigger(name, "fits", "x" * 10_240)
        self.assertEqual(len(subscriber.wait_for("fits", name)["data"]), 10_240)
        with self.assertRaisesRegex(PusherBadStatus, "^413: "):
            backend().trigger(name, "large", "x" * 10_241)

    def test_hundred_channels(self):
        names = [unique("news") for _ in range(100)]
        subscriber = self.subscriber()
        subscriber.subscribe(names[0])
        subscriber.subscribe(names[99])
        self.assertEqual(backend().trigger(names, "all", 1), {})
        subscriber.wait_for("all", names[0])
        subscriber.wait_for("all", names[99])


class TriggerBatch(SdkTest):
    def test_items_are_delivered_in_order(self):
        name, other = unique("news"), unique("news")
        subscribers = self.on_each_shard()
        for subscriber in subscribers:
            subscriber.subscribe(name)
            subscriber.subscribe(other)
        batch = [
            {"channel": other if n == 4 else name, "name": f"item-{n}", "data": {"n": n}}
            for n in range(10)
        ]
        self.assertEqual(backend().trigger_batch(batch), {})
        for subscriber in subscribers:
            subscriber.wait_for("item-9", name)
            subscriber.wait_for("item-4", other)
            expected = [(f"item-{n}", {"n": n}) for n in range(10) if n != 4]
            self.assertEqual(subscriber.events(name), expected)

    def test_each_item_has_its_own_socket_id(self):
        name = unique("news")
        zero, one = self.on_each_shard()
        zero.subscribe(name)
        one.subscribe(name)
        backend().trigger_batch(
            [
                {"channel": name, "name": "a", "data": 1, "socket_id": zero.socket_id},
                {"channel": name, "name": "b", "data": 2, "socket_id": one.socket_id},
                {"channel": name, "name": "c", "data": 3},
            ]
        )
        zero.wait_for("c", name)
        one.wait_for("c", name)
        self.assertEqual(zero.events(name), [("b", 2), ("c", 3)])
        self.assertEqual(one.events(name), [("a", 1), ("c", 3)])

    def test_eleven_items_are_refused(self):
        batch = [{"channel": unique("news"), "name": "e", "data": 1} for _ in range(11)]
        with self.assertRaises(PusherBadRequest):
            backend().trigger_batch(batch)


class Encrypted(SdkTest):
    """E1, E2: the SDK encrypts with its master key, and only the channel's secret opens it."""

    def join(self, shard, channel, sdk):
        subscriber = self.subscriber(shard)
        auth = sdk.authenticate(channel, subscriber.socket_id)
        # The secret is the client's own and is not sent on.
        box = SecretBox(base64.b64decode(auth.pop("shared_secret")))
        subscriber.subscribe(channel, auth)
        return subscriber, box

    def opened(self, subscriber, box, channel, event):
        sealed = json.loads(subscriber.wait_for(event, channel)["data"])
        ciphertext, nonce = (base64.b64decode(sealed[key]) for key in ("ciphertext", "nonce"))
        return json.loads(box.decrypt(ciphertext, nonce))

    def test_trigger_and_batch_are_opened_on_both_shards(self):
        sdk, name = backend(), unique("private-encrypted-room")
        members = [self.join(shard, name, sdk) for shard in (0, 1)]
        self.assertEqual(sdk.trigger(name, "note", {"who": "Zoë ☃ 日本"}), {})
        sdk.trigger_batch([{"channel": name, "name": "batched", "data": {"n": 1}}])
        for subscriber, box in members:
            opened = self.opened(subscriber, box, name, "note")
            self.assertEqual(opened, {"who": "Zoë ☃ 日本"})
            self.assertEqual(self.opened(subscriber, box, name, "batched"), {"n": 1})

    def test_another_master_key_opens_nothing(self):
        name = unique("private-encrypted-room")
        other = base64.b64encode(bytes(32)).decode()
        stranger, wrong = self.join(0, name, backend(encryption_master_key_base64=other))
        backend().trigger(name, "note", {"n": 1})
        with self.assertRaises(CryptoError):
            self.opened(stranger, wrong, name, "note")

    def test_cache_channel(self):
        sdk, name = backend(), unique("private-encrypted-cache-room")
        subscriber, box = self.join(1, name, sdk)
        sdk.trigger(name, "note", [1, "two"])
        self.assertEqual(self.opened(subscriber, box, name, "note"), [1, "two"])


class Channels(SdkTest):
    def test_channels_info_with_prefix_and_user_count(self):
        prefix = unique("presence-list")
        first, _ = self.member(0, f"{prefix}-a", "ada")
        self.member(1, f"{prefix}-a", "ada")
        self.member(1, f"{prefix}-a", "max")
        self.member(0, f"{prefix}-b", "zoe")
        sdk = backend()
        self.assertEqual(
            sdk.channels_info(prefix, ["user_count"]),
            {"channels": {f"{prefix}-a": {"user_count": 2}, f"{prefix}-b": {"user_count": 1}}},
        )
        self.assertEqual(
            sdk.channels_info(prefix), {"channels": {f"{prefix}-a": {}, f"{prefix}-b": {}}}
        )
        self.assertEqual(sdk.channels_info(unique("nothing")), {"channels": {}})
        self.assertIn(f"{prefix}-a", sdk.channels_info()["channels"])
        with self.assertRaises(PusherBadRequest):
            sdk.channels_info("private-", ["user_count"])

    def test_channel_info(self):
        room = unique("presence-room")
        self.member(0, room, "ada")
        self.member(1, room, "ada")
        sdk = backend()
        self.assertEqual(sdk.channel_info(room), {"occupied": True})
        self.assertEqual(
            sdk.channel_info(room, ["user_count"]), {"occupied": True, "user_count": 1}
        )
        self.assertEqual(sdk.channel_info(unique("nothing")), {"occupied": False})
        with self.assertRaises(PusherBadRequest):
            sdk.channel_info(unique("news"), ["user_count"])

    def test_users_info(self):
        room = unique("presence-room")
        self.member(0, room, "ada", {"name": "Ada"})
        self.member(1, room, "ada", {"name": "Ada"})
        self.member(1, room, "max")
        sdk = backend()
        users = sorted(user["id"] for user in sdk.users_info(room)["users"])
        self.assertEqual(users, ["ada", "max"])
        self.assertEqual(sdk.users_info(unique("presence-nobody")), {"users": []})
        with self.assertRaises(PusherBadRequest):
            sdk.users_info(unique("private-orders"))


class Authenticate(SdkTest):
    def test_private_channel(self):
        name = unique("private-orders")
        subscriber = self.subscriber()
        auth = backend().authenticate(name, subscriber.socket_id)
        subscriber.subscribe(name, auth)
        backend().trigger(name, "shipped", {"id": 5})
        self.assertEqual(json.loads(subscriber.wait_for("shipped", name)["data"]), {"id": 5})

    def test_private_channel_with_wrong_secret(self):
        vault, lobby = unique("private-vault"), unique("lobby")
        forger, insider = self.subscriber(0), self.subscriber(0)
        wrong = backend(secret="wrong-secret").authenticate(vault, forger.socket_id)
        insider.subscribe(vault, backend().authenticate(vault, insider.socket_id))
        answer = forger.attempt(vault, wrong)
        self.assertEqual(answer["event"], "pusher:subscription_error")
        reason = json.loads(answer["data"])
        self.assertEqual((reason["type"], reason["status"]), ("AuthError", 401))
        forger.subscribe(lobby)
        backend().trigger(vault, "secret", 1)
        insider.wait_for("secret", vault)
        backend().trigger(lobby, "sentinel", 2)
        forger.wait_for("sentinel", lobby)
        self.assertEqual(forger.events(vault), [])

    def test_presence_channel(self):
        # The SDK writes JSON with spaces and \u escapes; the signature is over exactly that text.
        room = unique("presence-room")
        ada, _ = self.member(0, room, "ada", {"name": "Zoë", "url": "http://x/y"})
        _, answer = self.member(1, room, "max")
        snapshot = json.loads(answer["data"])["presence"]
        self.assertEqual(snapshot["count"], 2)
        self.assertEqual(sorted(snapshot["ids"]), ["ada", "max"])
        self.assertEqual(
            snapshot["hash"], {"ada": {"name": "Zoë", "url": "http://x/y"}, "max": None}
        )
        added = ada.wait_for("pusher_internal:member_added", room)
        self.assertEqual(json.loads(added["data"]), {"user_id": "max"})

    def test_presence_channel_with_wrong_secret(self):
        room = unique("presence-room")
        ada, _ = self.member(0, room, "ada")
        wrong = {**APP, "secret": "wrong-secret"}
        _, answer = self.member(1, room, "eve", credentials=wrong)
        self.assertEqual(answer["event"], "pusher:subscription_error")
        self.member(1, room, "max")
        added = ada.wait_for("pusher_internal:member_added", room)
        self.assertEqual(json.loads(added["data"]), {"user_id": "max"})

    def test_secret_outside_ascii(self):
        name = unique("private-orders")
        subscriber = self.subscriber(key=QUIET_APP["key"])
        auth = backend(QUIET_APP).authenticate(name, subscriber.socket_id)
        subscriber.subscribe(name, auth)
        backend(QUIET_APP).trigger(name, "shipped", 5)
        subscriber.wait_for("shipped", name)


class Refused(SdkTest):
    def requests(self, sdk, news, room):
        return {
            "trigger": lambda: sdk.trigger(news, "forged", {}),
            "batch": lambda: sdk.trigger_batch([{"channel": news, "name": "forged", "data": 1}]),
            "channels": sdk.channels_info,
            "channel": lambda: sdk.channel_info(news),
            "users": lambda: sdk.users_info(room),
        }

    def refused(self, sdk, error, pattern="."):
        news, room = unique("news"), unique("presence-room")
        subscriber = self.subscriber()
        subscriber.subscribe(news)
        for what, request in self.requests(sdk, news, room).items():
            with self.subTest(what), self.assertRaisesRegex(error, pattern):
                request()
        backend().trigger(news, "sentinel", 0)
        subscriber.wait_for("sentinel", news)
        self.assertEqual(subscriber.events(news), [("sentinel", 0)])

    def test_wrong_secret(self):
        self.refused(backend(secret="wrong-secret"), PusherBadAuth)

    def test_unknown_key(self):
        self.refused(backend(key="no-such-key"), PusherBadAuth)

    def test_key_of_another_application(self):
        other = backend(key=QUIET_APP["key"], secret=QUIET_APP["secret"])
        self.refused(other, PusherBadAuth)

    def test_unknown_application(self):
        self.refused(backend(app_id="9999"), PusherBadStatus, "^404: ")


class FromUrl(SdkTest):
    def test_client_made_from_a_url(self):
        name = unique("news")
        subscriber = self.subscriber()
        subscriber.subscribe(name)
        credentials = f"{APP['key']}:{APP['secret']}"
        sdk = pusher.Pusher.from_url(f"http://{credentials}@{HOST}/apps/{APP['app_id']}", port=PORT)
        self.assertEqual(sdk.trigger(name, "by-url", 1), {})
        subscriber.wait_for("by-url", name)


if __name__ == "__main__":
    unittest.main()

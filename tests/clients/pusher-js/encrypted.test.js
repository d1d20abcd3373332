// Encrypted channels with pusher-js (its Node build brings the decryption along) and with both SDKs,
// which hold the master key. What the server relays is ciphertext.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { authorise, backend } from '../support/backend.js';
import { openOn, openOnEach } from '../support/client.js';
import { Journal, next } from '../support/deadline.js';
import { python } from '../support/python.js';
import { app, unique } from '../support/target.js';

const otherKey = Buffer.alloc(32, 7).toString('base64');
const otherBackend = backend({ encryptionMasterKeyBase64: otherKey });

/** Joins and collects the decrypted events of that name. */
async function listen(client, name, event) {
  const channel = await client.subscribe(name);
  const heard = new Journal(`${event} on ${name}, decrypted`);
  channel.bind(event, heard.add);
  return heard;
}

const backends = {
  'npm pusher': (name, event, data) => backend().trigger(name, event, data),
  'PyPI pusher': (name, event, data) => python('trigger', name, event, data),
};

for (const [sdk, trigger] of Object.entries(backends)) {
  test(`clients on both shards decrypt what ${sdk} encrypted (E1, E2)`, async (t) => {
    const clients = await openOnEach(t);
    const name = unique('private-encrypted-room');
    const heard = [];
    for (const client of clients) heard.push(await listen(client, name, 'note'));

    const data = { secret: 'tell nobody', who: 'Zoë ☃ 日本' };
    await trigger(name, 'note', data);
    for (const [index, client] of clients.entries()) {
      assert.deepEqual(await heard[index].first(() => true), data);
      // What went over the wire says nothing of it.
      const frame = await client.frame(name, 'note');
      assert.deepEqual(Object.keys(frame.data).sort(), ['ciphertext', 'nonce']);
      assert.doesNotMatch(JSON.stringify(frame), /tell|nobody|secret/);
      assert.deepEqual(client.errors.all, []);
    }
  });
}

test('a batch is decrypted too, in order, and each frame has a nonce of its own', async (t) => {
  const [client] = await openOnEach(t);
  const name = unique('private-encrypted-room');
  const heard = await listen(client, name, 'n');
  const items = [0, 1, 2].map((n) => ({ channel: name, name: 'n', data: { n } }));
  await backend().triggerBatch(items);
  assert.deepEqual(await heard.reach(3), [{ n: 0 }, { n: 1 }, { n: 2 }]);
  const frames = await client.events(name, 3);
  assert.equal(new Set(frames.map(({ data }) => data.nonce)).size, 3);
});

test('the socket that asked is left out', async (t) => {
  const [asker, other] = await openOnEach(t);
  const name = unique('private-encrypted-room');
  const heard = [await listen(asker, name, 'n'), await listen(other, name, 'n')];
  await backend().trigger(name, 'n', { n: 1 }, { socket_id: asker.socketId });
  await backend().trigger(name, 'n', { n: 2 });
  assert.deepEqual(await heard[1].reach(2), [{ n: 1 }, { n: 2 }]);
  assert.deepEqual(await heard[0].reach(1), [{ n: 2 }]);
});

test('with the wrong key nothing is decrypted, and nothing else suffers (E4)', async (t) => {
  const asked = [];
  const authorisation = (request) => {
    asked.push(request.channelName);
    return otherBackend.authorizeChannel(request.socketId, request.channelName);
  };
  const stranger = await openOn(t, 0, { authorisation });
  const friend = await openOn(t, 1);
  const [name, plain] = [unique('private-encrypted-room'), unique('news')];
  const strange = await listen(stranger, name, 'note');
  const heard = await listen(friend, name, 'note');
  await stranger.subscribe(plain);

  await backend().trigger(name, 'note', { for: 'friends' });
  assert.deepEqual(await heard.first(() => true), { for: 'friends' });
  await backend().trigger(plain, 'sentinel', {});
  await stranger.frame(plain, 'sentinel');
  // The frame came, the client asked its endpoint once more, and gave the event up.
  assert.equal(stranger.eventNames(name).length, 1);
  assert.deepEqual(asked, [name, name]);
  assert.deepEqual(strange.all, []);

  // What is encrypted with the key it has is decrypted on the same connection.
  await otherBackend.trigger(name, 'note', { for: 'strangers' });
  assert.deepEqual(await strange.first(() => true), { for: 'strangers' });
  assert.deepEqual(stranger.states.all, ['connected']);
  assert.deepEqual(stranger.errors.all, []);
});

test('a client whose key was changed asks for the new one and decrypts (E4)', async (t) => {
  let signer = otherBackend;
  const authorisation = (request) =>
    signer.authorizeChannel(request.socketId, request.channelName);
  const client = await openOn(t, 0, { authorisation });
  const name = unique('private-encrypted-room');
  const heard = await listen(client, name, 'note');
  signer = backend();
  await backend().trigger(name, 'note', { n: 1 });
  assert.deepEqual(await heard.first(() => true), { n: 1 });
});

test('a wrong signature is refused as on any private channel (E1)', async (t) => {
  const wrong = { ...app, secret: 'wrong-secret' };
  const client = await openOn(t, 0, {
    authorisation: (request) => authorise(request, { credentials: wrong }),
  });
  const error = await client.refused(unique('private-encrypted-room'));
  assert.deepEqual([error.type, error.status], ['AuthError', 401]);
  assert.equal(client.state, 'connected');
});

test('the SDK sends an encrypted event to one channel, pusher-js no client events (E3, E4)', async (t) => {
  const [sender, receiver] = await openOnEach(t);
  const names = [unique('private-encrypted-room'), unique('private-encrypted-room')];
  assert.throws(() => backend().trigger(names, 'note', {}), /multiple channels when using encrypted/);

  const channel = await sender.subscribe(names[0]);
  await receiver.subscribe(names[0]);
  assert.throws(() => channel.trigger('client-typing', {}), /not currently supported/i);
  // The protocol does not forbid them: other clients may encrypt them.
  const data = { nonce: 'AA==', ciphertext: 'AA==' };
  sender.sendText(JSON.stringify({ event: 'client-typing', channel: names[0], data }));
  const frame = await receiver.frame(names[0], 'client-typing');
  assert.deepEqual(frame.data, data);
});

test('an encrypted cache channel is joined and decrypted', async (t) => {
  const clients = await openOnEach(t);
  const name = unique('private-encrypted-cache-room');
  const heard = [];
  for (const client of clients) heard.push(await listen(client, name, 'note'));
  await backend().trigger(name, 'note', { n: 1 });
  for (const journal of heard) assert.deepEqual(await journal.first(() => true), { n: 1 });
});

test('after a reconnect the channel is decrypted again', async (t) => {
  const client = await openOn(t, 0);
  const name = unique('private-encrypted-room');
  const heard = await listen(client, name, 'note');
  client.pusher.disconnect();
  const again = next(client.pusher.channel(name), 'pusher:subscription_succeeded');
  client.pusher.connect();
  await again;
  await backend().trigger(name, 'note', { n: 2 });
  assert.deepEqual(await heard.first(() => true), { n: 2 });
});

// Client events with pusher-js: who gets them, who does not, and what is refused.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backend } from '../support/backend.js';
import { open, openOn, openOnEach } from '../support/client.js';
import { next } from '../support/deadline.js';
import { quietApp, unique } from '../support/target.js';

test('a client event reaches the others on both shards and not the sender (CE1)', async (t) => {
  const name = unique('private-room');
  const [sender, far] = await openOnEach(t);
  const near = await openOn(t, 0);
  const channels = [];
  for (const client of [sender, far, near]) channels.push(await client.subscribe(name));

  assert.equal(channels[0].trigger('client-typing', { at: 7, who: 'Zoë ☃' }), true);
  for (const client of [far, near]) {
    const frame = await client.frame(name, 'client-typing');
    assert.deepEqual(frame.data, { at: 7, who: 'Zoë ☃' });
    assert.equal('user_id' in frame, false, 'no user id on a private channel (W4)');
  }
  channels[1].trigger('client-sentinel', {});
  await sender.frame(name, 'client-sentinel');
  assert.deepEqual(sender.eventNames(name), ['client-sentinel']);
  assert.deepEqual(sender.errors.all, []);
});

test('on presence channels the sender is named, from its membership (CE2)', async (t) => {
  const name = unique('presence-room');
  const ada = await openOn(t, 0, { member: { user_id: 'ada' } });
  const tab = await openOn(t, 1, { member: { user_id: 'ada' } });
  const max = await openOn(t, 1, { member: { user_id: 'max' } });
  const channels = [];
  for (const client of [ada, tab, max]) channels.push(await client.subscribe(name));

  const heard = Promise.all(
    [1, 2].map(
      (index) =>
        new Promise((resolve) => {
          channels[index].bind('client-typing', (data, metadata) => resolve({ data, metadata }));
        }),
    ),
  );
  const forged = { event: 'client-typing', channel: name, data: { a: 1 }, user_id: 'max' };
  ada.sendText(JSON.stringify(forged));
  // The other connection of the same user gets it too.
  assert.deepEqual(await heard, [
    { data: { a: 1 }, metadata: { user_id: 'ada' } },
    { data: { a: 1 }, metadata: { user_id: 'ada' } },
  ]);
});

test('text is relayed as it is, other JSON as its text (CE3)', async (t) => {
  const name = unique('private-room');
  const [sender, receiver] = await openOnEach(t);
  const channel = await sender.subscribe(name);
  const received = await receiver.subscribe(name);
  for (const data of ['hello', { a: [1, 2, { b: null }] }, [1, 'two'], 12.5, true, 'ünï \u{1F680}']) {
    const heard = next(received, 'client-data');
    channel.trigger('client-data', data);
    assert.deepEqual(await heard, data);
  }
});

test('client events keep their order', async (t) => {
  const name = unique('private-room');
  const [sender, receiver] = await openOnEach(t);
  const channel = await sender.subscribe(name);
  await receiver.subscribe(name);
  for (let n = 0; n < 10; n += 1) channel.trigger('client-tick', n);
  const events = await receiver.events(name, 10);
  assert.deepEqual(events.map(({ data }) => data), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test('client events and triggered events share a channel', async (t) => {
  const name = unique('private-room');
  const [a, b] = await openOnEach(t);
  const channel = await a.subscribe(name);
  await b.subscribe(name);
  channel.trigger('client-one', 1);
  await b.frame(name, 'client-one');
  await backend().trigger(name, 'two', 2, { socket_id: b.socketId });
  await a.frame(name, 'two');
  channel.trigger('client-three', 3);
  await b.frame(name, 'client-three');
  assert.deepEqual(b.eventNames(name), ['client-one', 'client-three']);
  assert.deepEqual(a.eventNames(name), ['two']);
});

test('a client event on a public channel is refused with 4301 (Q14)', async (t) => {
  const name = unique('news');
  const [sender, receiver] = await openOnEach(t);
  const channel = await sender.subscribe(name);
  await receiver.subscribe(name);
  channel.trigger('client-typing', {});
  const { data } = await sender.errors.first(() => true, 'a refusal');
  assert.equal(data.code, 4301);
  await backend().trigger(name, 'sentinel', {});
  await receiver.frame(name, 'sentinel');
  assert.deepEqual(receiver.eventNames(name), ['sentinel']);
});

test('an application with client events off refuses them with 4301 on the channel', async (t) => {
  const name = unique('private-room');
  const [sender, receiver] = await openOnEach(t, () => ({ credentials: quietApp }));
  const channel = await sender.subscribe(name);
  await receiver.subscribe(name);
  const told = next(channel, 'pusher:error');
  channel.trigger('client-typing', {});
  assert.equal((await told).code, 4301);
  await backend(quietApp).trigger(name, 'sentinel', {});
  await receiver.frame(name, 'sentinel');
  assert.deepEqual(receiver.eventNames(name), ['sentinel']);
  assert.equal(sender.state, 'connected');
});

test('a client event on a channel the sender is not on is refused', async (t) => {
  const name = unique('private-room');
  const [sender, receiver] = await openOnEach(t);
  await receiver.subscribe(name);
  sender.pusher.send_event('client-typing', {}, name);
  const frame = await sender.frame(name, 'pusher:error');
  assert.equal(frame.data.code, null);

  // After leaving it is the same.
  await sender.subscribe(name);
  sender.pusher.unsubscribe(name);
  sender.pusher.send_event('client-typing', {}, name);
  await sender.errors.reach(2);
  await backend().trigger(name, 'sentinel', {});
  await receiver.frame(name, 'sentinel');
  assert.deepEqual(receiver.eventNames(name), ['sentinel']);
});

test('client events without channel, data or prefix are refused with code null', async (t) => {
  const name = unique('private-room');
  const [sender, receiver] = await openOnEach(t);
  await sender.subscribe(name);
  await receiver.subscribe(name);
  const frames = [
    { event: 'client-typing', data: {} },
    { event: 'client-typing', channel: name },
    { event: 'typing', channel: name, data: {} },
    { event: 'foo-client-bar', channel: name, data: {} },
  ];
  for (const [index, frame] of frames.entries()) {
    sender.sendText(JSON.stringify(frame));
    const errors = await sender.errors.reach(index + 1);
    assert.equal(errors[index].data.code, null, JSON.stringify(frame));
  }
  await backend().trigger(name, 'sentinel', {});
  await receiver.frame(name, 'sentinel');
  assert.deepEqual(receiver.eventNames(name), ['sentinel']);
});

test('10,240 bytes of data pass, 10,241 are refused with 4301', async (t) => {
  const name = unique('private-room');
  const [sender, receiver] = await openOnEach(t);
  const channel = await sender.subscribe(name);
  await receiver.subscribe(name);
  channel.trigger('client-fits', 'x'.repeat(10_240));
  assert.equal((await receiver.frame(name, 'client-fits')).data.length, 10_240);
  channel.trigger('client-large', 'x'.repeat(10_241));
  const error = await sender.frame(name, 'pusher:error');
  assert.equal(error.data.code, 4301);
  channel.trigger('client-sentinel', {});
  await receiver.frame(name, 'client-sentinel');
  assert.deepEqual(receiver.eventNames(name), ['client-fits', 'client-sentinel']);
});

test('a burst above 10 a second is cut off with 4301, and the rest arrives (CE5)', async (t) => {
  const name = unique('private-room');
  const [sender, receiver] = await openOnEach(t);
  const channel = await sender.subscribe(name);
  await receiver.subscribe(name);
  const sent = 60;
  for (let n = 0; n < sent; n += 1) channel.trigger('client-burst', n);

  // Frames are handled in order, so this answer comes after the answers to the burst.
  await sender.settled();
  const refused = sender.errors.all.length;
  for (const { data } of sender.errors.all) assert.equal(data.code, 4301);
  const passed = (await receiver.events(name, sent - refused)).map(({ data }) => data);
  await backend().trigger(name, 'sentinel', {});
  await receiver.frame(name, 'sentinel');
  assert.equal(receiver.eventNames(name).length, sent - refused + 1);
  assert.ok(refused > 0, 'some are refused');
  assert.deepEqual(passed.slice(0, 10), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  assert.equal(sender.state, 'connected');

  // Another connection has an allowance of its own.
  const second = await open(t);
  (await second.subscribe(name)).trigger('client-other', 1);
  await receiver.frame(name, 'client-other');
});
